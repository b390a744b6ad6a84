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
    letter: { partition: 0, offset: 0 },
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

describe("putting back", () => {
  const put = async (edge: Awaited<ReturnType<typeof setUp>>, body: unknown, headers: Record<string, string> = {}) => {
    const response = await edge.app.request("/api/dlq/replay", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  const letters = [{ partition: 0, offset: 1 }];

  test("the record goes into its topic as it was, once", async () => {
    const edge = await setUp([{}, { key: "5" }]);
    expect(await put(edge, { topic: "assessment-tasks", letters })).toEqual({ status: 200, json: { stored: 1, known: 0 } });
    expect(await put(edge, { topic: "assessment-tasks", letters })).toEqual({ status: 200, json: { stored: 0, known: 1 } });
    const bus = edge.bus as ReturnType<typeof arrayBus>; // setUp made it
    const { appendedAtMs: _, offset: __, ...record } = bus.records("assessment-tasks")[0] ?? {};
    expect(record).toEqual({
      ...{ topic: "assessment-tasks", partition: 5, key: "5", id: "r1~replay-3-1" },
      ...{ type: "assessment.task", trace: "t", bytes: new Uint8Array(11) },
    });
  });

  test("the replay of a replay's letter has one mark", async () => {
    const edge = await setUp([{ id: "r~replay-3-0", offset: 9 }]);
    await put(edge, { topic: "assessment-tasks", letters: [{ partition: 0, offset: 0 }] });
    const bus = edge.bus as ReturnType<typeof arrayBus>; // setUp made it
    expect(bus.records("assessment-tasks").map(({ id }) => id)).toEqual(["r~replay-3-9"]);
  });

  test("a place without a letter, and one of another's camera, are not found; then nothing is put back", async () => {
    const edge = await setUp([{}]);
    const both = [
      { partition: 0, offset: 0 },
      { partition: 0, offset: 7 },
    ];
    expect(await put(edge, { topic: "assessment-tasks", letters: both })).toMatchObject({
      status: 404,
      json: { code: "not_found" },
    });
    const bus = edge.bus as ReturnType<typeof arrayBus>; // setUp made it
    expect(bus.records("assessment-tasks")).toEqual([]);
    const token = "ops-token";
    const some = await setUp([{ key: "8" }], { tokens: [{ name: "ops", role: "operator", cameras: [7], token }] });
    const first = [{ partition: 0, offset: 0 }];
    expect(await put(some, { topic: "assessment-tasks", letters: first }, { authorization: `Bearer ${token}` })).toMatchObject({
      status: 404,
    });
  });

  test("viewers may not", async () => {
    const token = "eye-token";
    const edge = await setUp([{}], { tokens: [{ name: "eye", role: "viewer", token }] });
    const asked = await put(
      edge,
      { topic: "assessment-tasks", letters: [{ partition: 0, offset: 0 }] },
      { authorization: `Bearer ${token}` },
    );
    expect(asked).toMatchObject({ status: 403, json: { code: "forbidden" } });
  });

  test.each([
    [{ topic: "cameras", letters }],
    [{ topic: "assessment-tasks", letters: [] }],
    [{ topic: "assessment-tasks", letters: [{ partition: -1, offset: 0 }] }],
    [{ topic: "assessment-tasks" }],
  ])("%j is refused", async (body) => {
    expect(await put(await setUp([{}]), body)).toMatchObject({ status: 400, json: { code: "invalid_field" } });
  });
});
