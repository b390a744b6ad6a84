/** Everything that a load run starts: the services, the system under load in its own processes, and how all of it ends. */
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type LoadedConfig, loadConfig } from "../../config/load.ts";
import { roleNames } from "../../config/schema.ts";
import { emptyFolder } from "../folder.ts";
import { clipPath, modelPath } from "../media.ts";
import { type Child, startChild } from "./child.ts";
import type { LoadOptions } from "./options.ts";
import { configurationOf, keyOf, keyVariable, type Places } from "./plan.ts";
import type { Stream } from "./stream.ts";

const root = join(import.meta.dirname, "../..");

export type Running = {
  /** The processes of the system itself. */
  readonly system: readonly Child[];
  /** What it is loaded with and depends on: simulated model, RTSP server, broker, Redis. */
  readonly services: readonly Child[];
  /** Of the process that clients connect to. */
  readonly url: string;
  readonly llmUrl: string | null;
  readonly loaded: LoadedConfig;
  /** Ends the system; its records can be read then. */
  readonly endSystem: () => Promise<void>;
  /** Ends everything and removes what was written. */
  readonly end: () => Promise<void>;
};

const bun = (...words: readonly string[]): string[] => [
  process.execPath,
  ...words.map((word) => (word.endsWith(".ts") ? join(root, word) : word)),
];

const startModel = ({ llm, quotaGroups, rps }: LoadOptions, folder: string): Promise<Child> | null => {
  if (llm === "rules") return null;
  const accounts = Array.from({ length: quotaGroups }, (_, group) => ["--accounts", `account-${group}=${keyOf(group)}`]).flat();
  const command = bun("tools/llm-sim.ts", "--latency", llm.latency, "--rps", String(rps), ...accounts);
  return startChild({ name: "llm-sim", command, until: /base URL (\S+)/, folder, cwd: root });
};

const startRtsp = async (clip: string, folder: string, { width, height, gop, fps }: Stream): Promise<Child> => {
  const { h264Clip } = await import("../../tools/rtsp/h264.ts");
  const path = await h264Clip(clip, { width, height, gop });
  const command = bun("tools/rtsp/server.ts", "--clip", path, "--fps", String(fps), "--staggered");
  return startChild({ name: "rtsp-server", command, until: /(rtsp:\S+)/, folder, cwd: root });
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });

const startRedis = async (folder: string): Promise<{ readonly child: Child; readonly url: string }> => {
  const port = await freePort();
  const command = [
    "redis-server",
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--dir",
    folder,
    "--save",
    "",
    "--appendonly",
    "yes",
  ];
  const child = await startChild({ name: "redis", command, until: /(Ready to accept connections)/, folder, cwd: root });
  return { child, url: `redis://127.0.0.1:${port}/0` };
};

/** The broker writes its own log; what it costs is read from its process. */
const startBroker = async (folder: string): Promise<{ readonly child: Child; readonly address: string }> => {
  const { provideBroker } = await import("../../tools/broker/jars.ts");
  const missing = await provideBroker();
  if (missing !== null) throw new Error(missing);
  const port = await freePort();
  const directory = join(folder, "broker");
  const command = bun("bench/load/broker.ts", directory, String(port));
  const child = await startChild({ name: "broker", command, until: /serves on (\S+), pid (\d+)/, folder, cwd: root });
  return { child, address: child.said };
};

const startSystem = (options: LoadOptions, folder: string, config: string): Promise<Child[]> => {
  const { profileDir, isSplit, set } = options;
  const environment = Object.fromEntries(
    Array.from({ length: options.quotaGroups }, (_, group) => [keyVariable(group), keyOf(group)]),
  );
  const start = (name: string, ...words: readonly string[]) => {
    const profile =
      profileDir === null
        ? []
        : ["--cpu-prof", `--cpu-prof-dir=${join(process.cwd(), profileDir)}`, `--cpu-prof-name=${name}.cpuprofile`];
    const settings = [...set, `data.dir=${dataDirOf(folder, name)}`].flatMap((setting) => ["--set", setting]);
    const command = [...bun(...profile, "edge/main.ts"), "--config", config, ...settings, ...words];
    return startChild({
      name,
      command,
      until: /"event":"server\.listening".*?"url":"(http[^"]+)"/,
      folder,
      cwd: root,
      environment,
    });
  };
  return Promise.all(isSplit ? roleNames.map((role) => start(role, "--roles", role)) : [start("vedette")]);
};

const dataDirOf = (folder: string, name: string): string => join(folder, "data", name);

/** Starts all that the options ask for. What was started ends again when the rest cannot be. */
export const startAll = async (options: LoadOptions): Promise<Running> => {
  const folder = emptyFolder();
  const services: Child[] = [];
  const system: Child[] = [];
  const endSystem = async () => void (await Promise.all(system.map((child) => child.stop())));
  const end = async () => {
    await endSystem();
    await Promise.all(services.map((child) => child.stop()));
    folder.remove();
  };
  const keep = (child: Child): Child => {
    services.push(child);
    return child;
  };
  try {
    const isDecoded = options.source !== "simulated";
    const clip = isDecoded ? clipPath() : null;
    const model = startModel(options, folder.path);
    const llm = model === null ? null : keep(await model);
    const rtsp = options.source === "rtsp" && clip !== null ? keep(await startRtsp(clip, folder.path, options.stream)) : null;
    const broker = options.bus === "kafka" ? await startBroker(folder.path) : null;
    if (broker) keep(broker.child);
    const redis = options.store === "redis" ? await startRedis(folder.path) : null;
    if (redis) keep(redis.child);
    const places: Places = {
      ...{ clip, model: isDecoded ? modelPath() : null, rtspUrl: rtsp?.said ?? null, llmUrl: llm?.said ?? null },
      ...{ broker: broker?.address ?? null, redis: redis?.url ?? null },
    };
    const config = join(folder.path, "load.yaml");
    writeFileSync(config, configurationOf(options, places));
    const set = [...options.set, `data.dir=${dataDirOf(folder.path, "vedette")}`];
    const loaded = loadConfig({ config: [config], set, environment: {} });
    system.push(...(await startSystem(options, folder.path, config)));
    const edge = system.find(({ name }) => name === "edge" || name === "vedette");
    return { system, services, url: edge?.said ?? "", llmUrl: llm?.said.replace(/\/v1$/, "") ?? null, loaded, endSystem, end };
  } catch (thrown) {
    await end();
    throw thrown;
  }
};
