/**
 * One run of the scheduler against simulated providers, in a process of its own: its environment has to be right before the
 * first call, and its CPU time is to be the scheduler's alone. The case comes as JSON, the outcome goes as JSON.
 */
import { join } from "node:path";
import { type Accounts, createAccounts } from "../../actors/scheduler/accounts.ts";
import { parsePrompt } from "../../actors/scheduler/prompt.ts";
import type { RateLimits } from "../../actors/scheduler/window.ts";
import { scheduler } from "../../actors/scheduler.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { RiskLevel } from "../../protocols/ids.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import { topics } from "../../protocols/topics.ts";
import { type AssessmentResult, TaskAssessed } from "../../protocols/verdict.ts";
import type { Bus, Outgoing } from "../../runtime/bus.ts";
import { createMemoryBroker } from "../../runtime/bus-memory.ts";
import { delay, every, systemClock } from "../../runtime/clock.ts";
import { systemDispatcher } from "../../runtime/dispatcher.ts";
import type { FramePool } from "../../runtime/frame-pool.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { silentObserver } from "../../runtime/observer.ts";
import { randomInt, seededRandom } from "../../runtime/random.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";
import { startSystem } from "../../runtime/system.ts";
import { stageTaking, supervisor } from "../../runtime/tree.ts";
import type { Stats } from "../../tools/llm-sim/stats.ts";

export type Case = {
  /** Command lines of the simulated providers. */
  readonly providers: readonly (readonly string[])[];
  /** Each at one of the providers. */
  readonly groups: readonly { readonly provider: number; readonly keys: readonly string[]; readonly limits: RateLimits }[];
  readonly tasksPerSecond: number;
  readonly maxConcurrent: number;
  readonly deadlineMs: number;
  readonly seconds: number;
  readonly imageBytes: number;
  /** The tasks are written, the results are looked for, the loop is watched, and nobody takes a task: what the bench itself costs. */
  readonly isIdle?: boolean;
};

export type RigOutcome = {
  /** From capture to the result, whatever it says. */
  readonly latenciesMs: readonly number[];
  readonly figures: Readonly<Record<string, number>>;
};

const cameras = 50;
const tickMs = 20;
const promptFile = join(import.meta.dirname, "../../config/prompts/risk.en.txt");
const levels: readonly RiskLevel[] = ["none", "low", "low", "medium", "high"];
/** Beyond the deadline, for the results to be written. */
const restMs = 2_000;

const startProvider = async (args: readonly string[]) => {
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, "../../tools/llm-sim.ts"), ...args], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  let said = "";
  while (!said.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the simulated provider ended: ${said}`);
    said += new TextDecoder().decode(value);
  }
  const url = /base URL (\S+)\/v1/.exec(said)?.[1];
  if (url === undefined) throw new Error(`the simulated provider said ${said}`);
  return { url, kill: () => child.kill() };
};

/** How long the loop was held: late, and busy for as long; lateness alone may be others having the core. */
const watchLoop = () => {
  const periodMs = 10; // looking more often costs what is to be measured
  const heldMs: number[] = [];
  const busyMs = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  };
  let dueMs = systemClock.monotonicMs() + periodMs;
  let beforeMs = busyMs();
  const stop = every(systemClock, periodMs, () => {
    const nowMs = systemClock.monotonicMs();
    const sinceMs = busyMs();
    heldMs.push(Math.max(0, Math.min(nowMs - dueMs, sinceMs - beforeMs)));
    beforeMs = sinceMs;
    dueMs = nowMs + periodMs;
  });
  return { stop, heldMs };
};

const aTask = (index: number, image: Uint8Array, deadlineMs: number, level: RiskLevel): AssessmentTask => {
  const capturedAt = systemClock.nowMs();
  const taskId = `bench-${index}_group1`;
  const cameraId = index % cameras;
  return {
    type: "assessment.task",
    schemaVersion: 1,
    traceId: "0".repeat(31).concat("1"),
    taskId,
    requestId: `bench-${index}`,
    taskIdsOfRequest: [taskId],
    cameraId,
    timestamp: new Date(capturedAt).toISOString(),
    capturedAt,
    deadlineAt: capturedAt + deadlineMs,
    groupIndex: 1,
    groupKey: `g${cameraId}`,
    image,
    detectedObjects: [
      { class: "car", confidence: 0.91, bbox: [100, 100, 200, 180], trackId: 7, speed: 42 },
      { class: "person", confidence: 0.7, bbox: [220, 110, 250, 190], trackId: 9 },
    ],
    groupMetadata: { objectCount: 2, classes: ["car", "person"], bbox: [100, 100, 250, 190] },
    spatial: { density: 1.5, avgSpacing: 85, minSpacing: 85, vehicles: 1, pedestrians: 1, pedVehicleMinDist: 85 },
    riskLevel: level,
    hazards: [],
  };
};

const durable = [topics.tasks, topics.results];
const codec = createCodec([...durable.flatMap(({ messages }) => [...messages]), TaskAssessed]);

/** The scheduler over a log in memory. */
const startScheduler = async ({ maxConcurrent, deadlineMs, isIdle = false }: Case, accounts: Accounts) => {
  const bus = createMemoryBroker({ clock: systemClock }).open();
  const store = createMemoryStore({ clock: systemClock });
  await bus.ensure(durable);
  const args = {
    ...{ accounts, maxConcurrent, deadlineMs, store, fetch },
    reload: () => null,
    timeoutMs: 30_000,
    retriesMax: 2,
    hedgeShare: 0,
    language: "en" as const,
    prompt: parsePrompt(await Bun.file(promptFile).text(), promptFile),
    outageMs: 60_000,
    clock: systemClock,
    metrics: createMetrics(),
  };
  const tolerance = { restarts: 3, withinMs: 60_000, backoffMs: [100, 1_000] } as const;
  const stages = isIdle ? [] : [stageTaking(topics.tasks, scheduler, { args })];
  const tree = supervisor("vedette", "one_for_one", tolerance, stages);
  const world = {
    ...{ clock: systemClock, codec, bus, store },
    random: seededRandom(1),
    dispatcher: systemDispatcher(systemClock, setImmediate),
    frames: {} as FramePool, // no frame comes this far
    log: silentLog,
    observer: silentObserver,
    keyOf: (message: object) => ("cameraId" in message ? String(message.cameraId) : ""),
  };
  const system = await startSystem(tree, durable, world, (reason) => {
    throw new Error(reason);
  });
  return { system, bus };
};

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** Of a result, without its picture: the run holds thousands. */
type Said = { readonly taskId: string; readonly status: string; readonly tookMs: number };

const statusShares = (results: readonly Said[]): Record<string, number> => {
  const counts = Map.groupBy(results, ({ status }) => `status ${status}`);
  return Object.fromEntries([...counts].map(([status, of]) => [status, of.length / results.length]));
};

const run = async (given: Case): Promise<RigOutcome> => {
  const providers = await Promise.all(given.providers.map(startProvider));
  const groups = given.groups.map(({ provider, keys, limits }, index) => ({
    name: `group-${index}`,
    baseUrl: `${providers[provider]?.url}/v1`,
    model: "sim-vl",
    limits,
    maxInFlight: null,
    keys: keys.map((secret) => ({ id: secret, secret, priority: 1 })),
  }));
  const cooldown = { adaptive: true, minMs: 10_000, maxMs: 120_000, fixedMs: 60_000 };
  const accounts = createAccounts(
    {
      ...{ groups, cooldown, limits: {}, headroom: 0.05, selection: "least_loaded", maxConcurrent: given.maxConcurrent },
      ...{ budget: { currency: "USD", day: {}, cameraDay: {} }, shadow: null, owner: "bench" },
    },
    systemClock,
  );
  const { system, bus } = await startScheduler(given, accounts);
  const results: Said[] = [];
  await bus.follow(topics.results.name, "end", ({ type, bytes }) => {
    const read = codec.read(type, bytes);
    if (!read.ok || read.message.type !== "assessment.result") return;
    const { taskId, capturedAt, results: verdicts } = read.message as AssessmentResult; // of this type by its name
    results.push({ taskId, status: verdicts[0]?.status ?? "", tookMs: systemClock.nowMs() - capturedAt });
  });

  // The first third is for the compiler.
  const warmMs = Math.min(20_000, (given.seconds * 1_000) / 3);
  const warm = delay(systemClock, warmMs).then(() => ({
    cpu: process.cpuUsage(),
    atMs: systemClock.monotonicMs(),
    sends: accounts.quota.sends(),
    loop: watchLoop(),
  }));
  const tasks = await feed(bus, given);
  const since = await warm;
  const elapsedMs = systemClock.monotonicMs() - since.atMs;
  const { user, system: kernel } = process.cpuUsage(since.cpu);
  const sends = accounts.quota.sends() - since.sends;
  const awaited = given.isIdle ? 0 : tasks;
  for (let waitedMs = 0; results.length < awaited && waitedMs < given.deadlineMs + restMs; waitedMs += tickMs)
    await delay(systemClock, tickMs);
  const { loop } = since;
  loop.stop();

  const stats = await Promise.all(
    providers.map(({ url }) => fetch(`${url}/stats`).then((response) => response.json() as Promise<Stats>)),
  );
  const total = (pick: (each: Stats) => number) => stats.reduce((sum, each) => sum + pick(each), 0);
  await system.stop("measured", 1_000);
  await bus.close();
  for (const { kill } of providers) kill();
  const calls = total(({ requests }) => requests);
  const answeredMs = results.flatMap(({ status, tookMs }) => (status === "ok" ? [tookMs] : [])).sort((a, b) => a - b);
  const held = loop.heldMs.toSorted((a, b) => a - b);
  return {
    latenciesMs: results.map(({ tookMs }) => tookMs),
    figures: {
      tasks,
      "tasks lost": awaited - new Set(results.map(({ taskId }) => taskId)).size,
      ...(answeredMs.length > 0 ? { "answered P95 ms": quantile(answeredMs, 0.95) } : {}),
      ...statusShares(results),
      calls,
      "calls/s": sends / (elapsedMs / 1_000),
      "most in flight": total(({ maxInFlight }) => maxInFlight),
      violations: total(({ violations }) => violations),
      ...(sends > 0 ? { "CPU ms/call": (user + kernel) / 1_000 / sends } : {}),
      "CPU ms/task": (user + kernel) / 1_000 / ((given.tasksPerSecond * elapsedMs) / 1_000),
      "CPU %": (user + kernel) / 10 / elapsedMs,
      "loop held ms": held.at(-1) ?? 0,
      "loop held P99 ms": quantile(held, 0.99),
    },
  };
};

/** Writes tasks at an even rate; says how many. */
const feed = async (bus: Bus, { tasksPerSecond, seconds, deadlineMs, imageBytes }: Case) => {
  const random = seededRandom(1);
  const image = new Uint8Array(imageBytes).fill(7);
  const beganMs = systemClock.monotonicMs();
  let tasks = 0;
  for (let passedMs = 0; passedMs < seconds * 1_000; passedMs = systemClock.monotonicMs() - beganMs) {
    const due = Math.floor((passedMs / 1_000) * tasksPerSecond);
    const batch: Outgoing[] = [];
    for (; tasks < due; tasks++) {
      const task = aTask(tasks, image, deadlineMs, levels[randomInt(random, levels.length)] ?? "none");
      const { taskId, type, traceId, cameraId } = task;
      batch.push({
        topic: topics.tasks.name,
        key: String(cameraId),
        id: taskId,
        type,
        trace: traceId,
        bytes: codec.encode(task),
      });
    }
    if (batch.length > 0) await bus.append(batch);
    await delay(systemClock, tickMs);
  }
  return tasks;
};

const [text = "{}"] = process.argv.slice(2);
const outcome = await run(JSON.parse(text) as Case); // written by the bench, which has its type
process.stdout.write(`${JSON.stringify(outcome)}\n`);
process.exit(0);
