import { expect, test } from "bun:test";
import { cocoClasses } from "../../../../actors/detector/classes.ts";
import { readDetections, readingPlan } from "../../../../actors/detector/postprocess.ts";

/** A YOLOv8 answer of these rows: x, y, width, height, then scores by class index. */
const answer = (rows: readonly { readonly box: readonly number[]; readonly scores: Readonly<Record<number, number>> }[]) => {
  const data = new Float32Array(84 * rows.length);
  rows.forEach(({ box, scores }, row) => {
    box.forEach((number, column) => {
      data[column * rows.length + row] = number;
    });
    for (const [index, score] of Object.entries(scores)) data[(4 + Number(index)) * rows.length + row] = score;
  });
  return [{ name: "output0", dims: [1, 84, rows.length], data }];
};
const plan = (allowed: readonly string[]) => readingPlan({ family: "yolov8", classes: cocoClasses }, 416, allowed);
const geometry = { inputScale: 0.5, imageWidth: 800, imageHeight: 600 };

test("boxes come back in pixels of the original frame, inside of it", () => {
  const found = readDetections(answer([{ box: [390, 100, 40, 60], scores: { 0: 0.9 } }]), plan([]), geometry);
  expect(found).toEqual([{ class: "person", confidence: expect.closeTo(0.9, 5), bbox: [740, 140, 800, 260] }]);
});

test("what lies in the letterbox's margin is no object", () => {
  expect(readDetections(answer([{ box: [200, 350, 40, 60], scores: { 0: 0.9 } }]), plan([]), geometry)).toEqual([]);
});

test("a van that is a car and a truck is one vehicle, by its better name", () => {
  const rows = [
    { box: [100, 100, 60, 40], scores: { 2: 0.6 } },
    { box: [101, 100, 60, 40], scores: { 7: 0.7 } },
  ];
  expect(readDetections(answer(rows), plan([]), geometry).map((found) => found.class)).toEqual(["truck"]);
  // A class that nobody asked for does not take the place of one that was asked for.
  expect(readDetections(answer(rows), plan(["car"]), geometry).map((found) => found.class)).toEqual(["car"]);
});

test("the class list is matched in any spelling, and names are canonical", () => {
  const light = answer([{ box: [100, 100, 20, 40], scores: { 9: 0.8 } }]);
  expect(readDetections(light, plan(["traffic_light"]), geometry).map((found) => found.class)).toEqual(["traffic light"]);
  expect(readDetections(light, plan(["stop_sign"]), geometry)).toEqual([]);
});

test("numbers that are none, and scores above one, do not get out", () => {
  const odd = answer([
    { box: [Number.NaN, 100, 20, 40], scores: { 0: 0.8 } },
    { box: [100, 100, Number.POSITIVE_INFINITY, 40], scores: { 0: 0.8 } },
    { box: [100, 100, 20, 40], scores: { 0: 1.2 } },
  ]);
  const found = readDetections(odd, plan([]), geometry);
  expect(found.map(({ confidence }) => confidence)).toEqual([1]);
});
