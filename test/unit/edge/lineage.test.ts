import { expect, test } from "bun:test";
import { encode } from "@msgpack/msgpack";
import { traceRequest } from "../../../edge/lineage.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { deadLettersOf } from "../../../protocols/dead-letter.ts";
import type { Tagged } from "../../../protocols/message.ts";
import type { TopicDefinition } from "../../../protocols/topic.ts";
import { topics } from "../../../protocols/topics.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { aDetectionResult, aResult } from "../../support/build.ts";
import { aRiskUpdate } from "../../support/edge.ts";
import { aTask } from "../../support/task.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const cameraId = 7;
/** Made in the virtual clock's first second. */
const setUp = async () => {
  const clock = virtualClock();
  const messageId = `${clock
    .nowMs()
    .toString(16)
    .padStart(12, "0")
    .replace(/^(.{8})/, "$1-")}-7000-8000-000000000001`;
  const defer = queueMicrotask;
  const bus = createMemoryBroker({ clock, defer }).open();
  const store = createMemoryStore({ clock, defer });
  const worked: readonly TopicDefinition<never>[] = [topics.detections, topics.tasks, topics.results];
  const all = [...worked, topics.incidents, ...worked.map(deadLettersOf)];
  await bus.ensure(all);
  const codec = createCodec([...new Set(all.flatMap(({ messages }) => messages))]);
  const append = <M extends Tagged>(topic: TopicDefinition<M>, id: string, message: M) =>
    bus.append([{ topic: topic.name, key: String(cameraId), id, type: message.type, trace: "", bytes: codec.encode(message) }]);
  const tasks = [1, 2, 3].map((groupIndex) =>
    aTask({
      ...{ taskId: `${messageId}_group${groupIndex}`, requestId: messageId, cameraId, groupIndex },
      taskIdsOfRequest: [1, 2, 3].map((index) => `${messageId}_group${index}`),
      capturedAt: clock.nowMs() - 400,
    }),
  );
  const admit = (fields: object = {}) =>
    store.put([
      {
        key: `admission:${messageId}`,
        ttlMs: 60_000,
        bytes: encode({
          ...{ messageId, cameraId, capturedAt: clock.nowMs() - 400, at: clock.nowMs() + 20 },
          groups: [
            ...tasks.map(({ taskId, groupIndex }) => ({ groupIndex, outcome: "task", taskId })),
            { groupIndex: 4, outcome: "none", reason: "unchanged" },
          ],
          ...fields,
        }),
      },
    ]);
  const letter = (topic: TopicDefinition<never>, id: string, record: Tagged, reason: string) =>
    append(deadLettersOf(topic), `0/${id}`, {
      ...{ type: "dead.letter", topic: topic.name, partition: 0, offset: 1, key: String(cameraId), id, recordType: record.type },
      ...{ trace: "", value: codec.encode(record), disposition: "exhausted", reason, attempts: 3 },
    });
  const update = (fields: Parameters<typeof aRiskUpdate>[1], id: string) =>
    append(topics.incidents, id, { ...aRiskUpdate(cameraId, { messageId, ...fields }), id });
  return {
    clock,
    bus,
    store,
    append,
    tasks,
    admit,
    letter,
    update,
    messageId,
    trace: (asked = bus) => traceRequest({ bus: asked, store }, messageId, null),
  };
};

test("each group has its end, and each stage its time, from the store and the topics alone", async () => {
  const { append, tasks, admit, letter, update, messageId, clock, trace } = await setUp();
  const [one, two, three] = tasks;
  if (!one || !two || !three) throw new Error("three tasks");
  // Of other frames of the camera, before and after.
  const other = aTask({ taskId: "other_group1", requestId: "other", cameraId });
  await append(topics.results, "other_group1_result", aResult(other));
  await admit();
  await append(topics.results, `${one.taskId}_result`, aResult(one, { assessedBy: "qwen" }));
  const failed = {
    ...aResult(two, { status: "error", riskLevel: null, verdict: null, confidence: null }),
    error: "HTTP 500, after 3 calls",
  };
  await append(topics.results, `${two.taskId}_result`, failed);
  await letter(topics.tasks, three.taskId, three, "its turn threw three times");
  await update({ revision: 1, final: false, complete: false, results: [] }, `${one.taskId}_update`);
  await update({ revision: 2, final: true, complete: false, results: [] }, `${messageId}_final`);
  const told = await trace();
  expect(told?.cameraId).toBe(cameraId);
  expect(told?.lineage.tasks).toEqual([
    { taskId: one.taskId, outcome: "ok" },
    { taskId: two.taskId, outcome: "error", reason: "HTTP 500, after 3 calls" },
    { taskId: three.taskId, outcome: "set-aside", reason: "its turn threw three times" },
    { taskId: `${messageId}_group4`, outcome: "none", reason: "unchanged" },
  ]);
  expect(told?.lineage.stages.map(({ name, ms, detail }) => [name, ms, detail])).toEqual([
    ["captured", 0, "camera 7"],
    ["clusterer", 400, "4 groups"],
    ["task-generator", 420, "3 tasks, 1 without"],
    ["scheduler", 400, "group 1: ok by qwen"],
    ["scheduler", 400, "group 2: error by rules"],
    ["aggregator", 400, "revision 2, final, partial"],
  ]);
  expect(told?.lineage.stages[0]?.at).toBe(clock.nowMs() - 400);
});

test("a task is pending until its result comes, and overdue once the last word is said without it", async () => {
  const { admit, update, messageId, tasks, trace } = await setUp();
  await admit();
  const outcomes = async () => (await trace())?.lineage.tasks.map(({ outcome }) => outcome);
  expect(await outcomes()).toEqual(["pending", "pending", "pending", "none"]);
  const taskIdsOfRequest = tasks.map(({ taskId }) => taskId);
  await update({ revision: 1, final: true, complete: false, results: [], taskIdsOfRequest }, `${messageId}_final`);
  expect(await outcomes()).toEqual(["overdue", "overdue", "overdue", "none"]);
});

test("a frame whose groups all have a reason is known, and costs no search", async () => {
  const { admit, trace, bus } = await setUp();
  await admit({ groups: [{ groupIndex: 1, outcome: "none", reason: "cooldown" }] });
  expect(
    (await trace({ ...bus, states: () => Promise.reject(new Error("nothing is to be asked")) }))?.lineage.tasks.map(
      ({ outcome, reason }) => [outcome, reason],
    ),
  ).toEqual([["none", "cooldown"]]);
});

test("a record that the task generator could not take tells so for each of its groups", async () => {
  const { letter, trace, messageId } = await setUp();
  await letter(topics.detections, messageId, aDetectionResult({ messageId, cameraId }), "poison");
  expect(await trace()).toMatchObject({
    cameraId,
    lineage: { tasks: [{ taskId: `${messageId}_group1`, outcome: "set-aside", reason: "poison" }] },
  });
});

test("with the bus away the store's part is told", async () => {
  const { admit, trace, bus } = await setUp();
  await admit();
  expect(
    (await trace({ ...bus, states: () => Promise.reject(new Error("away")) }))?.lineage.tasks.map(({ outcome }) => outcome),
  ).toEqual(["pending", "pending", "pending", "none"]);
});

test.each([
  ["a fact of another shape", { groups: "none" }],
  ["no fact", null],
])("nothing is known by %s", async (_, fields) => {
  const { admit, trace } = await setUp();
  if (fields) await admit(fields);
  expect(await trace()).toBeNull();
});
