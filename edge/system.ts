/** One process: what it opens, in order, and how it ends. */
import { join } from "node:path";
import { addresses, pipeline } from "../actors/pipeline.ts";
import { cameraLogins, cameraSeeds } from "../config/cameras.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { CameraStatus } from "../protocols/camera.ts";
import { createCodec } from "../protocols/codec.ts";
import { deadLettersOf } from "../protocols/dead-letter.ts";
import type { LiveDetection } from "../protocols/detection.ts";
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import { topics } from "../protocols/topics.ts";
import { addressOf } from "../runtime/actor.ts";
import { openSqliteBus } from "../runtime/bus-sqlite.ts";
import type { Clock } from "../runtime/clock.ts";
import { systemDispatcher } from "../runtime/dispatcher.ts";
import { reasonOf } from "../runtime/errors.ts";
import { encodeCrop, encodeJpeg } from "../runtime/jpeg.ts";
import type { Log } from "../runtime/log.ts";
import { createMetrics } from "../runtime/metrics.ts";
import type { Random } from "../runtime/random.ts";
import { openSqliteStore } from "../runtime/store-sqlite.ts";
import { startSystem } from "../runtime/system.ts";
import { stage } from "../runtime/tree.ts";
import { limitProbe } from "./cameras/probe.ts";
import { createCameraRegistry } from "./cameras.ts";
import { createFleet } from "./fleet.ts";
import { createLiveHub } from "./live/hub.ts";
import { live } from "./live.ts";
import { schedulerArgs } from "./llm.ts";
import { observe, watchLoop, watchSystem } from "./observe.ts";
import type { Check, EdgePorts } from "./ports.ts";
import { createApp, serve } from "./server.ts";
import { version } from "./version.ts";
import { createVision } from "./vision.ts";

export type Outside = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The process cannot go on: end it with this status, after an orderly stop. */
  readonly fatal: (status: number, reason: string) => void;
};

export type Running = {
  readonly url: string;
  /** Intake ends, work in hand is finished, what is durable is committed; bounded by the shutdown budget. */
  readonly stop: (reason: string) => Promise<void>;
};

const allTopics: readonly TopicDefinition<never>[] = Object.values(topics);
const everyTopic = [...allTopics, ...[topics.detections, topics.tasks, topics.results].map(deadLettersOf)];
/** How long ago a record may have been written that is delivered again. */
const outageMs = 10 * 60_000;
/** An aggregator waits so long after the deadline for the scheduler's word that it came too late. */
const graceMs = 5_000;
/** Shutdown budget (design rule 27): work in hand is finished for so long of ten seconds. */
const drainMs = 6_000;

const liveDetections = addressOf<LiveDetection>("vedette/live");
const liveStatus = addressOf<CameraStatus>("vedette/live");

const checkOf = ({ status, detail }: { readonly status: "up" | "away"; readonly detail: string }): Check => ({
  status: status === "up" ? "up" : "down",
  detail,
});

/** What a message is about: its camera. */
const aboutCamera = (message: Tagged): string => ("cameraId" in message ? String(message.cameraId) : "");

export const startProcess = async (loaded: LoadedConfig, { clock, random, log, fatal }: Outside): Promise<Running> => {
  const { config, resolveSecret } = loaded;
  const metrics = createMetrics();
  metrics.systemInfo.set({ version, runtime: `bun ${Bun.version}` }, 1);
  const bus = await openSqliteBus({
    directory: join(config.data.dir, "log"),
    maxBytes: config.data.maxBytes,
    minFreeBytes: config.data.minFreeBytes,
    clock,
    log,
  });
  const store = await openSqliteStore({ directory: join(config.data.dir, "store"), clock, log });
  await bus.ensure(everyTopic);
  const vision = createVision(config, clock, log, metrics, (reason) => fatal(70, reason));
  const previews = new Map(config.cameras.list.map(({ id, preview }) => [id, preview]));
  const preview = (id: number) => previews.get(id) ?? config.cameras.preview;
  const hub = createLiveHub({ bus, clock, log, metrics, version, maxClients: config.server.maxClients, preview });
  const fleet = createFleet(
    {
      start: (key, args) => system.startChild(addresses.eyes, key, args),
      stop: (key) => system.stopChild(addresses.eyes, key),
    },
    { open: vision.open, detector: addresses.detector, live: liveStatus, metrics, clock },
    cameraLogins(loaded),
  );
  const cameras = createCameraRegistry({
    bus,
    fleet,
    clock,
    random,
    log,
    checkAddress: vision.addresses.admit,
    seeds: cameraSeeds(loaded),
    limit: config.cameras.maxCameras,
    removed: hub.stopped,
  });

  const { distancePx, relativeDistance, maxDiameterPx, minMembers, cropMarginPx, cropQuality, cropMaxBytes } = config.grouping;
  const tree = pipeline({
    edge: [stage(live, { args: { hub, cameras, encodeJpeg, metrics } })],
    aggregator: { deadlineMs: config.tasks.deadlineMs, graceMs, outageMs, metrics },
    scheduler: schedulerArgs(loaded, { clock, store, metrics, outageMs }),
    taskGenerator: { ...config.tasks, metrics },
    tracker: { metrics },
    clusterer: (cameraId) => ({
      live: liveDetections,
      metrics,
      encodeCrop,
      roi: () => cameras.settings(cameraId)?.roi ?? [],
      grouping: { distancePx, relativeDistance: relativeDistance ?? undefined, maxDiameterPx, minMembers },
      evidence: { marginPx: cropMarginPx, quality: cropQuality, imageMaxBytes: cropMaxBytes },
      candidateMinMembers: config.tasks.minMembers,
    }),
    detector: {
      lanes: addresses.lanes,
      metrics,
      allowedClasses: config.detector.allowedClasses,
      // The model may come after the cameras.
      get pool() {
        return vision.pool();
      },
      get modelType() {
        return vision.modelType();
      },
    },
  });
  const world = {
    clock,
    random,
    dispatcher: systemDispatcher(clock, setImmediate),
    codec: createCodec(everyTopic.flatMap(({ messages }) => messages)),
    bus,
    store,
    frames: vision.frames,
    log,
    observer: observe(metrics, log),
    keyOf: aboutCamera,
  };
  const system = await startSystem(tree, allTopics, world, (reason) => fatal(70, reason));
  const unwatch = [watchLoop(metrics, clock), watchSystem(metrics, clock, bus, allTopics, system.snapshot)];

  const ports: EdgePorts = {
    clock,
    random,
    log,
    metrics,
    version,
    bus,
    store,
    tree: system.snapshot,
    checks: () => ({ bus: checkOf(bus.health()), store: checkOf(store.health()), detector: vision.check() }),
    cameras,
    live: hub,
    probe: limitProbe(vision.probe, vision.addresses.admit),
    tokens: config.auth.tokens.map((token) => ({ ...token, token: resolveSecret(token) ?? "" })),
    server: { host: config.server.host, allowedOrigins: config.server.corsOrigins },
  };
  const serving = serve(createApp(ports), ports, config.server);
  await hub.start();
  await cameras.start();
  void vision.prepare(cameras.list().map(({ url }) => url)).then(fleet.release, (thrown) => fatal(78, reasonOf(thrown)));

  return {
    url: serving.url,
    async stop(reason) {
      await cameras.stop();
      await system.stop(reason, drainMs);
      await serving.stop();
      for (const cancel of unwatch) cancel();
      await Promise.all([vision.close(), bus.close(), store.close()]);
    },
  };
};
