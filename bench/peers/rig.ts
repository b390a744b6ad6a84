/** One run of either service: a broker and a model of its own, records that wait, and the time and CPU until all are merged. */
import { execFile } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadConfig } from "../../config/load.ts";
import { kafkaOptions } from "../../edge/storage/kafka.ts";
import { createCodec } from "../../protocols/codec.ts";
import { topics } from "../../protocols/topics.ts";
import type { RiskUpdate } from "../../protocols/verdict.ts";
import type { Bus, Outgoing } from "../../runtime/bus.ts";
import { openKafkaBus } from "../../runtime/bus-kafka.ts";
import { delay, systemClock } from "../../runtime/clock.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { silentLog } from "../../runtime/log.ts";
import { seededRandom } from "../../runtime/random.ts";
import { provideBroker } from "../../tools/broker/jars.ts";
import { freePort } from "../chaos/services.ts";
import { recorded } from "../detections.ts";
import { emptyFolder } from "../folder.ts";
import { type Child, startChild } from "../load/child.ts";

const root = join(import.meta.dirname, "../..");
const service = join(import.meta.dirname, "service.py");
export const pythonLibraries = join(root, ".cache/peers/python");
const packages = ["confluent-kafka==2.6.1", "aiohttp==3.11.11"];

export const imageBytes = 10_000;
export const inFlight = 50;
export const modelLatency = "20ms-40ms";
const limitMs = 180_000;
const pollMs = 20;
const feedBatch = 200;
const feedTries = 20;
const feedAgainMs = 250;

export type PeerRun = {
  /** Of the last two thirds: the first is for the compiler. */
  readonly recordsPerSecond: number;
  /** User and system time of all processes of the service, from ready to the last record. */
  readonly cpuMsPerRecord: number;
};

const warmOf = (records: number): number => Math.max(1, Math.floor(records / 3));

type Place = {
  readonly folder: string;
  readonly broker: string;
  /** Base URL of the model. */
  readonly llm: string;
  readonly keep: (child: Promise<Child>) => Promise<Child>;
};

/** Fetches the Python packages where they are not there yet. */
export const providePython = async (): Promise<void> => {
  if (existsSync(pythonLibraries)) return;
  // Under another name until all is there.
  const partial = `${pythonLibraries}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const command = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", partial, ...packages];
  await promisify(execFile)("python3", command, { timeout: limitMs }).catch((thrown) => {
    throw new Error(
      `the Python service cannot be had: pip install ${packages.join(" ")} failed: ${reasonOf(thrown).slice(0, 300)}`,
    );
  });
  renameSync(partial, pythonLibraries);
};

/** Gives a place for one run, and takes everything away again. */
const inPlace = async <Result>(run: (place: Place) => Promise<Result>): Promise<Result> => {
  const missing = await provideBroker();
  if (missing !== null) throw new Error(missing);
  const folder = emptyFolder();
  const children: Child[] = [];
  const keep = async (starting: Promise<Child>) => {
    const child = await starting;
    children.push(child);
    return child;
  };
  const start = (name: string, command: readonly string[], until: RegExp) =>
    keep(startChild({ name, command: [process.execPath, ...command], until, folder: folder.path, cwd: root }));
  try {
    const port = String(await freePort());
    const broker = await start(
      "broker",
      ["bench/load/broker.ts", join(folder.path, "broker"), port],
      /serves on (\S+), pid (\d+)/,
    );
    const llm = await start("llm-sim", ["tools/llm-sim.ts", "--latency", modelLatency, "--level", "low"], /base URL (\S+)/);
    return await run({ folder: folder.path, broker: broker.said, llm: llm.said, keep });
  } finally {
    for (const child of children.reverse()) await child.stop();
    folder.remove();
  }
};

const cpuOf = (children: readonly Child[]): number => children.reduce((sum, { cpuMs }) => sum + cpuMs(), 0);

/** Waits for `found`, while all programs run. */
const until = async (children: readonly Child[], what: string, found: () => boolean): Promise<void> => {
  const endMs = systemClock.monotonicMs() + limitMs;
  while (!found()) {
    const ended = children.find(({ hasEnded }) => hasEnded());
    if (ended) throw new Error(`${ended.name} ended: ${ended.output().slice(-600)}`);
    if (systemClock.monotonicMs() > endMs) throw new Error(`${what} did not come within ${limitMs / 1_000} s`);
    await delay(systemClock, pollMs);
  }
};

export const runPython = (records: number): Promise<PeerRun> =>
  inPlace(async ({ folder, broker, llm, keep }) => {
    const environment = { PYTHONPATH: pythonLibraries, PYTHONUNBUFFERED: "1" };
    const start = (role: string, pattern: RegExp) => {
      const words = [role, broker, String(records), llm, String(inFlight), String(imageBytes)];
      return keep(
        startChild({ name: role, command: ["python3", service, ...words], until: pattern, folder, cwd: root, environment }),
      );
    };
    await start("feed", /(fed)/);
    const roles: Child[] = [];
    for (const role of ["aggregator", "scheduler", "generator"]) roles.push(await start(role, /(ready)/));
    const before = cpuOf(roles);
    const pattern = /merged (\d+) answered (\d+) in (\S+) s/;
    const [aggregator] = roles;
    const said = () => pattern.exec(aggregator?.output() ?? "");
    await until(roles, "the last record", () => said() !== null);
    const [, , answered, seconds] = said() ?? [];
    if (Number(answered) < records) throw new Error(`the Python service had ${answered} answers for ${records} records`);
    return { recordsPerSecond: (records - warmOf(records)) / Number(seconds), cpuMsPerRecord: (cpuOf(roles) - before) / records };
  });

const keyVariable = "PEERS_KEY";

const configurationOf = ({ broker, llm }: Place): string =>
  JSON.stringify({
    cameras: { list: [] },
    // The records wait, so they are older than those of a camera.
    tasks: { cooldownMs: 0, deadlineMs: 600_000, maxAgeMs: 600_000 },
    llm: {
      maxConcurrentTasks: inFlight,
      groups: [{ name: "sim", baseUrl: llm, model: "sim-vl", limits: {}, keys: [{ id: "key-1", env: keyVariable }] }],
    },
    bus: "kafka",
    kafka: { bootstrapServers: [broker] },
    server: { port: 0 },
  });

/** A broker that has just made a topic may not lead it yet; what is stored twice has one answer. */
const feed = async (bus: Bus, batch: readonly Outgoing[]): Promise<void> => {
  for (let left = feedTries; ; left--) {
    try {
      await bus.append(batch);
      return;
    } catch (thrown) {
      if (left === 0 || !(thrown instanceof Fault && thrown.retryable)) throw thrown;
      await delay(systemClock, feedAgainMs);
    }
  }
};

export const runVedette = (records: number): Promise<PeerRun> =>
  inPlace(async (place) => {
    const { folder, keep } = place;
    const config = join(folder, "peers.yaml");
    await Bun.write(config, configurationOf(place));
    const loaded = loadConfig({ config: [config], environment: {} });
    const codec = createCodec([...topics.detections.messages, ...topics.incidents.messages]);
    const bus = openKafkaBus(kafkaOptions(loaded, { clock: systemClock, log: silentLog }));
    try {
      await bus.ensure([topics.detections, topics.tasks, topics.results, topics.incidents]);
      const make = recorded(imageBytes);
      const random = seededRandom(8);
      for (let index = 0; index < records; ) {
        const batch: Outgoing[] = [];
        for (; batch.length < feedBatch && index < records; index++) {
          const capturedAt = systemClock.nowMs();
          const message = { ...make(random, index), capturedAt, timestamp: new Date(capturedAt).toISOString() };
          const { messageId: id, type, traceId: trace, cameraId } = message;
          batch.push({ topic: topics.detections.name, key: String(cameraId), id, type, trace, bytes: codec.encode(message) });
        }
        await feed(bus, batch);
      }
      const warm = warmOf(records);
      let [merged, answered, firstMs, lastMs] = [0, 0, 0, 0];
      await bus.follow(topics.incidents.name, "earliest", ({ type, bytes }) => {
        if (type !== "risk_update") return;
        const read = codec.read(type, bytes);
        if (!read.ok) return;
        const { final, results } = read.message as RiskUpdate; // of this type by its name
        if (!final) return;
        lastMs = systemClock.monotonicMs();
        if (++merged === warm) firstMs = lastMs;
        answered += results.filter(({ status }) => status === "ok").length;
      });
      const roles = ["--roles", "task-generator,scheduler,aggregator", "--set", `data.dir=${join(folder, "data")}`];
      const child = await keep(
        startChild({
          ...{ name: "vedette", folder, cwd: root, environment: { [keyVariable]: "sk-1" } },
          command: [process.execPath, join(root, "edge/main.ts"), "--config", config, ...roles],
          until: /("event":"process\.start")/,
        }),
      );
      const before = child.cpuMs();
      await until([child], "the last record", () => merged >= records);
      if (answered < records) throw new Error(`vedette had ${answered} answers for ${records} records`);
      const cpuMs = child.cpuMs() - before;
      return { recordsPerSecond: ((records - warm) * 1_000) / (lastMs - firstMs), cpuMsPerRecord: cpuMs / records };
    } finally {
      await bus.close();
    }
  });
