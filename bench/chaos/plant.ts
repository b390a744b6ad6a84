/** Everything a run needs, started and wired: servers, links, the model's stand-in, the five processes, and those who watch. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCodec } from "../../protocols/codec.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus } from "../../runtime/bus.ts";
import { openKafkaBus } from "../../runtime/bus-kafka.ts";
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { type LlmSim, startLlmSim } from "../../tools/llm-sim/server.ts";
import { type Absence, createCallBook } from "./calls.ts";
import { openLink } from "./link.ts";
import { type ChaosOptions, type RoleName, roleNames } from "./options.ts";
import type { Fault, ServiceName } from "./plan.ts";
import { createProcesses, groupTimes, type Processes } from "./processes.ts";
import { createRecoveries, type RecoveryKey } from "./recoveries.ts";
import { everyTopic } from "./segment.ts";
import { freePort, prepareKafka, prepareRedis, type RedisService, type Service } from "./services.ts";
import { openViewer, type Viewer } from "./viewer.ts";

/** Long enough that kills find calls in flight, short enough that a second try ends before the deadline. */
const llmLatencyMs = [300, 1_500] as const;

const openBus = (address: string): Bus =>
  openKafkaBus({
    access: {
      bootstrapServers: [address],
      clientId: "vedette-chaos",
      addressMap: {},
      ssl: false,
      sasl: null,
      connectTimeoutMs: 2_000,
      requestTimeoutMs: 10_000,
      retriesMax: 3,
      retryBackoffMs: 100,
    },
    topics: {},
    createTopics: true,
    replication: 1,
    producer: { compression: "snappy", acks: "all", idempotent: true, lingerMs: 2, batchBytes: 32_768 },
    group: { ...groupTimes, fetchBytes: 1_048_576, fetchMaxWaitMs: 200 },
    writes: null,
    reads: [],
    clock: systemClock,
    log: silentLog,
  });

const openLinks = async (broker: Service, redis: Service) => {
  const pair = async () => ({ broker: await openLink(() => broker.address), redis: await openLink(() => redis.address) });
  const [eyes, taskGenerator, scheduler, aggregator, edge] = await Promise.all(roleNames.map(pair));
  if (!eyes || !taskGenerator || !scheduler || !aggregator || !edge) throw new Error("a role has no links");
  return { eyes, "task-generator": taskGenerator, scheduler, aggregator, edge };
};

export type Plant = {
  readonly folder: string;
  readonly bus: Bus;
  readonly redis: RedisService;
  readonly processes: Processes;
  readonly viewer: Viewer;
  readonly book: ReturnType<typeof createCallBook>;
  readonly absences: readonly Absence[];
  readonly recoveries: ReturnType<typeof createRecoveries>;
  readonly llm: LlmSim;
  /** Applies the fault and mends it; resolves when it is mended, with how long it then took to work again. */
  readonly apply: (fault: Fault) => Promise<{ readonly key: RecoveryKey; readonly recovered: Promise<number> }>;
  readonly close: (isKept: boolean) => Promise<void>;
};

export const startPlant = async (options: ChaosOptions): Promise<Plant> => {
  const folder = mkdtempSync(join(tmpdir(), "vedette-chaos-"));
  let isKeeping = false;
  process.on("exit", () => {
    if (!isKeeping) rmSync(folder, { recursive: true, force: true });
  });
  const cameraIds = Array.from({ length: options.cameras }, (_, at) => at + 1);
  const book = createCallBook();
  const absences: Absence[] = [];
  const recoveries = createRecoveries(cameraIds);

  const [broker, redis] = await Promise.all([prepareKafka(folder), prepareRedis(folder, book.asked)]);
  await Promise.all([broker.start(), redis.start()]);
  const links = await openLinks(broker, redis);
  const bus = openBus(broker.address);
  await bus.ensure(everyTopic);
  const llm = await startLlmSim({
    latencyMs: llmLatencyMs,
    seed: options.seed,
    called: ({ requestId, ...call }) => book.called({ taskId: requestId, ...call }),
  });
  const edgePort = await freePort();
  const processes = createProcesses({
    ...options,
    directory: folder,
    edgePort,
    brokerAddress: broker.address,
    llmUrl: llm.url,
    links,
  });

  await bus.follow(topics.detections.name, "end", ({ key, appendedAtMs }) =>
    recoveries.note({ of: "detection", cameraId: Number(key), atMs: appendedAtMs }),
  );
  for (const [topic, of] of [
    [topics.tasks, "task"],
    [topics.results, "result"],
    [topics.incidents, "update"],
  ] as const)
    await bus.follow(topic.name, "end", ({ appendedAtMs }) => recoveries.note({ of, atMs: appendedAtMs }));
  const viewer = openViewer(edgePort, (message) => {
    if (message.type !== "risk_update" && message.type !== "incident") return;
    recoveries.note({ of: "event", atMs: systemClock.nowMs() });
    if (message.type === "risk_update") recoveries.note({ of: "shown", atMs: message.data.capturedAt });
  });

  const during = async (what: Absence["what"] | null, work: () => Promise<void>): Promise<void> => {
    const fromMs = systemClock.nowMs();
    // Open until it ends: who judges in between must know of it as well.
    const open = { what: what ?? "redis", fromMs, toMs: Number.POSITIVE_INFINITY };
    if (what !== null) absences.push(open);
    await work();
    if (what !== null) absences[absences.indexOf(open)] = { ...open, toMs: systemClock.nowMs() };
  };
  const wait = (ms: number) => new Promise<void>((resolve) => void systemClock.after(ms, resolve));
  const busy = new Map<ServiceName | RoleName, Promise<void>>();
  /** What is away already cannot be killed: the next fault of the same waits until it is there again. */
  const oneAtATime = (what: ServiceName | RoleName, work: () => Promise<void>): Promise<void> => {
    const mine = (busy.get(what) ?? Promise.resolve()).then(work);
    busy.set(
      what,
      mine.catch(() => {}),
    );
    return mine;
  };

  const killRole = (role: RoleName, awayMs: number): Promise<void> =>
    oneAtATime(role, () =>
      during(role === "scheduler" ? role : null, async () => {
        await processes.kill(role);
        await wait(awayMs);
        processes.start(role);
      }),
    );
  const killService = (service: ServiceName, awayMs: number): Promise<void> =>
    oneAtATime(service, () =>
      during(service === "redis" ? service : null, async () => {
        const server = { broker, redis }[service];
        const all = roleNames.map((role) => links[role][service]);
        // Nobody reaches the Redis before it is watched.
        if (service === "redis") for (const link of all) link.cut("refused");
        await server.kill();
        await wait(awayMs);
        await server.start();
        if (service === "redis") await Promise.all(all.map((link) => link.heal()));
      }),
    );
  const cut = ({ service, how, roles, awayMs }: Extract<Fault, { kind: "cut" }>): Promise<void> =>
    oneAtATime(service, () =>
      during(service === "redis" ? service : null, async () => {
        for (const role of roles) links[role][service].cut(how);
        await wait(awayMs);
        await Promise.all(roles.map((role) => links[role][service].heal()));
      }),
    );

  return {
    ...{ folder, bus, redis, processes, viewer, book, absences, recoveries, llm },
    async apply(fault) {
      const beganMs = systemClock.monotonicMs();
      if (fault.kind === "kill") {
        await killRole(fault.role, fault.awayMs);
        return { key: fault.role, recovered: recoveries.expect(fault.role, fault.role, beganMs) };
      }
      await (fault.kind === "cut" ? cut(fault) : killService(fault.service, fault.awayMs));
      const key = fault.kind === "cut" ? "cut" : fault.service;
      return { key, recovered: recoveries.expect(key, key, systemClock.monotonicMs()) };
    },
    async close(isKept) {
      isKeeping = isKept;
      viewer.close();
      await bus.close();
      await llm.stop();
      for (const role of roleNames) for (const link of Object.values(links[role])) link.close();
      redis.client.disconnect();
      await Promise.all([broker.kill(), redis.kill(), ...roleNames.map(processes.kill)]);
      if (!isKept) rmSync(folder, { recursive: true, force: true });
    },
  };
};

export const codecOfTopics = () => createCodec(everyTopic.flatMap(({ messages }) => messages));
