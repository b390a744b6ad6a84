/** One process: what it opens, in order, and how it ends. */
import { addresses, pipeline } from "../actors/pipeline.ts";
import { type Accounts, createAccounts } from "../actors/scheduler/accounts.ts";
import type { GroupView } from "../actors/scheduler/quota.ts";
import { cameraLogins, cameraSeeds } from "../config/cameras.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { CameraStatus } from "../protocols/camera.ts";
import { createCodec } from "../protocols/codec.ts";
import { deadLettersOf } from "../protocols/dead-letter.ts";
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import { topics } from "../protocols/topics.ts";
import { addressOf } from "../runtime/actor.ts";
import type { Clock } from "../runtime/clock.ts";
import { systemDispatcher } from "../runtime/dispatcher.ts";
import { reasonOf } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import { createMetrics, type Metrics } from "../runtime/metrics.ts";
import type { World } from "../runtime/ports.ts";
import type { Random } from "../runtime/random.ts";
import type { Store } from "../runtime/store.ts";
import { type System, startSystem } from "../runtime/system.ts";
import { limitProbe } from "./cameras/probe.ts";
import { type CameraRegistry, createCameraRegistry } from "./cameras.ts";
import { createFleet } from "./fleet.ts";
import { accountSettingsOf, type KeyWatch, watchKeys } from "./keys.ts";
import { createLiveHub, type LiveHub } from "./live/hub.ts";
import { observe, watchLoop, watchSystem } from "./observe.ts";
import type { Check, EdgePorts } from "./ports.ts";
import { startPublishing } from "./publishing.ts";
import { createApp, serve } from "./server.ts";
import { stagesOf } from "./stages.ts";
import { openStorage, type Storage } from "./storage.ts";
import { version } from "./version.ts";
import { createVision, type Vision } from "./vision.ts";

export type Outside = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** True when every camera will be a simulated one: no model and no clip is looked for. */
  readonly isSimulated?: boolean;
  /** The process cannot go on: end it with this status, after an orderly stop. */
  readonly fatal: (status: number, reason: string) => void;
};

export type Running = {
  readonly url: string;
  /** The supervision tree, to look at and to try: see `tools/drill.ts`. */
  readonly tree: Pick<System, "snapshot" | "stages" | "fail">;
  /** Intake ends, work in hand is finished, what is durable is committed; bounded by the shutdown budget. */
  readonly stop: (reason: string) => Promise<void>;
};

const allTopics: readonly TopicDefinition<never>[] = Object.values(topics);
const everyTopic = [...allTopics, ...[topics.detections, topics.tasks, topics.results].map(deadLettersOf)];
/** Shutdown budget (design rule 27): work in hand is finished for so long of ten seconds. */
const drainMs = 6_000;

/** What a message is about: its camera. */
const aboutCamera = (message: Tagged): string => ("cameraId" in message ? String(message.cameraId) : "");

export const startProcess = async (loaded: LoadedConfig, outside: Outside): Promise<Running> => {
  const { config } = loaded;
  const { clock, random, log, fatal } = outside;
  const metrics = createMetrics();
  metrics.systemInfo.set({ version, runtime: `bun ${Bun.version}` }, 1);
  const storage = await openStorage(loaded, everyTopic, { clock, random, log, metrics });
  const { bus, store, publications } = storage;
  const vision = createVision(config, clock, log, metrics, (reason) => fatal(70, reason));
  const previews = new Map(config.cameras.list.map(({ id, preview }) => [id, preview]));
  const preview = (id: number) => previews.get(id) ?? config.cameras.preview;
  const hub = createLiveHub({ bus, clock, log, metrics, version, maxClients: config.server.maxClients, preview });
  const fleet = createFleet(
    {
      start: (key, args) => system.startChild(addresses.eyes, key, args),
      stop: (key) => system.stopChild(addresses.eyes, key),
    },
    { open: vision.open, detector: addresses.detector, live: addressOf<CameraStatus>("vedette/live"), metrics, clock },
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
  const accounts = createAccounts(accountSettingsOf(loaded), clock);
  const keys = watchKeys(loaded, log);
  const tree = pipeline(stagesOf(loaded, { clock, store, metrics, hub, cameras, vision, accounts, keys }));
  const world: World = {
    ...{ clock, random, bus, store, log },
    dispatcher: systemDispatcher(clock, setImmediate),
    codec: createCodec(everyTopic.flatMap(({ messages }) => messages)),
    frames: vision.frames,
    observer: observe(metrics, log),
    keyOf: aboutCamera,
  };
  const system = await startSystem(tree, allTopics, world, (reason) => fatal(70, reason));
  const stopPublishing = publications ? await startPublishing({ bus, codec: world.codec, clock, metrics, publications }) : null;
  const unwatch = [watchLoop(metrics, clock), watchSystem(metrics, clock, bus, allTopics, system.snapshot)];

  const ports = edgePorts(loaded, outside, { storage, metrics, vision, hub, cameras, system, accounts, keys });
  const serving = serve(createApp(ports), ports, config.server);
  await hub.start();
  await cameras.start();
  if (!outside.isSimulated)
    void vision.prepare(cameras.list().map(({ url }) => url)).then(fleet.release, (thrown) => fatal(78, reasonOf(thrown)));

  return {
    url: serving.url,
    tree: system,
    async stop(reason) {
      await cameras.stop();
      await system.stop(reason, drainMs);
      await serving.stop();
      for (const cancel of unwatch) cancel();
      await stopPublishing?.();
      await Promise.all([vision.close(), storage.close()]);
    },
  };
};

type Parts = {
  readonly storage: Storage;
  readonly metrics: Metrics;
  readonly vision: Vision;
  readonly hub: LiveHub;
  readonly cameras: CameraRegistry;
  readonly system: System;
  readonly accounts: Accounts;
  readonly keys: KeyWatch;
};

const edgePorts = ({ config, resolveSecret }: LoadedConfig, { clock, random, log }: Outside, parts: Parts): EdgePorts => {
  const { storage, metrics, vision, hub, cameras, system, accounts, keys } = parts;
  const { bus, store } = storage;
  return {
    ...{ clock, random, log, metrics, version, bus, store, cameras },
    tree: system.snapshot,
    checks: () => ({
      bus: driverCheck(bus.health()),
      store: storeCheck(store),
      detector: vision.check(),
      llm: quotaCheck(accounts.quota.view(clock.monotonicMs())),
    }),
    live: hub,
    llm: { accounts, keys },
    probe: limitProbe(vision.probe, vision.addresses.admit),
    tokens: config.auth.tokens.map((token) => ({ ...token, token: resolveSecret(token) ?? "" })),
    server: { host: config.server.host, allowedOrigins: config.server.corsOrigins },
  };
};

const driverCheck = ({ status, detail }: { readonly status: "up" | "away"; readonly detail: string }): Check => ({
  status: status === "up" ? "up" : "down",
  detail,
});

/** Without Redis facts wait in memory and verdicts go on; without the file in `data.dir` nothing here is safe. */
const storeCheck = (store: Store): Check => {
  const check = driverCheck(store.health());
  return store.driver === "redis" && check.status === "down" ? { ...check, status: "degraded" } : check;
};

/** Without a usable key the rules assess: less, and said, but not down. */
const quotaCheck = (groups: readonly GroupView[]): Check => {
  const keys = groups.flatMap((group) => group.keys.map(({ state }) => ({ state, group: group.state })));
  if (keys.length === 0) return { status: "up", detail: "no keys: the rules assess" };
  const usable = keys.filter(
    ({ state, group }) => (state === "available" || state === "in_use") && group !== "parked" && group !== "broken",
  ).length;
  return { status: usable > 0 ? "up" : "degraded", detail: `${usable} of ${keys.length} keys usable` };
};
