import { expect, test } from "bun:test";
import { aggregator } from "../../../actors/aggregator.ts";
import { type TaskGeneratorReceives, taskGenerator } from "../../../actors/task-generator.ts";
import type { AssessmentTask } from "../../../protocols/task.ts";
import type { RiskUpdate, Verdict } from "../../../protocols/verdict.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { partitionOf } from "../../../runtime/partition.ts";
import { aDetectionResult, aGroup, aResult } from "../../support/build.ts";
import { type FakeContext, fakeContext } from "../../support/context.ts";

type Heard = Parameters<(typeof aggregator)["on"]["overdue"]>[2];
const context = () => fakeContext() as unknown as FakeContext<never> & Heard;

const start = (updates: readonly RiskUpdate[] = []) => {
  const ctx = context();
  const state = aggregator.start(
    { deadlineMs: 10_000, graceMs: 5_000, outageMs: 60_000, metrics: createMetrics() },
    ctx,
    updates,
  );
  return {
    ctx,
    hear: (task: AssessmentTask, verdict: Partial<Verdict> = {}) =>
      aggregator.on["assessment.result"](state, aResult(task, verdict), ctx),
    learn: (update: RiskUpdate) => aggregator.on.risk_update(state, update, ctx),
    gone: (...partitions: number[]) => aggregator.on.gone(state, { type: "gone", partitions, of: 16 }, ctx),
    overdue: (messageId: string) => aggregator.on.overdue(state, { type: "overdue", messageId }, ctx),
    said: () => ctx.asked.emits as RiskUpdate[],
  };
};

/** The tasks of one frame, as the task generator makes them. */
const tasksOf = (count: number, overrides: Parameters<typeof aDetectionResult>[0] = {}): AssessmentTask[] => {
  const ctx = fakeContext<TaskGeneratorReceives>();
  const args = { minMembers: 2, cooldownMs: 0, deadlineMs: 10_000, metrics: createMetrics() };
  const groups = Array.from({ length: count }, (_, index) =>
    aGroup({ groupIndex: index + 1, groupKey: `g${index}`, riskLevel: "medium" }),
  );
  taskGenerator.on["detection.result"](
    taskGenerator.start(args, ctx, new Map()),
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
