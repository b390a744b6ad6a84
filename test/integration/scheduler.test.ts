/** The scheduler in the real runtime and in real time, against the simulated provider over loopback. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { QuotaGroup } from "../../actors/scheduler/group.ts";
import { parsePrompt } from "../../actors/scheduler/prompt.ts";
import { type SchedulerArgs, scheduler } from "../../actors/scheduler.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import { topics } from "../../protocols/topics.ts";
import type { AssessmentResult } from "../../protocols/verdict.ts";
import { createMemoryBroker } from "../../runtime/bus-memory.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemDispatcher } from "../../runtime/dispatcher.ts";
import type { FramePool } from "../../runtime/frame-pool.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { silentObserver } from "../../runtime/observer.ts";
import { seededRandom } from "../../runtime/random.ts";
import { recentMessages } from "../../runtime/recent.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";
import { startSystem } from "../../runtime/system.ts";
import { stageTaking, supervisor } from "../../runtime/tree.ts";
import { type LlmSim, type LlmSimOptions, startLlmSim } from "../../tools/llm-sim/server.ts";
import { accountsOf, schedulerSettings } from "../support/accounts.ts";
import { byCamera, tolerant } from "../support/system.ts";
import { aTask } from "../support/task.ts";
import { within } from "../support/wait.ts";

const promptFile = join(import.meta.dir, "../../config/prompts/risk.zh.txt");
const prompt = parsePrompt(await Bun.file(promptFile).text(), promptFile);
const durable = [topics.tasks, topics.results];
const codec = createCodec(durable.flatMap(({ messages }) => [...messages]));

const startSim = (options: LlmSimOptions = {}) => startLlmSim({ latencyMs: [5, 20], level: "high", seed: 1, ...options });
const groupAt = (
  sim: LlmSim,
  name = "main",
  secrets: readonly string[] = ["sk-0001"],
  limits: QuotaGroup["limits"] = {},
): QuotaGroup => ({
  name,
  baseUrl: `${sim.url}/v1`,
  model: "sim-vl",
  limits,
  maxInFlight: null,
  keys: secrets.map((secret, index) => ({ id: `${name}-${index + 1}`, secret, priority: 1 })),
});

const start = async (groups: readonly QuotaGroup[], overrides: Partial<SchedulerArgs> = {}) => {
  const broker = createMemoryBroker({ clock: systemClock });
  const bus = broker.open();
  const store = createMemoryStore({ clock: systemClock });
  await bus.ensure(durable);
  const args: SchedulerArgs = {
    ...schedulerSettings,
    accounts: accountsOf(groups, systemClock, { headroom: 0.02, maxConcurrent: overrides.maxConcurrent ?? 50 }),
    language: "zh",
    prompt,
    fetch,
    clock: systemClock,
    store,
    metrics: createMetrics(),
    ...overrides,
  };
  const world = {
    clock: systemClock,
    random: seededRandom(1),
    dispatcher: systemDispatcher(systemClock, setImmediate),
    codec,
    bus,
    store,
    frames: {} as FramePool, // no frame comes this far
    log: silentLog,
    observer: silentObserver,
    keyOf: byCamera,
  };
  const failures: string[] = [];
  const tree = supervisor("vedette", "one_for_one", tolerant, [stageTaking(topics.tasks, scheduler, { args })]);
  const system = await startSystem(tree, durable, world, (reason) => failures.push(reason));
  const assess = async (tasks: readonly AssessmentTask[], limitMs = 30_000): Promise<readonly AssessmentResult[]> => {
    await bus.append(
      tasks.map((task) => ({
        topic: topics.tasks.name,
        key: String(task.cameraId),
        id: task.taskId,
        type: task.type,
        trace: task.traceId,
        bytes: codec.encode(task),
      })),
    );
    return within(limitMs, `${tasks.length} results`, async () => {
      const results = await recentMessages(bus, codec, topics.results, 0);
      return results.length >= tasks.length && results;
    });
  };
  return {
    assess,
    failures,
    async [Symbol.asyncDispose]() {
      await system.stop("the test is over", 1_000);
      await bus.close();
    },
  };
};

const tasksOf = (count: number, overrides: Partial<AssessmentTask> = {}): AssessmentTask[] =>
  Array.from({ length: count }, (_, index) =>
    aTask({
      taskId: `t${index}`,
      cameraId: index % 4,
      capturedAt: systemClock.nowMs(),
      image: new Uint8Array(20_000).fill(7),
      ...overrides,
    }),
  );
const statusesOf = (results: readonly AssessmentResult[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const {
    results: [verdict],
  } of results)
    counts[verdict?.status ?? ""] = (counts[verdict?.status ?? ""] ?? 0) + 1;
  return counts;
};

describe("with a provider that answers", () => {
  test("E1.1, E1.2: its level and its own words come back, about objects of the input", async () => {
    await using sim = await startSim();
    await using it = await start([groupAt(sim)]);
    const [result] = await it.assess(tasksOf(1));
    expect(result).toMatchObject({
      results: [{ status: "ok", verdict: "confirmed", riskLevel: "high", assessedBy: "sim-vl", triggerObjectIds: [7, 9] }],
      metadata: { llmModel: "sim-vl", apiKeyId: "main-1", retryCount: 0 },
    });
    expect(result?.results[0]?.description).toStartWith("llm-sim");
    expect(result?.metadata.llmLatency).toBeGreaterThan(0);
  });

  test("E1.5, E1.6: one key carries many calls at once, and every task is served", async () => {
    await using sim = await startSim({ latencyMs: [100, 200] });
    await using it = await start([groupAt(sim)]);
    const results = await it.assess(tasksOf(200));
    expect(statusesOf(results)).toEqual({ ok: 200 });
    expect(sim.stats()).toMatchObject({ requests: 200, ok: 200, maxInFlight: 50 });
    expect(it.failures).toEqual([]);
  });

  test("E1.6: a provider that counts by its own clock finds no call too many, and its rate is used", async () => {
    const rps = 20;
    await using sim = await startSim({ rps, jitterMs: 50, latencyMs: [100, 300] });
    await using it = await start([groupAt(sim, "main", ["sk-0001"], { rps })]);
    const beganMs = systemClock.monotonicMs();
    const nowMs = systemClock.nowMs();
    const seconds = 5;
    await it.assess(tasksOf(3 * seconds * rps, { capturedAt: nowMs, deadlineAt: nowMs + seconds * 1_000 }), 15_000);
    const { requests, violations } = sim.stats();
    expect(violations).toBe(0);
    // The last that are begun must be able to end.
    const usedMs = Math.min(seconds * 1_000, systemClock.monotonicMs() - beganMs) - 400;
    expect(requests).toBeGreaterThanOrEqual(0.85 * rps * (usedMs / 1_000));
  }, 30_000);

  test("E1.6: an account's limit holds for all its keys together, in any second", async () => {
    const secrets = ["sk-a-1", "sk-a-2", "sk-a-3"];
    await using sim = await startSim({ rps: 10, jitterMs: 50, accounts: { a: secrets } });
    const sentAtMs: number[] = [];
    const recorded: SchedulerArgs["fetch"] = (url, init) => {
      sentAtMs.push(systemClock.monotonicMs());
      return fetch(url, init);
    };
    await using it = await start([groupAt(sim, "a", secrets, { rps: 10 })], { fetch: recorded });
    expect(statusesOf(await it.assess(tasksOf(35)))).toEqual({ ok: 35 });
    const fullest = sentAtMs.map((start) => sentAtMs.filter((time) => time >= start && time < start + 1_000).length);
    expect(Math.max(...fullest)).toBeLessThanOrEqual(10);
    // By the provider's clock a stalled machine may bunch calls on their way; on its own it does not.
    expect(sim.stats().violations).toBeLessThanOrEqual(3);
  });
});

describe("with a provider in trouble", () => {
  test("E1.9: every second call throttled: the group pauses as it is told, and the tasks end well", async () => {
    await using sim = await startSim({ profile: "429" });
    await using other = await startSim();
    await using it = await start([groupAt(sim, "throttled"), groupAt(other, "other")]);
    const results = await it.assess(tasksOf(40));
    expect(statusesOf(results)).toEqual({ ok: 40 });
    expect(sim.stats().rejected).toBeGreaterThan(0);
    expect(other.stats().ok).toBeGreaterThan(0);
  });

  test("E1.9: a dead key is left alone after one call, and its account goes on", async () => {
    await using sim = await startSim({ accounts: { a: ["sk-live"] } });
    await using it = await start([groupAt(sim, "a", ["sk-dead", "sk-live"])], { maxConcurrent: 1 });
    const results = await it.assess(tasksOf(20));
    expect(statusesOf(results)).toEqual({ ok: 20 });
    expect(sim.stats()).toMatchObject({ requests: 21, rejected: 1 });
    expect(new Set(results.map(({ metadata }) => metadata.apiKeyId))).toEqual(new Set(["a-2"]));
  });

  test("5xx only: no task is lost, none is 'none'; the rules stand in", async () => {
    await using sim = await startSim({ profile: "5xx" });
    await using it = await start([groupAt(sim)]);
    const results = await it.assess(tasksOf(30));
    const { error = 0, degraded = 0, ...others } = statusesOf(results);
    expect([error + degraded, others]).toEqual([30, {}]);
    expect(degraded).toBeGreaterThan(0);
    for (const {
      results: [verdict],
      ruleRiskLevel,
    } of results) {
      expect(verdict?.riskLevel ?? null).toBe(verdict?.status === "degraded" ? ruleRiskLevel : null);
    }
  });

  test("5xx at one provider: the other takes over", async () => {
    await using broken = await startSim({ profile: "5xx" });
    await using sim = await startSim();
    await using it = await start([groupAt(broken, "broken"), groupAt(sim, "sound")]);
    expect(statusesOf(await it.assess(tasksOf(40)))).toEqual({ ok: 40 });
  });

  test("E1.2, E1.10: garbage is read where it can be, else asked for once more, else said", async () => {
    await using sim = await startSim({ profile: "garbage" });
    await using it = await start([groupAt(sim)]);
    const results = await it.assess(tasksOf(60));
    const { ok = 0, parse_error = 0, ...others } = statusesOf(results);
    expect(others).toEqual({});
    expect([ok > 0, parse_error > 0, ok + parse_error]).toEqual([true, true, 60]); // fenced JSON is read
    expect(results.every(({ results: [verdict] }) => verdict?.riskLevel === (verdict?.status === "ok" ? "high" : null))).toBe(
      true,
    );
    const repairs = results.filter(({ metadata }) => metadata.retryCount === 1).length;
    expect(sim.stats().requests).toBe(60 + repairs);
    expect(repairs).toBeGreaterThan(parse_error); // some came right the second time
  });

  test("garbage without end is cut off, paid for once, and said to be no answer", async () => {
    await using sim = await startSim({ profile: "flood" });
    await using it = await start([groupAt(sim)], { maxConcurrent: 4 });
    const results = await it.assess(tasksOf(8));
    expect([statusesOf(results), sim.stats().requests]).toEqual([{ parse_error: 8 }, 8]);
    expect(results[0]?.error).toBe("the response is longer than 256 KiB");
  });

  test("slow: the calls are broken off at the deadline, and said to be expired", async () => {
    await using sim = await startSim({ profile: "slow" });
    await using it = await start([groupAt(sim)], { maxConcurrent: 5 });
    const nowMs = systemClock.nowMs();
    const results = await it.assess(tasksOf(10, { capturedAt: nowMs, deadlineAt: nowMs + 600 }));
    expect(statusesOf(results)).toEqual({ expired: 10 });
    await within(20_000, "the simulator to see them go", async () => sim.stats().requests === 5);
  });

  test("nobody there: an error, or the rules", async () => {
    const sim = await startSim();
    await sim.stop();
    await using it = await start([groupAt(sim)]);
    const { error = 0, degraded = 0 } = statusesOf(await it.assess(tasksOf(10)));
    expect(error + degraded).toBe(10);
  });
});
