import { describe, expect, test } from "bun:test";
import { createCodec } from "../../../../protocols/codec.ts";
import { DeadLetter } from "../../../../protocols/dead-letter.ts";
import { arrayBus } from "../../../support/edge.ts";
import { askedEdge } from "../../../support/edge-app.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const codec = createCodec([DeadLetter]);

const setUp = async (letters: readonly Partial<DeadLetter>[] = [], options: Parameters<typeof askedEdge>[0] = {}) => {
  const clock = virtualClock();
  const bus = arrayBus(clock);
  const edge = await askedEdge({ clock, bus, ...options });
  for (const [index, fields] of letters.entries()) {
    const letter: DeadLetter = {
      type: "dead.letter",
      topic: "assessment-tasks",
      partition: 3,
      offset: index,
      key: "0",
      id: `r${index}`,
      recordType: "assessment.task",
      trace: "t",
      value: new Uint8Array(10 + index),
      disposition: "poison",
      reason: "it threw",
      attempts: 3,
      ...fields,
    };
    const { topic, key, partition, offset, type, trace } = letter;
    await bus.append([{ topic: `${topic}.dlq`, key, id: `${partition}/${offset}`, type, trace, bytes: codec.encode(letter) }]);
    await clock.advance(1_000);
  }
  return edge;
};
const ids = (json: { items: { id: string }[] }): string[] => json.items.map(({ id }) => id);

test("without any there is an empty list", async () => {
  const { ask } = await setUp();
  expect((await ask("/api/dlq")).json).toEqual({ items: [] });
});

test("letters of all topics stand newest first, with the reason and without the record", async () => {
  const { ask } = await setUp([{}, { topic: "detection-results", disposition: "rejected" }, {}]);
  const { json } = await ask("/api/dlq");
  expect(ids(json)).toEqual(["r2", "r1", "r0"]);
  const { at, ...fields } = json.items[1];
  expect(fields).toEqual({
    topic: "detection-results",
    partition: 3,
    offset: 1,
    key: "0",
    id: "r1",
    recordType: "assessment.task",
    trace: "t",
    disposition: "rejected",
    reason: "it threw",
    attempts: 3,
    bytes: 11,
  });
  expect(json.items[0].at - at).toBe(1_000);
});

test.each([
  ["topic=detection-results", ["r1"]],
  ["disposition=exhausted", ["r2"]],
  ["topic=assessment-tasks&disposition=poison", ["r0"]],
])("%s leaves the others out", async (query, expected) => {
  const { ask } = await setUp([{}, { topic: "detection-results" }, { disposition: "exhausted" }]);
  expect(ids((await ask(`/api/dlq?${query}`)).json)).toEqual(expected);
});

test("page after page tells each once, also while more come", async () => {
  const edge = await setUp(
    Array.from({ length: 450 }, (_, index) => ({ topic: index % 3 === 0 ? "detection-results" : "assessment-tasks" })),
  );
  const told: string[] = [];
  for (let after = ""; ; ) {
    const { json } = await edge.ask(`/api/dlq?limit=100${after}`);
    told.push(...ids(json));
    if (json.next === undefined) break;
    after = `&after=${json.next}`;
  }
  expect(told).toEqual(Array.from({ length: 450 }, (_, index) => `r${449 - index}`));
});

describe("who may see only some cameras", () => {
  const token = "eye-token";
  const options = { tokens: [{ name: "eye", role: "viewer" as const, cameras: [7], token }] };

  test("is told of theirs", async () => {
    const { ask } = await setUp([{ key: "7" }, { key: "8" }], options);
    expect(ids((await ask("/api/dlq", { authorization: `Bearer ${token}` })).json)).toEqual(["r0"]);
    expect((await ask("/api/dlq")).status).toBe(401);
  });
});

test.each([
  "limit=0",
  "limit=1001",
  "topic=cameras",
  "disposition=odd",
  "after=x",
  "after=1.2.3",
  "after=1.2.3.4.5",
  "after=...",
])("%s is refused", async (query) => {
  const { ask } = await setUp();
  const { status, json } = await ask(`/api/dlq?${query}`);
  expect([status, json.code, json.field]).toEqual([400, "invalid_field", query.split("=")[0] ?? ""]);
});
