/**
 * What it costs the edge to tell very many viewers of a detection. Goal: 0.8 of what `server.publish` alone manages at 1,000
 * clients, and clients that never read cost the others nothing. Not asked: pictures, HTTP, clients far away.
 */
import { join } from "node:path";
import type { LiveDetection } from "../protocols/detection.ts";
import { systemClock } from "../runtime/clock.ts";
import { seededRandom } from "../runtime/random.ts";
import type { Bench } from "./bench.ts";
import { live } from "./detections.ts";
import type { ClientsHeard, ClientsSaid } from "./edge/clients.ts";
import { type Broadcaster, bareBroadcaster, edgeBroadcaster, textOf } from "./edge/servers.ts";
import { type Contest, type Contestant, rateOf } from "./harness.ts";

const together = 10;
const frameHeaderBytes = 4;
const connectMs = 60_000;
const stallMs = 30_000;

const detections = (): readonly LiveDetection[] => {
  const random = seededRandom(8);
  return Array.from({ length: 64 }, (_, index) => live(random, index));
};

const nextLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const startClients = (port: number, reading: number, stalled: number) => {
  const heard = new Map<ClientsSaid, () => void>();
  const program = join(import.meta.dirname, "edge/clients.ts");
  const child = Bun.spawn([process.execPath, program, String(port), String(reading), String(stalled)], {
    stdio: ["ignore", "ignore", "inherit"],
    serialization: "json",
    timeout: 5 * connectMs,
    ipc: (word: ClientsSaid) => heard.get(word)?.(),
  });
  const wait = (word: ClientsSaid): Promise<void> =>
    new Promise((resolve, reject) => {
      heard.set(word, resolve);
      void child.exited.then((status) => reject(new Error(`the clients ended with ${status} before they were ${word}`)));
    });
  return {
    ready: wait("ready"),
    async expect(bytes: number): Promise<{ readonly done: Promise<void> }> {
      const [armed, done] = [wait("armed"), wait("done")];
      child.send({ expect: bytes } satisfies ClientsHeard);
      await armed;
      return { done };
    },
    async end() {
      child.disconnect();
      await child.exited;
    },
  };
};

/** Clients that do not read, sent to until the kernel's buffers are full, then the server's, and each is left out. */
const stall = async (broadcaster: Broadcaster, count: number) => {
  const clients = startClients(broadcaster.port, 0, count);
  await clients.ready;
  const endMs = systemClock.monotonicMs() + stallMs;
  for (let sent = 0; ; sent++) {
    const before = await broadcaster.skipped();
    broadcaster.send(sent);
    if ((await broadcaster.skipped()) - before === count) return clients;
    if (systemClock.monotonicMs() > endMs) throw new Error(`of ${count} clients that do not read, not all stall`);
    if (sent % together === 0) await nextLoop();
  }
};

/** Messages delivered a second, over all clients that read. */
const delivering = async (
  name: string,
  broadcaster: Broadcaster,
  texts: readonly string[],
  reading: number,
  stalled: number,
): Promise<Contestant> => {
  const stuck = stalled > 0 ? await stall(broadcaster, stalled) : null;
  const clients = startClients(broadcaster.port, reading, 0);
  await clients.ready;
  const bytesOf = (count: number): number => {
    let bytes = 0;
    for (let index = 0; index < count; index++) bytes += frameHeaderBytes + (texts[index % texts.length] ?? "").length;
    return bytes * reading;
  };
  const broadcast = async (messages: number): Promise<number> => {
    const { done } = await clients.expect(bytesOf(messages));
    for (let index = 0; index < messages; index++) {
      if (index % together === 0) await nextLoop();
      broadcaster.send(index);
    }
    await done;
    return messages;
  };
  return {
    name,
    async run(size) {
      const messages = Math.max(1, Math.round(size / reading));
      const { values, hash } = await rateOf(broadcast)(messages);
      return { values: values.map((value) => value * reading), hash };
    },
    async close() {
      await clients.end();
      await stuck?.end();
      await broadcaster.close();
    },
  };
};

export type Audience = { readonly clients: number; readonly stalled: number };

export const edgeBench = ({ clients, stalled }: Audience): Bench => {
  const messages = detections();
  const texts = messages.map(textOf);
  const contest = { unit: "deliveries/s", rounds: 11, warmUps: 3, size: clients * 60, isPure: true } as const;
  return {
    name: "edge",
    notes: [
      `Detections of ${texts[0]?.length} bytes as JSON, to raw sockets in another process on the same cores. The edge makes the text of`,
      "each, keeps the latest for HTTP, and looks at the clients' buffers; the bare server publishes texts made before.",
      "CPU time is the server's alone. Clients that stall do not read at all; the edge leaves them out when 512 KiB wait.",
    ],
    contests: [
      {
        name: `broadcast to ${clients} clients`,
        async open(): Promise<Contest> {
          const bare = await delivering("bare server.publish", bareBroadcaster(messages), texts, clients, 0);
          const subject = await delivering("edge", await edgeBroadcaster(messages), texts, clients, 0);
          return { ...contest, subject, versus: [{ ...bare, target: { of: "ratio", limit: 0.8 } }] };
        },
      },
      {
        name: `broadcast to ${clients} clients while ${stalled} others stall`,
        async open(): Promise<Contest> {
          const alone = await delivering("the same without the stalled", await edgeBroadcaster(messages), texts, clients, 0);
          const subject = await delivering("edge", await edgeBroadcaster(messages), texts, clients, stalled);
          return { ...contest, subject, versus: [{ ...alone, target: { of: "ratio", limit: 0.9 } }] };
        },
      },
    ],
  };
};

export const edge = (): Bench => edgeBench({ clients: 1_000, stalled: 20 });
