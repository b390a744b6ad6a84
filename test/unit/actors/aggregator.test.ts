import { describe, expect, test } from "bun:test";
import { factsOf, loadKept, readIncident, untold } from "../../../actors/aggregator/open-incidents.ts";
import { type AggregatorArgs, aggregator } from "../../../actors/aggregator.ts";
import { newMemory } from "../../../actors/task-generator/memory.ts";
import { type TaskGeneratorReceives, taskGenerator } from "../../../actors/task-generator.ts";
import { Incident, incidentFacts } from "../../../protocols/incident.ts";
import type { Tagged } from "../../../protocols/message.ts";
import type { AssessmentTask } from "../../../protocols/task.ts";
import type { AssessmentResult, RiskUpdate, Verdict } from "../../../protocols/verdict.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { partitionOf } from "../../../runtime/partition.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { aDetectionResult, aGroup, aResult } from "../../support/build.ts";
import { type FakeContext, fakeContext } from "../../support/context.ts";

type Heard = Parameters<(typeof aggregator)["on"]["overdue"]>[2];
const context = () => fakeContext() as unknown as FakeContext<never> & Heard;

const start = (
  told: readonly (RiskUpdate | Incident)[] = [],
  more: Partial<AggregatorArgs> = {},
  store = createMemoryStore({ clock: systemClock }),
  kept: readonly Incident[] | null = [],
) => {
  const ctx = context();
  const args = { deadlineMs: 10_000, graceMs: 5_000, outageMs: 60_000, metrics: createMetrics(), ...more };
  const incidents = told.filter((each) => each.type === "incident");
  const withUntold = (all: readonly Incident[]) => ({ kept: all, untold: untold(all, incidents) });
  const lookUp = async () => withUntold(await loadKept(store));
  const found = kept && withUntold(kept);
  const state = aggregator.start(args, ctx, { told, found, lookUp, store });
  return {
    ctx,
    hear: (task: AssessmentTask, verdict: Partial<Verdict> = {}, more: Partial<AssessmentResult> = {}) =>
      aggregator.on["assessment.result"](state, { ...aResult(task, verdict), ...more }, ctx),
    learn: (update: RiskUpdate) => aggregator.on.risk_update(state, update, ctx),
    adopt: (incident: Incident) => aggregator.on.incident(state, incident, ctx),
    gone: (...partitions: number[]) => aggregator.on.gone(state, { type: "gone", partitions, of: 16 }, ctx),
    overdue: (messageId: string) => aggregator.on.overdue(state, { type: "overdue", messageId }, ctx),
    said: () => (ctx.asked.emits as (RiskUpdate | Incident)[]).filter((each) => each.type === "risk_update"),
    incidents: () => (ctx.asked.emits as (RiskUpdate | Incident)[]).filter((each) => each.type === "incident"),
    loadAgain: () => aggregator.on["load-kept"](state, { type: "load-kept" }, ctx),
    look: () => aggregator.on["look-for-quiet"](state, { type: "look-for-quiet" }, ctx),
    outcome: async (index: number) => {
      const pipe = ctx.asked.pipes[index];
      if (!pipe) throw new Error("nothing was asked for");
      const told = await pipe.start(new AbortController().signal).then(pipe.done as (value: unknown) => Tagged, pipe.failed);
      const handler = aggregator.on[told.type as "kept"] as (of: typeof state, message: Tagged, context: Heard) => unknown;
      handler(state, told, ctx);
    },
  };
};

/** The tasks of one frame, as the task generator makes them. */
const tasksOf = (count: number, overrides: Parameters<typeof aDetectionResult>[0] = {}): AssessmentTask[] => {
  const ctx = fakeContext<TaskGeneratorReceives>();
  const args = { cooldownMs: 0, deadlineMs: 10_000, metrics: createMetrics() };
  const groups = Array.from({ length: count }, (_, index) =>
    aGroup({ groupIndex: index + 1, groupKey: `g${index}`, riskLevel: "medium" }),
  );
  taskGenerator.on["detection.result"](
    taskGenerator.start(args, ctx, newMemory()),
    aDetectionResult({ trafficGroups: groups, ...overrides }),
    ctx,
  );
  return ctx.asked.emits as AssessmentTask[];
};
const [one, two] = tasksOf(2) as [AssessmentTask, AssessmentTask];

test("each result goes out at once; the last one is final and complete", () => {
  const { hear, said } = start();
  hear(two, { riskLevel: "low" });
  hear(one, { riskLevel: "high" });
  expect(said().map(({ revision, final, complete, maxRiskLevel }) => [revision, final, complete, maxRiskLevel])).toEqual([
    [1, false, false, "low"],
    [2, true, true, "high"],
  ]);
  expect(said()[1]?.results.map(({ groupIndex }) => groupIndex)).toEqual([1, 2]);
});

test("E1.13: a result that comes again is not counted twice", () => {
  const { hear, said } = start();
  hear(one);
  hear(one);
  expect(said()).toHaveLength(1);
});

test("E1.12: a result that never comes closes the request at the deadline, and says that it is not complete", () => {
  const { ctx, hear, overdue, said } = start();
  hear(one);
  expect(ctx.asked.timers.get("m1")).toMatchObject({ message: { type: "overdue", messageId: "m1" } });
  overdue("m1");
  expect(said()[1]).toMatchObject({ id: "m1_final", revision: 2, final: true, complete: false });
  hear(two);
  expect(said()).toHaveLength(2);
});

test("results of another program, which name only their own task, come together all the same", () => {
  const { hear, said } = start();
  hear(one, { riskLevel: "low" }, { taskIdsOfRequest: [one.taskId] });
  hear(two, { riskLevel: "high" }, { taskIdsOfRequest: [two.taskId] });
  hear(two, { riskLevel: "high" }, { taskIdsOfRequest: [two.taskId] });
  expect(said().map(({ revision, final, complete, maxRiskLevel }) => [revision, final, complete, maxRiskLevel])).toEqual([
    [1, true, true, "low"],
    [2, true, true, "high"],
  ]);
  expect(said()[1]?.taskIdsOfRequest).toEqual([one.taskId, two.taskId]);
});

test("E1.14: camera 0 is a camera", () => {
  const [task] = tasksOf(1, { cameraId: 0 });
  const { hear, said } = start();
  if (task) hear(task);
  expect(said()[0]).toMatchObject({ cameraId: 0, final: true });
});

test("a failed assessment is said, and counts with the risk by rules, never as none", () => {
  const { hear, said } = start();
  hear(one, { status: "error", verdict: null, riskLevel: null, confidence: null });
  expect(said()[0]).toMatchObject({
    maxRiskLevel: "medium",
    hasDangerousDriving: true,
    results: [{ status: "error", riskLevel: null }],
  });
});

test("after a restart it knows what it has said, and waits on for the rest", () => {
  const before = start();
  before.hear(one);
  const after = start(before.said());
  expect(after.ctx.asked.timers.has("m1")).toBe(true);
  after.hear(one);
  expect(after.said()).toEqual([]);
  after.hear(two);
  expect(after.said()).toMatchObject([{ revision: 2, final: true, complete: true }]);
});

test("finished requests are forgotten once their results cannot come again", () => {
  const { ctx, hear, said } = start();
  const [old] = tasksOf(1, { messageId: "old" }) as [AssessmentTask];
  hear(old);
  ctx.timeMs += 71_000;
  const [young] = tasksOf(1, { messageId: "young", capturedAt: ctx.timeMs }) as [AssessmentTask];
  hear(young);
  hear(young);
  expect(said().map(({ messageId }) => messageId)).toEqual(["old", "young"]);
  hear(old); // no longer recognised: nothing can deliver it by now
  expect(said()).toHaveLength(3);
});

test("what the owner before has said is gone on with: the next revision, and one end", () => {
  const before = start();
  before.hear(one);
  const [update] = before.said() as [RiskUpdate];
  const { ctx, learn, hear, said } = start();
  learn(update);
  expect(ctx.asked.timers.get("m1")).toMatchObject({ message: { type: "overdue", messageId: "m1" } });
  hear(one);
  hear(two);
  expect(said().map(({ revision, final, complete }) => [revision, final, complete])).toEqual([[2, true, true]]);
  learn(update);
  expect(said()).toHaveLength(1);
});

test("a request whose partition has gone is another's: its deadline passes in silence", () => {
  const { hear, gone, overdue, said, ctx } = start();
  hear(one);
  gone((partitionOf(String(one.cameraId), 16) + 1) % 16);
  expect(ctx.asked.timers.has("m1")).toBe(true);
  gone(partitionOf(String(one.cameraId), 16));
  expect(ctx.asked.timers.has("m1")).toBe(false);
  overdue("m1");
  expect(said()).toHaveLength(1);
});

describe("incidents", () => {
  /** Task after task of one group, 3 s apart. */
  const sightings = (count: number): AssessmentTask[] =>
    Array.from({ length: count }, (_, index) => {
      const [task] = tasksOf(1, { messageId: `s${index}`, capturedAt: 1_700_000_000_000 + index * 3_000 });
      if (!task) throw new Error("a group makes a task");
      return task;
    });
  const [first, second, third] = sightings(3) as [AssessmentTask, AssessmentTask, AssessmentTask];
  const hazards = ["near-miss" as const];

  test("sightings of one danger are one incident, told with each, until its end", () => {
    const { ctx, hear, incidents, look } = start();
    hear(first, { riskLevel: "medium" }, { hazards });
    hear(second, { riskLevel: "high" }, { hazards });
    hear(third, { riskLevel: "medium" }, { hazards });
    ctx.timeMs = third.capturedAt + 14_999;
    look();
    expect(incidents()).toHaveLength(3);
    ctx.timeMs += 1;
    look();
    look();
    const { id } = incidents()[0] ?? {};
    expect(incidents().map(({ revision, phase, level, messageIds }) => [revision, phase, level, messageIds.join()])).toEqual([
      [1, "new", "medium", "s0"],
      [2, "update", "high", "s0,s1"],
      [3, "update", "high", "s0,s1,s2"],
      [4, "end", "high", "s0,s1,s2"],
    ]);
    expect(incidents().every((each) => each.id === id)).toBeTrue();
    expect(incidents()[3]).toMatchObject({
      cameraId: first.cameraId,
      groupKey: "g0",
      hazard: "near-miss",
      openedAt: first.capturedAt,
      updatedAt: third.capturedAt,
      endedAt: third.capturedAt,
    });
    expect(Incident.schema.safeParse(incidents()[3]).success).toBeTrue();
  });

  const level = (riskLevel: Verdict["riskLevel"]): Partial<Verdict> => ({ riskLevel });
  test.each<[string, Partial<Verdict>, AssessmentResult["hazards"], string[]]>([
    ["a low level is none", level("low"), ["near-miss"], []],
    ["a danger that was rejected is none", { verdict: "rejected", riskLevel: "none" }, ["near-miss"], []],
    [
      "without a verdict the rules' level counts",
      { status: "error", verdict: null, riskLevel: null },
      ["near-miss"],
      ["near-miss"],
    ],
    ["a danger that no rule has a name for", level("high"), undefined, ["other"]],
    ["the worst of several names it", level("high"), ["wrong-way", "congestion"], ["wrong-way"]],
  ])("%s", (_what, verdict, named, expected) => {
    const { hear, incidents } = start();
    hear(first, verdict, named ? { hazards: named } : {});
    expect(incidents().map(({ hazard }) => String(hazard))).toEqual(expected);
  });

  test("another danger of the group is another incident; one of several that is known goes on", () => {
    const { hear, incidents } = start();
    hear(first, {}, { hazards: ["tailgating"] });
    hear(second, {}, { hazards: ["wrong-way"] });
    hear(third, {}, { hazards: ["stalled", "tailgating"] });
    expect(incidents().map(({ hazard, revision }) => [hazard, revision])).toEqual([
      ["tailgating", 1],
      ["wrong-way", 1],
      ["tailgating", 2],
    ]);
  });

  test("what is kept of it can be listed, found and taken up again", () => {
    const { ctx, hear, incidents } = start();
    hear(first, {}, { hazards });
    const [incident] = incidents();
    if (!incident) throw new Error("an incident opens");
    expect(ctx.asked.saves.map(({ key }) => key)).toEqual([
      incidentFacts.at(incident),
      incidentFacts.place(incident.id),
      incidentFacts.open(incident.id),
    ]);
    expect(readIncident(ctx.asked.saves[2]?.bytes ?? new Uint8Array())).toEqual(incident);
  });

  test("after a restart it goes on under its id, and what had ended does not", () => {
    const before = start();
    before.hear(first, {}, { hazards });
    const after = start([...before.incidents(), ...before.said()]);
    after.hear(second, {}, { hazards });
    expect(after.incidents()).toMatchObject([{ id: before.incidents()[0]?.id, revision: 2, messageIds: ["s0", "s1"] }]);
    after.ctx.timeMs += 60_000;
    after.look();
    const later = start([...after.incidents(), ...after.said()]);
    later.hear(third, {}, { hazards });
    expect(later.incidents()).toMatchObject([{ revision: 1, messageIds: ["s2"] }]);
  });

  test("a result that is delivered again after its incident has ended opens none, whether it was the first or a later one", () => {
    const before = start();
    before.hear(first, {}, { hazards });
    before.hear(second, {}, { hazards });
    before.ctx.timeMs += 60_000;
    before.look();
    expect(before.incidents().at(-1)).toMatchObject({ phase: "end", revision: 3 });
    const after = start(before.incidents()); // what was said of the frames was lost
    after.hear(first, {}, { hazards });
    after.hear(second, {}, { hazards });
    expect(after.incidents()).toEqual([]);
    after.hear(third, {}, { hazards });
    expect(after.incidents()).toMatchObject([{ revision: 1, messageIds: ["s2"] }]);
  });

  test.each([
    ["that another aggregator goes on with is left to it", 1, []],
    ["that nobody goes on with is ended", 0, ["end"]],
  ])("an inherited incident %s", async (_what, ahead, phases) => {
    const before = start();
    before.hear(first, {}, { hazards });
    const [incident] = before.incidents();
    if (!incident) throw new Error("an incident opens");
    const store = createMemoryStore({ clock: systemClock });
    await store.put(factsOf({ ...incident, revision: incident.revision + ahead }));
    const after = start([incident], {}, store);
    after.ctx.timeMs += 60_000;
    after.look();
    expect(after.incidents()).toEqual([]);
    await after.outcome(0);
    after.look();
    expect(after.incidents().map(({ phase }) => phase)).toEqual([...phases] as never);
    expect(after.ctx.asked.pipes).toHaveLength(1);
  });

  test("what was saved and not told before a crash is told at the start, and its result changes nothing when it comes again", () => {
    const before = start();
    before.hear(first, {}, { hazards });
    const kept = before.incidents();
    const after = start([], {}, undefined, kept);
    expect(after.incidents()).toEqual(kept);
    after.hear(first, {}, { hazards });
    after.hear(second, {}, { hazards });
    expect(after.incidents().map(({ revision }) => revision)).toEqual([1, 2]);
    expect(after.said().map(({ messageId }) => messageId)).toEqual(["s0", "s1"]);
    expect(start(after.incidents(), {}, undefined, after.incidents().slice(-1)).incidents()).toEqual([]);
  });

  test("a start without the store goes on, and takes up what is kept when the store is back", async () => {
    const before = start();
    before.hear(first, {}, { hazards });
    const [incident] = before.incidents();
    if (!incident) throw new Error("an incident opens");
    const store = createMemoryStore({ clock: systemClock });
    let isAway = true;
    const list: typeof store.list = (...asked) => (isAway ? Promise.reject(new Error("away")) : store.list(...asked));
    const after = start([], {}, { ...store, list }, null);
    expect(after.ctx.asked.timers.get("load-kept")?.message).toEqual({ type: "load-kept" });
    after.ctx.asked.timers.clear();
    after.loadAgain();
    await after.outcome(0);
    expect(after.ctx.asked.timers.has("load-kept")).toBe(true);
    isAway = false;
    await store.put(factsOf(incident));
    after.loadAgain();
    await after.outcome(1);
    expect(after.incidents()).toEqual([incident]);
    after.hear(second, {}, { hazards });
    expect(after.incidents().at(-1)).toMatchObject({ id: incident.id, revision: 2 });
    after.loadAgain(); // what was heard meanwhile stands
    await after.outcome(2);
    expect(after.incidents()).toHaveLength(2);
  });

  test("a start without the store fails for no want of it", async () => {
    const store = { ...createMemoryStore({ clock: systemClock }), list: () => Promise.reject(new Error("away")) };
    const args = { deadlineMs: 10_000, graceMs: 5_000, outageMs: 60_000, metrics: createMetrics() };
    const sources = { recent: async () => [], store, clock: systemClock } as never; // those that are asked
    expect(await aggregator.load?.(args, sources, "")).toMatchObject({ told: [], found: null });
  });

  test("a start in a process that has no part of the topic yet tells nothing again that was told by whoever had it", async () => {
    const before = start();
    before.hear(first, {}, { hazards });
    before.hear(second, {}, { hazards });
    const [old, incident] = before.incidents();
    if (!old || !incident) throw new Error("an incident opens");
    const store = createMemoryStore({ clock: systemClock });
    await store.put(factsOf(incident));
    const args = { deadlineMs: 10_000, graceMs: 5_000, outageMs: 60_000, metrics: createMetrics() };
    const foundBeside = async (told: readonly Incident[]) => {
      const sources = { recent: async () => [], recentOfAll: async () => told, store, clock: systemClock } as never; // those that are asked
      return (await aggregator.load?.(args, sources, ""))?.found;
    };
    expect(await foundBeside([old, incident])).toEqual({ kept: [incident], untold: [] });
    expect(await foundBeside([old])).toEqual({ kept: [incident], untold: [incident] });
  });

  test("one goes with its partition: the new owner goes on with it, the old one forgets it", () => {
    const before = start();
    before.hear(first, {}, { hazards });
    const [incident] = before.incidents();
    if (!incident) throw new Error("an incident opens");
    const after = start();
    after.adopt(incident);
    after.hear(second, {}, { hazards });
    expect(after.incidents()).toMatchObject([{ id: incident.id, revision: 2 }]);
    before.gone(partitionOf(String(first.cameraId), 16));
    before.ctx.timeMs += 60_000;
    before.look();
    expect(before.incidents()).toHaveLength(1);
  });

  describe("pictures", () => {
    const image = new Uint8Array([255, 216, 255]);
    const keep = () => {
      const kept: number[] = [];
      const keepEvidence = async (cameraId: number): Promise<string> => {
        kept.push(cameraId);
        return `${cameraId}-${"ab".repeat(32)}`;
      };
      return { kept, keepEvidence };
    };

    test("one is stored before its incident is told, and one more when it gets worse", async () => {
      const { kept, keepEvidence } = keep();
      const { ctx, hear, incidents, outcome, said } = start([], { keepEvidence });
      hear(first, { riskLevel: "medium" }, { hazards, evidence: image });
      expect([said(), incidents()]).toEqual([[], []]);
      await outcome(0);
      expect(incidents()).toMatchObject([{ revision: 1, evidenceIds: [`${first.cameraId}-${"ab".repeat(32)}`] }]);
      hear(second, { riskLevel: "medium" }, { hazards, evidence: image });
      expect(ctx.asked.pipes).toHaveLength(1);
      hear(third, { riskLevel: "high" }, { hazards, evidence: image });
      await outcome(1);
      expect(kept).toHaveLength(2);
      expect(incidents().map(({ revision }) => revision)).toEqual([1, 2, 3]);
    });

    test("a result that comes twice while its picture is stored is told once", async () => {
      const { keepEvidence } = keep();
      const { hear, incidents, outcome, said } = start([], { keepEvidence });
      for (let time = 0; time < 2; time++) hear(first, {}, { hazards, evidence: image });
      await outcome(0);
      await outcome(1);
      expect([said().length, incidents().length]).toEqual([1, 1]);
    });

    test("results that come at once, as after an outage, have the picture of the first of them", async () => {
      const burst = Array.from(
        { length: 12 },
        (_, at) => tasksOf(1, { messageId: `b${at}`, capturedAt: first.capturedAt + at })[0],
      );
      let stored = 0;
      const keepEvidence = async (cameraId: number) => `${cameraId}-${String(stored++).padStart(64, "0")}`;
      const { hear, incidents, outcome } = start([], { keepEvidence });
      for (const task of burst) if (task) hear(task, { riskLevel: "medium" }, { hazards, evidence: image });
      for (const at of burst.keys()) await outcome(at);
      const last = incidents().at(-1);
      expect(last).toMatchObject({ revision: 12, evidenceIds: [`${first.cameraId}-${"0".repeat(64)}`] });
      expect(incidents().every((incident) => Incident.schema.safeParse(incident).success)).toBe(true);
    });

    test("one that cannot be stored is counted, and the incident is told without it", async () => {
      const metrics = createMetrics();
      const { hear, incidents, outcome } = start([], {
        metrics,
        keepEvidence: () => Promise.reject(new Error("the disk is full")),
      });
      hear(first, {}, { hazards, evidence: image });
      await outcome(0);
      expect(incidents()).toMatchObject([{ revision: 1, evidenceIds: [] }]);
      expect((await metrics.dropped.get()).values).toMatchObject([
        { labels: { type: "evidence", reason: "not_stored" }, value: 1 },
      ]);
    });
  });
});
