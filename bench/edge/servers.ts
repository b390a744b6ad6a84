/** What broadcasts: the edge as it is served, and a bare server with the same settings that does nothing but publish. */
import { createCameraRegistry } from "../../edge/cameras.ts";
import { createLiveHub } from "../../edge/live/hub.ts";
import { createApp, serve } from "../../edge/server.ts";
import { version } from "../../edge/version.ts";
import type { LiveDetection } from "../../protocols/detection.ts";
import { topics } from "../../protocols/topics.ts";
import { createMemoryBroker } from "../../runtime/bus-memory.ts";
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { systemRandom } from "../../runtime/random.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";

export type Broadcaster = {
  readonly port: number;
  readonly send: (index: number) => void;
  /** How many messages were not sent, because a client reads too slowly, so far. */
  readonly skipped: () => Promise<number>;
  readonly close: () => Promise<void>;
};

/** A message as its JSON frame is sent, by either. */
export const textOf = ({ type, ...data }: LiveDetection): string => JSON.stringify({ type, data });

/** Takes each detection as the pipeline hands it over: the text is made within what is measured. */
export const edgeBroadcaster = async (detections: readonly LiveDetection[]): Promise<Broadcaster> => {
  const base = { clock: systemClock, random: systemRandom, log: silentLog, metrics: createMetrics(), version };
  const bus = createMemoryBroker({ clock: systemClock }).open();
  await bus.ensure([topics.cameras, topics.incidents]);
  const live = createLiveHub({ ...base, bus });
  const fleet = { start() {}, stop() {} };
  const cameras = createCameraRegistry({ ...base, bus, fleet, checkAddress() {}, seeds: [], limit: 100 });
  const server = { host: "127.0.0.1", allowedOrigins: [] };
  const ports = {
    ...base,
    bus,
    store: createMemoryStore({ clock: systemClock }),
    evidence: { read: async () => null },
    tree: () => ({ name: "vedette", state: "running" as const, restarts: 0, restartsLeft: 5, children: [] }),
    checks: () => ({}),
    cameras,
    live,
    llm: null,
    quota: { read: () => Promise.reject(new Error("there is no model")) },
    probe: () => Promise.reject(new Error("there is nothing to probe")),
    tokens: [],
    server,
  };
  const serving = serve(createApp(ports), ports, { host: server.host, port: 0 });
  await live.start();
  return {
    port: serving.port,
    send(index) {
      const detection = detections[index % detections.length];
      if (detection) live.detection(detection, null);
    },
    async skipped() {
      const { values } = await base.metrics.dropped.get();
      return values.find(({ labels }) => labels.reason === "slow_client")?.value ?? 0;
    },
    async close() {
      await serving.stop();
      await bus.close();
    },
  };
};

/** The texts are made before. */
export const bareBroadcaster = (detections: readonly LiveDetection[]): Broadcaster => {
  const texts = detections.map(textOf);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, running) => (running.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: {
      maxPayloadLength: 64 * 1024,
      idleTimeout: 60,
      sendPings: true,
      perMessageDeflate: false,
      backpressureLimit: 16 * 1024 * 1024,
      closeOnBackpressureLimit: true,
      open(ws) {
        ws.subscribe("all");
        ws.send('{"type":"connection_ack"}');
      },
      message() {},
    },
  });
  return {
    port: server.port ?? 0,
    send: (index) => void server.publish("all", texts[index % texts.length] ?? ""),
    skipped: async () => 0,
    close: () => server.stop(true),
  };
};
