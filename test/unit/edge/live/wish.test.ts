import { describe, expect, test } from "bun:test";
import { detectionTopics, eventTopics, isPerCamera, wants, wishOf } from "../../../../edge/live/wish.ts";

const noEvents = { types: ["detection_result"] } as const;

describe("topics of detection results", () => {
  test.each([
    ["everything, without pictures", {}, null, ["boxes@all/*"]],
    ["everything, with pictures", { frames: true }, null, ["frames@all/*"]],
    ["two cameras", { cameraIds: [1, 2] }, null, ["boxes@all/1", "boxes@all/2"]],
    ["a rate is rounded to tenths", { maxFps: 1.26 }, null, ["boxes@1.3/*"]],
    ["pictures of one camera, boxes of those seen so far", { frames: [2] }, null, ["boxes@all/1", "frames@all/2", "boxes@all/3"]],
    ["pictures of one of two cameras", { cameraIds: [1, 2], frames: [2] }, null, ["boxes@all/1", "frames@all/2"]],
    ["no detection results", { types: ["risk_update" as const] }, null, []],
    ["no camera", { cameraIds: [] }, null, []],
    ["within the token's cameras", {}, new Set([4]), ["boxes@all/4"]],
    ["never beyond the token's cameras", { cameraIds: [4, 5] }, new Set([4]), ["boxes@all/4"]],
  ])("%s", (_what, asked, scope, topics) => {
    expect(detectionTopics(wishOf(asked, scope), [1, 2, 3])).toEqual(topics);
  });
});

test("other kinds of message have a topic each", () => {
  expect(eventTopics(wishOf({ types: ["risk_update", "camera_status"] }, null))).toEqual(["risk_update/*", "camera_status/*"]);
  expect(eventTopics(wishOf({ types: ["risk_update"], cameraIds: [7] }, null))).toEqual(["risk_update/7"]);
  expect(eventTopics(wishOf(noEvents as never, null))).toEqual([]);
});

test("only pictures of some cameras out of all must be arranged camera by camera", () => {
  expect(
    [{ frames: [1] }, { frames: [1], cameraIds: [1, 2] }, { frames: true }].map((asked) => isPerCamera(wishOf(asked, null))),
  ).toEqual([true, false, false]);
});

test("a wish knows what it covers", () => {
  const wish = wishOf({ cameraIds: [1], types: ["risk_update"] }, null);
  expect([wants(wish, "risk_update", 1), wants(wish, "risk_update", 2), wants(wish, "camera_status", 1)]).toEqual([
    true,
    false,
    false,
  ]);
});
