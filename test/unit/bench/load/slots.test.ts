import { expect, test } from "bun:test";
import { lateness } from "../../../../bench/load/slots.ts";

test.each([
  ["all on time", [1_000_007, 1_000_507, 1_001_007], 500, [0, 0, 0]],
  ["one of them held up", [1_000_007, 1_000_607, 1_001_007, 1_001_507], 500, [0, 100, 0, 0]],
  ["a grid whose beginning is shortly before a whole step", [1_000_490, 1_000_995, 1_001_491], 500, [0, 5, 1]],
  ["every second or third place of a finer grid", [1_000_050, 1_000_450, 1_001_070, 1_001_450], 200, [0, 0, 20, 0]],
  ["no frames", [], 500, []],
  ["one frame", [123_456], 500, [0]],
])("%s", (_says, capturedAt, stepMs, expected) => {
  expect(lateness(capturedAt, stepMs)).toEqual(expected);
});
