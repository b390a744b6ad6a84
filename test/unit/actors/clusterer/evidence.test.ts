import { describe, expect, test } from "bun:test";
import { cutEvidence, type EncodeCrop, evidenceDefaults, type Picture } from "../../../../actors/clusterer/evidence.ts";
import { aGroup } from "../../../support/build.ts";

const picture: Picture = { pixels: new Uint8Array(640 * 360 * 3), width: 640, height: 360, scaleX: 0.5, scaleY: 0.5 };

/** Answers pictures of these sizes, in order; 0 is none. */
const encoder = (...sizes: readonly number[]) => {
  const calls: Parameters<EncodeCrop>[] = [];
  const encodeCrop: EncodeCrop = (...call) => {
    const size = sizes[calls.length] ?? 100;
    calls.push(call);
    return size > 0 ? new Uint8Array(size) : null;
  };
  return { calls, encodeCrop };
};

const groups = (count: number) =>
  Array.from({ length: count }, (_, index) => aGroup({ groupIndex: index + 1, bbox: [100, 200, 300, 260] }));

test("cuts in the picture's pixels, with a margin of 12 pixels of the frame", () => {
  const { calls, encodeCrop } = encoder();
  const { images, omitted } = cutEvidence(groups(1), picture, encodeCrop, evidenceDefaults);
  expect(calls).toEqual([[picture.pixels, 640, 360, [50, 100, 150, 130], 6, { quality: 90, maxBytes: 65_536 }]]);
  expect(images).toEqual([{ groupIndex: 1, objectCount: 2, classes: ["car", "person"], image: new Uint8Array(100) }]);
  expect(omitted).toBe(0);
});

describe("bounds", () => {
  test.each<[string, number[], number[], number]>([
    ["all that fits is kept", [60_000, 60_000, 60_000], [1, 2, 3], 0],
    ["one that cannot be made is counted", [60_000, 0, 60_000], [1, 3], 1],
    ["one that is too large although the encoder was told is left out", [60_000, 65_537], [1], 1],
    ["exactly 64 KiB is not too large", [65_536], [1], 0],
    ["the largest goes first", [...Array(8).fill(60_000), 50_000, 65_000], [1, 2, 3, 4, 5, 6, 7, 9], 2],
    ["of equally large ones the later goes", Array(10).fill(60_000), [1, 2, 3, 4, 5, 6, 7, 8], 2],
    ["exactly 512 KiB is kept", Array(8).fill(65_536), [1, 2, 3, 4, 5, 6, 7, 8], 0],
  ])("%s", (_, sizes, kept, expectedOmitted) => {
    const { images, omitted } = cutEvidence(groups(sizes.length), picture, encoder(...sizes).encodeCrop, evidenceDefaults);
    expect(images.map(({ groupIndex }) => groupIndex)).toEqual(kept);
    expect(omitted).toBe(expectedOmitted);
  });
});
