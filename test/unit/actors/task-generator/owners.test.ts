import { describe, expect, test } from "bun:test";
import { isSuperseded, type Owners } from "../../../../actors/task-generator/owners.ts";

/** Records of one camera as `[epoch, seconds]`, and which of them are passed over. */
const table: readonly { says: string; records: readonly (readonly [number, number])[]; over: readonly number[] }[] = [
  {
    says: "one owner is never passed over, whatever the order",
    records: [
      [5, 1],
      [5, 3],
      [5, 2],
    ],
    over: [],
  },
  {
    says: "a later owner stands above, and the earlier is passed over",
    records: [
      [5, 1],
      [6, 2],
      [5, 3],
      [6, 4],
    ],
    over: [2],
  },
  {
    says: "what the earlier saw before the later began counts however late it comes",
    records: [
      [6, 5],
      [5, 4],
      [6, 6],
    ],
    over: [],
  },
  {
    says: "an owner that is silent for 10 s is gone",
    records: [
      [6, 5],
      [5, 15],
      [5, 16],
      [5, 17],
    ],
    over: [1],
  },
  {
    says: "after that its epoch is the higher again",
    records: [
      [6, 5],
      [5, 17],
      [6, 18],
      [5, 19],
    ],
    over: [3],
  },
];

describe("of several owners of a camera", () => {
  for (const { says, records, over } of table)
    test(says, () => {
      const owners: Owners = new Map();
      const passed = records.flatMap(([ownerEpoch, seconds], index) =>
        isSuperseded(owners, { cameraId: 1, ownerEpoch, capturedAt: seconds * 1_000 }) ? [index] : [],
      );
      expect(passed).toEqual([...over]);
    });

  test("cameras do not know each other", () => {
    const owners: Owners = new Map();
    expect(isSuperseded(owners, { cameraId: 1, ownerEpoch: 9, capturedAt: 1_000 })).toBe(false);
    expect(isSuperseded(owners, { cameraId: 2, ownerEpoch: 5, capturedAt: 2_000 })).toBe(false);
  });
});
