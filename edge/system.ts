/** One process: what it opens, in order, and how it ends. */
import { addresses, pipeline, type Role } from "../actors/pipeline.ts";
import { type Accounts, createAccounts } from "../actors/scheduler/accounts.ts";
import { cameraLogins } from "../config/cameras.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { alertNotifications } from "../protocols/alert.ts";
import { CameraStatus } from "../protocols/camera.ts";
import { createCodec } from "../protocols/codec.ts";
import { deadLettersOf } from "../protocols/dead-letter.ts";
import { LiveDetection } from "../protocols/detection.ts";
import { FrameCaptured, FrameDelivered, FrameDetected, FrameTracked } from "../protocols/frame.ts";
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import { topics } from "../protocols/topics.ts";
import { TaskAssessed } from "../protocols/verdict.ts";
import { addressOf } from "../runtime/actor.ts";
import type { Clock } from "../runtime/clock.ts";
import { systemDispatcher } from "../runtime/dispatcher.ts";
import { reasonOf } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import { createMetrics, type Metrics } from "../runtime/metrics.ts";
import type { World } from "../runtime/ports.ts";
import type { Random } from "../runtime/random.ts";
import { type System, startSystem } from "../runtime/system.ts";
import { limitProbe } from "./cameras/probe.ts";
import type { CameraRegistry } from "./cameras.ts";
import { checksOf } from "./checks.ts";
import { type Evidence, openEvidence } from "./evidence.ts";
import { createFleet } from "./fleet.ts";
import { accountSettingsOf, type KeyWatch, watchKeys } from "./keys.ts";
import type { LiveHub } from "./live/hub.ts";
import { observe, watchLoop, watchSystem } from "./observe.ts";
import type { EdgePorts } from "./ports.ts";
import { startPublishing } from "./publishing.ts";
import { createQuotaBoard, type QuotaBoard } from "./quota.ts";
import { createApp, createHealthApp, type Serving, serve, serveHealth } from "./server.ts";
import { stagesOf } from "./stages.ts";
import { type OpenStorage, openStorage, type Storage } from "./storage.ts";
import { tracksTopics } from "./tracks.ts";
import { version } from "./version.ts";
import { createVision, type Vision } from "./vision.ts";
import { createWatching } from "./watching.ts";

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
const everyTopic = [...allTopics, alertNotifications, ...[topics.detections, topics.tasks, topics.results].map(deadLettersOf)];
/** What travels between actors of one process only: known to the codec, each costs a few microseconds and not tens. */
const inProcess = [FrameDelivered, FrameCaptured, FrameDetected, FrameTracked, LiveDetection, CameraStatus, TaskAssessed];
/** Shutdown budget (rule 27): work in hand is finished for so long of ten seconds. */
const drainMs = 6_000;
/** Where no camera waits for the model, those that run come first: to load it takes all cores for a while. */
const modelAfterMs = 1_000;

/** What a message is about: its camera. */
const aboutCamera = (message: Tagged): string => ("cameraId" in message ? String(message.cameraId) : "");

export const startProcess = async (loaded: LoadedConfig, outside: Outside, open: OpenStorage = openStorage): Promise<Running> => {
  const { config } = loaded;
  const { clock, random, log, fatal } = outside;
  const metrics = createMetrics();
  metrics.systemInfo.set({ version, runtime: `bun ${Bun.version}` }, 1);
  const storage = await open(loaded, [...everyTopic, ...tracksTopics(config)], { clock, random, log, metrics });
  const { bus, store, publications } = storage;
  const evidence = openEvidence(config.data, store, random);
  const roles: ReadonlySet<Role> = new Set(config.roles);
  const vision = createVision(config, clock, log, metrics, roles.has("eyes"), (reason) => fatal(70, reason));
  const fleet = createFleet(
    {
      start: (key, args) => system.startChild(addresses.eyes, key, args),
      stop: (key) => system.stopChild(addresses.eyes, key),
    },
    { open: vision.open, detector: addresses.detector, live: addressOf<CameraStatus>("vedette/live"), metrics, clock },
    cameraLogins(loaded),
  );
  const checkAddress = vision.addresses.admit;
  const watching = createWatching(loaded, { clock, random, log, metrics, bus, roles, fleet, checkAddress });
  const { hub, cameras } = watching;
  const accounts = createAccounts(accountSettingsOf(loaded), clock);
  const keys = watchKeys(loaded, log);
  const tree = pipeline(stagesOf(loaded, { roles, clock, bus, store, evidence, metrics, hub, cameras, vision, accounts, keys }));
  const world: World = {
    ...{ clock, random, bus, store, log },
    // The embedded log belongs to one process.
    isShared: bus.driver !== "sqlite",
    dispatcher: systemDispatcher(clock, setImmediate),
    codec: createCodec([...everyTopic.flatMap(({ messages }) => messages), ...inProcess]),
    frames: vision.frames,
    observer: observe(metrics, log),
    keyOf: aboutCamera,
  };
  const system = await startSystem(tree, allTopics, world, (reason) => fatal(70, reason));
  const isPublishing = publications !== null && roles.has("aggregator");
  const stopPublishing = isPublishing ? await startPublishing({ bus, codec: world.codec, clock, metrics, publications }) : null;
  const { owner } = accountSettingsOf(loaded);
  const quota = createQuotaBoard({ roles, accounts, metrics, store, clock, owner });
  const unwatch = [watchLoop(metrics, clock), watchSystem(metrics, clock, bus, allTopics, system.snapshot), quota.tell()];

  const parts = { storage, evidence, metrics, vision, hub, cameras, system, roles, accounts, keys, quota };
  const ports = edgePorts(loaded, outside, parts);
  const servings = serveRoles(loaded.config, roles, ports);
  await watching.start();
  for (const role of roles) log.info("role.started", { role });
  const prepare = () =>
    void vision.prepare(cameras.list().map(({ url }) => url)).then(fleet.release, (thrown) => fatal(78, reasonOf(thrown)));
  const hasModel = roles.has("eyes") && !outside.isSimulated;
  const cancelPrepare = hasModel ? clock.after(fleet.isWaiting() ? 0 : modelAfterMs, prepare) : () => {};

  return {
    url: servings[0].url,
    tree: system,
    async stop(reason) {
      cancelPrepare();
      await watching.stop();
      await system.stop(reason, drainMs);
      await Promise.all(servings.map((serving) => serving.stop()));
      for (const cancel of unwatch) cancel();
      await stopPublishing?.();
      await Promise.all([vision.close(), storage.close()]);
    },
  };
};

/** The edge with all its routes; without it, or on a port of its own, health and metrics alone. The first one is the process's address. */
const serveRoles = ({ server, observability }: Config, roles: ReadonlySet<Role>, ports: EdgePorts): [Serving, ...Serving[]] => {
  const health = (port: number, setting: string) =>
    serveHealth(createHealthApp(ports), ports, { host: server.host, port }, setting);
  if (!roles.has("edge")) return [health(observability.port ?? server.port, "observability.port")];
  const edge = serve(createApp(ports), ports, server);
  const hasOwnPort = observability.port !== null && (observability.port !== server.port || observability.port === 0);
  return hasOwnPort ? [edge, health(observability.port, "observability.port")] : [edge];
};

type Parts = {
  readonly storage: Storage;
  readonly evidence: Evidence;
  readonly metrics: Metrics;
  readonly vision: Vision;
  readonly hub: LiveHub;
  readonly cameras: CameraRegistry;
  readonly system: System;
  readonly roles: ReadonlySet<Role>;
  readonly accounts: Accounts;
  readonly keys: KeyWatch;
  readonly quota: QuotaBoard;
};

const edgePorts = ({ config, resolveSecret }: LoadedConfig, { clock, random, log }: Outside, parts: Parts): EdgePorts => {
  const { storage, evidence, metrics, vision, hub, cameras, system, roles, accounts, keys, quota } = parts;
  const { bus, store } = storage;
  return {
    ...{ clock, random, log, metrics, version, bus, store, evidence, cameras },
    tree: system.snapshot,
    checks: () =>
      checksOf(roles, { bus, store, vision, tree: system.snapshot, quota: () => accounts.quota.view(clock.monotonicMs()) }),
    live: hub,
    llm: roles.has("scheduler") ? { accounts, keys } : null,
    quota,
    probe: limitProbe(vision.probe, vision.addresses.admit),
    tokens: config.auth.tokens.map((token) => ({ ...token, token: resolveSecret(token) ?? "" })),
    server: { host: config.server.host, allowedOrigins: config.server.corsOrigins },
  };
};
