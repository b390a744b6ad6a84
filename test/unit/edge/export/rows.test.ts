import { expect, test } from "bun:test";
import { columns, csvLine, csvOf, rowsOf } from "../../../../edge/export/rows.ts";
import { aDetectionResult, aGroup } from "../../../support/build.ts";

const objects = [
  { class: "car", confidence: 0.912345, bbox: [10.04, 20, 110.26, 80], trackId: 1, speed: 7.456 },
  { class: "person", confidence: 0.5, bbox: [0, 0, 5, 9], trackId: 2 },
] as const;

test("each road user of a frame is a row, with the group of the highest risk", () => {
  const result = aDetectionResult({
    cameraId: 4,
    seq: 17,
    timestamp: "2026-05-01T12:00:00.000Z",
    detectedObjects: objects.map((object) => ({ ...object, bbox: [...object.bbox] })),
    trafficGroups: [
      aGroup({ groupKey: "near", memberIndices: [0], riskLevel: "low" }),
      aGroup({ groupKey: "worse", memberIndices: [0], riskLevel: "high" }),
      aGroup({ groupKey: "same", memberIndices: [0], riskLevel: "high" }),
    ],
  });
  expect(rowsOf(result)).toEqual([
    {
      camera: 4,
      frame: 17,
      time: "2026-05-01T12:00:00.000Z",
      track: 1,
      class: "car",
      confidence: 0.9123,
      box: [10, 20, 110.3, 80],
      speed: 7.46,
      group: "worse",
      risk: "high",
    },
    {
      camera: 4,
      frame: 17,
      time: "2026-05-01T12:00:00.000Z",
      track: 2,
      class: "person",
      confidence: 0.5,
      box: [0, 0, 5, 9],
      group: null,
      risk: "none",
    },
  ]);
  expect(rowsOf(result).map(csvOf)).toEqual([
    "4,17,2026-05-01T12:00:00.000Z,1,car,0.9123,10,20,110.3,80,7.46,worse,high\r\n",
    "4,17,2026-05-01T12:00:00.000Z,2,person,0.5,0,0,5,9,,,none\r\n",
  ]);
  expect(columns).toHaveLength(13);
});

test.each([
  ["a comma", "a,b", '"a,b"'],
  ["a quotation mark", 'say "hi"', '"say ""hi"""'],
  ["a line's end", "a\r\nb", '"a\r\nb"'],
  ["what a spreadsheet would work out", "=HYPERLINK(1)", "'=HYPERLINK(1)"],
  ["a negative number stays a number", -3.5, "-3.5"],
  ["nothing", null, ""],
])("a cell with %s", (_what, value, expected) => {
  expect(csvLine([1, value, "z"])).toBe(`1,${expected},z\r\n`);
});
