import { expect, test } from "bun:test";
import { decode } from "@msgpack/msgpack";
import { newMemory } from "../../../actors/task-generator/memory.ts";
import { type TaskGeneratorReceives, taskGenerator } from "../../../actors/task-generator.ts";
import type { DetectionResult } from "../../../protocols/detection.ts";
import type { AssessmentTask } from "../../../protocols/task.ts";
import { silentLog } from "../../../runtime/log.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { aDetectionResult, aGroup } from "../../support/build.ts";
import { fakeContext } from "../../support/context.ts";
import { aTask } from "../../support/task.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const args = { deadlineMs: 10_000, metrics: createMetrics() };

const start = (memory: Parameters<typeof taskGenerator.start>[2] = newMemory()) => {
  const ctx = fakeContext<TaskGeneratorReceives>();
  const state = taskGenerator.start(args, ctx, memory);
  return { ctx, hear: (result: DetectionResult) => taskGenerator.on["detection.result"](state, result, ctx) };
};
const saved = (bytes: Uint8Array | undefined) => decode(bytes ?? new Uint8Array());

test("each group worth a verdict becomes a task with its own members, its picture and its deadline", () => {
  const { ctx, hear } = start();
  hear(
    aDetectionResult({
      messageId: "m9",
      cameraId: 0,
      trafficGroups: [aGroup({ groupIndex: 1, groupKey: "a", memberIndices: [1] }), aGroup({ groupIndex: 2, groupKey: "b" })],
    }),
  );
  const tasks = ctx.asked.emits as AssessmentTask[];
  expect(tasks.map(({ taskId }) => taskId)).toEqual(["m9_group1", "m9_group2"]);
  expect(tasks[0]).toMatchObject({
    cameraId: 0,
    taskIdsOfRequest: ["m9_group1", "m9_group2"],
    deadlineAt: 1_700_000_010_000,
    detectedObjects: [{ trackId: 2 }],
  });
  expect(tasks[0]?.image).toEqual(new Uint8Array([255, 216, 255]));
});

test("what a process saw after another had taken its camera over gets no task, unless it got it before", () => {
  const { ctx, hear } = start();
  const at = (ownerEpoch: number, seconds: number, messageId: string) =>
    aDetectionResult({
      ...{ ownerEpoch, messageId, capturedAt: 1_700_000_000_000 + seconds * 1_000 },
      trafficGroups: [aGroup({ groupKey: messageId })],
    });
  hear(at(5, 0, "m1"));
  hear(at(6, 5, "m2"));
  hear(at(5, 9, "m3"));
  hear(at(5, 0, "m1"));
  expect((ctx.asked.emits as AssessmentTask[]).map(({ requestId }) => requestId)).toEqual(["m1", "m2", "m1"]);
  const fact = ctx.asked.saves.find(({ key }) => key === "admission:m3");
  expect(saved(fact?.bytes)).toMatchObject({ groups: [{ outcome: "none", reason: "earlier_owner" }] });
});

test("why a group has no task is stored with the request, before anything is settled", () => {
  const { ctx, hear } = start();
  hear(
    aDetectionResult({ messageId: "m1", trafficGroups: [aGroup({ groupIndex: 1, objectCount: 1 }), aGroup({ groupIndex: 2 })] }),
  );
  const fact = ctx.asked.saves.find(({ key }) => key === "admission:m1");
  expect(saved(fact?.bytes)).toEqual({
    messageId: "m1",
    cameraId: 1,
    capturedAt: 1_700_000_000_000,
    at: ctx.timeMs,
    groups: [
      { groupIndex: 1, outcome: "none", reason: "too_few_members" },
      { groupIndex: 2, outcome: "task", taskId: "m1_group2" },
    ],
  });
});

test("a frame without groups leaves no trace", () => {
  const { ctx, hear } = start();
  hear(aDetectionResult({ trafficGroups: [] }));
  expect([ctx.asked.emits, ctx.asked.saves]).toEqual([[], []]);
});

test("the cooldown is the camera's and the group's own", () => {
  const { ctx, hear } = start();
  for (const [messageId, cameraId, groupKey] of [
    ["m1", 1, "a"],
    ["m2", 1, "a"],
    ["m3", 1, "b"],
    ["m4", 2, "a"],
  ] as const) {
    hear(aDetectionResult({ messageId, cameraId, trafficGroups: [aGroup({ groupKey })] }));
  }
  expect((ctx.asked.emits as AssessmentTask[]).map(({ requestId }) => requestId)).toEqual(["m1", "m3", "m4"]);
});

test.each([
  ["the store is away", () => Promise.reject(new Error("away"))],
  ["the store lacks what was admitted last", async () => []],
])("a record that is delivered again is decided as it was, though %s", async (_why, list) => {
  const [clock, asked] = [virtualClock(), [] as number[]];
  const earlier = aTask({ taskId: "m1_group1", groupKey: "a", riskLevel: "low", capturedAt: 1_700_000_000_000 });
  const again = aTask({ taskId: "m2_group1", groupKey: "a", riskLevel: "high", capturedAt: 1_700_000_001_000 });
  const ports = {
    store: { ...createMemoryStore({ clock }), list },
    clock,
    log: silentLog,
    async recent(topic: { readonly name: string }, sinceMs: number) {
      asked.push(sinceMs);
      return topic.name === "assessment-tasks" ? [again, earlier] : [];
    },
  };
  // The port is generic in the topic; this one knows a single topic.
  const loaded = await taskGenerator.load?.(args, ports as never, "");
  const { ctx, hear } = start(loaded);
  for (const [messageId, capturedAt] of [
    ["m2", 1_700_000_001_000],
    ["m3", 1_700_000_002_000],
  ] as const) {
    hear(aDetectionResult({ messageId, capturedAt, trafficGroups: [aGroup({ groupKey: "a", riskLevel: "high" })] }));
  }
  expect((ctx.asked.emits as AssessmentTask[]).map(({ taskId }) => taskId)).toEqual(["m2_group1"]);
  expect(asked).toEqual([clock.nowMs() - 63_000]);
});

test("a restart knows what was asked about, by its facts alone", async () => {
  const { ctx, hear } = start();
  hear(aDetectionResult({ messageId: "m1", trafficGroups: [aGroup({ groupKey: "a:b" })] }));
  const clock = virtualClock();
  const store = createMemoryStore({ clock, defer: queueMicrotask });
  await store.put([...ctx.asked.saves, { key: "asked:1:old", bytes: new Uint8Array([1]), ttlMs: 1_000 }]);
  const ports = { store, clock, log: silentLog, recent: async () => [] };
  const { ctx: next, hear: hearNext } = start(await taskGenerator.load?.(args, ports as never, "")); // as above
  hearNext(aDetectionResult({ messageId: "m2", capturedAt: 1_700_000_004_000, trafficGroups: [aGroup({ groupKey: "a:b" })] }));
  expect(next.asked.emits).toEqual([]);
  expect(saved(next.asked.saves.at(-1)?.bytes)).toMatchObject({ groups: [{ reason: "unchanged" }] });
  hearNext(aDetectionResult({ messageId: "m1", trafficGroups: [aGroup({ groupKey: "a:b" })] }));
  expect(next.asked.emits).toEqual(ctx.asked.emits);
});

test("the picture's hash goes with the task", () => {
  const { ctx, hear } = start();
  const hash = "00ff00ff00ff00ff";
  hear(aDetectionResult({ groupImages: [{ groupIndex: 1, objectCount: 2, classes: [], image: new Uint8Array(3), hash }] }));
  expect(ctx.asked.emits[0]).toMatchObject({ imageHash: hash });
});
