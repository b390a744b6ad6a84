import { describe, expect, test } from "bun:test";
import { createCodec } from "../../../../protocols/codec.ts";
import { topics } from "../../../../protocols/topics.ts";
import { aDetectionResult } from "../../../support/build.ts";
import { arrayBus } from "../../../support/edge.ts";
import { askedEdge } from "../../../support/edge-app.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const codec = createCodec(topics.detections.messages);

/** A frame each second of cameras 1 to 3, with one car in it. */
const setUp = async (seconds: number, options: Parameters<typeof askedEdge>[0] = {}) => {
  const clock = virtualClock();
  const bus = arrayBus(clock);
  const beganMs = clock.nowMs();
  const edge = await askedEdge({ clock, bus, ...options });
  for (let seq = 0; seq < seconds; seq++) {
    for (const cameraId of [1, 2, 3]) {
      const result = aDetectionResult({
        messageId: `m${cameraId}-${seq}`,
        cameraId,
        seq,
        capturedAt: clock.nowMs(),
        timestamp: new Date(clock.nowMs()).toISOString(),
        detectedObjects: [{ class: "car", confidence: 0.9, bbox: [1, 2, 3, 4], trackId: 5 }],
        trafficGroups: [],
      });
      const { messageId: id, type, traceId: trace } = result;
      await bus.append([{ topic: topics.detections.name, key: String(cameraId), id, type, trace, bytes: codec.encode(result) }]);
    }
    await clock.advance(1_000);
  }
  return { ...edge, bus, beganMs };
};
const seen = ({ items }: { items: { camera: number; frame: number }[] }) =>
  items.map(({ camera, frame }) => `${camera}:${frame}`);
const framesOf = (camera: number, from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `${camera}:${from + index}`);

test("JSON has every row, over more than one batch", async () => {
  const { ask } = await setUp(120);
  const { status, json, headers } = await ask("/api/export/json");
  expect([status, headers.get("content-type")]).toEqual([200, "application/json"]);
  expect(seen(json)).toEqual([1, 2, 3].flatMap((camera) => framesOf(camera, 0, 120)));
});

test("CSV has a head and the same rows", async () => {
  const { ask } = await setUp(2);
  const { text, headers } = await ask("/api/export/csv?cameras=2");
  expect(headers.get("content-type")).toStartWith("text/csv");
  expect(text.split("\r\n").map((line) => line.split(",").slice(0, 2).join(","))).toEqual(["camera,frame", "2,0", "2,1", ""]);
});

test("without rows the answer is whole all the same", async () => {
  const { ask } = await setUp(0);
  expect((await ask("/api/export/json")).json).toEqual({ items: [] });
  expect((await ask("/api/export/csv")).text.split("\r\n")).toHaveLength(2);
});

test.each([
  ["cameras", "cameras=1,3", [...framesOf(1, 0, 9), ...framesOf(3, 0, 9)]],
  ["a camera that is not there", "cameras=44", []],
  ["a beginning", "cameras=1&from=BEGAN+4000", framesOf(1, 4, 9)],
  ["an end", "cameras=1&to=BEGAN+4000", framesOf(1, 0, 5)],
  ["both, as ISO", "cameras=2&from=ISO+1000&to=ISO+2500", framesOf(2, 1, 3)],
])("by %s", async (_what, query, expected) => {
  const { ask, beganMs } = await setUp(9);
  const path = query
    .replaceAll(/BEGAN\+(\d+)/g, (_, ms) => String(beganMs + Number(ms)))
    .replaceAll(/ISO\+(\d+)/g, (_, ms) => encodeURIComponent(new Date(beganMs + Number(ms)).toISOString()));
  expect(seen((await ask(`/api/export/json?${path}`)).json)).toEqual(expected);
});

describe("who may see only some cameras", () => {
  const options = { tokens: [{ name: "eye", role: "viewer" as const, cameras: [2], token: "eye-token" }] };
  test.each(["", "?cameras=1,2,3"])("gets theirs%s", async (query) => {
    const { ask } = await setUp(1, options);
    const headers = { authorization: "Bearer eye-token" };
    expect(seen((await ask(`/api/export/json${query}`, headers)).json)).toEqual(["2:0"]);
  });
});

test.each([
  ["from", "from=yesterday"],
  ["from", "from=2026-05-01T12:00:00"],
  ["to", "to=-1"],
  ["cameras", "cameras=1,,2"],
  ["cameras", "cameras=all"],
  ["from", "from=2000&to=1000"],
])("a wrong %s is refused: %s", async (field, query) => {
  const { ask } = await setUp(0);
  const { status, json } = await ask(`/api/export/csv?${query}`);
  expect([status, json.field]).toEqual([400, field]);
});

test("a bus that is away is said before anything is sent", async () => {
  const { ask, bus } = await setUp(1);
  bus.away = true;
  expect((await ask("/api/export/json")).status).toBe(503);
});

test("more exports at once than allowed are refused, and one that was broken off makes room", async () => {
  const { app } = await setUp(9);
  const bodies = await Promise.all(Array.from({ length: 4 }, async () => (await app.request("/api/export/json")).body));
  expect((await app.request("/api/export/csv")).status).toBe(429);
  await bodies[0]?.cancel();
  expect((await app.request("/api/export/csv")).status).toBe(200);
});
