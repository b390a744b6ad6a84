import { expect, test } from "bun:test";
import { createWatch, gradeOf, measuredFps, noteFrame, noteState } from "../../../../edge/cameras/health.ts";

const startMs = 1_700_000_000_000;
const minuteMs = 60_000;

/** A camera watched for `minutes` that delivered `fps` frames a second, with so many interruptions. */
const watched = (expectedFps: number, fps: number, { reconnects = 0, stalls = 0, minutes = 20 } = {}) => {
  const watch = createWatch(expectedFps, startMs);
  const endMs = startMs + minutes * minuteMs;
  noteState(watch, "online", startMs);
  for (let count = 0; count < reconnects; count++) {
    noteState(watch, "connecting", endMs - minuteMs);
    noteState(watch, "online", endMs - minuteMs);
  }
  for (let count = 0; count < stalls; count++) {
    noteState(watch, "stale", endMs - minuteMs);
    noteState(watch, "online", endMs - minuteMs);
  }
  for (let at = endMs - 120_000; fps > 0 && at < endMs; at += 1000 / fps) noteFrame(watch, at, at);
  return { watch, endMs };
};

test.each([
  ["full rate, no interruption", 2, 2, {}, "excellent"],
  ["a rate just above nine tenths", 10, 9.2, {}, "excellent"],
  ["a slow camera at its rate", 0.05, 0.05, {}, "excellent"],
  ["four stalls in an hour are forgiven", 2, 2, { stalls: 4 }, "excellent"],
  ["five stalls are not", 2, 2, { stalls: 5 }, "fair"],
  ["one reconnect", 2, 2, { reconnects: 1 }, "fair"],
  ["two thirds of the rate", 6, 4, {}, "fair"],
  ["half of the rate", 2, 1, {}, "poor"],
  ["three reconnects", 2, 2, { reconnects: 3 }, "poor"],
  ["eleven reconnects", 2, 2, { reconnects: 11 }, "unusable"],
  ["more than a hundred stalls", 2, 2, { stalls: 101 }, "unusable"],
  ["no frames at all", 2, 0, {}, "unusable"],
])("%s: %d wanted, %d come", (_what, expectedFps, fps, trouble, grade) => {
  const { watch, endMs } = watched(expectedFps, fps, trouble);
  expect(gradeOf(watch, endMs).grade).toBe(grade as never);
});

test("a camera that has just begun is not judged", () => {
  const watch = createWatch(2, startMs);
  expect(gradeOf(watch, startMs + 3_000).grade).toBe("unknown");
});

test("an offline camera is unusable whatever it delivered before", () => {
  const { watch, endMs } = watched(2, 2);
  noteState(watch, "offline", endMs);
  expect(gradeOf(watch, endMs)).toEqual({ grade: "unusable", reasons: ["the camera is offline"] });
});

test("troubles are forgotten after an hour", () => {
  const { watch, endMs } = watched(2, 2, { reconnects: 5 });
  const laterMs = endMs + 61 * minuteMs;
  for (let at = laterMs - 20_000; at < laterMs; at += 500) noteFrame(watch, at, at);
  expect(gradeOf(watch, laterMs).grade).toBe("excellent");
});

test("the measured rate falls to nothing when frames stop", () => {
  const { watch, endMs } = watched(2, 2);
  expect(measuredFps(watch, endMs)).toBeCloseTo(2, 1);
  expect(measuredFps(watch, endMs + 30_000)).toBe(0);
});

test("what is remembered of a camera is bounded", () => {
  const watch = createWatch(30, startMs);
  for (let count = 0; count < 5_000; count++) {
    noteFrame(watch, startMs + count, startMs + count);
    noteState(watch, count % 2 === 0 ? "online" : "connecting", startMs + count);
  }
  expect([watch.arrivalsMs.length <= 512, watch.reconnectsMs.length <= 128]).toEqual([true, true]);
});
