import { expect, test } from "bun:test";
import { assignKeys, startKeys } from "../../../../actors/clusterer/group-key.ts";

type Frame = readonly (readonly number[])[];

/** The keys of each frame, as letters in order of first appearance. */
const lettersOf = (frames: readonly Frame[], periodMs = 500): string[][] => {
  const keys = startKeys("1");
  const letters = new Map<string, string>();
  return frames.map((groups, index) =>
    assignKeys(keys, groups, index * periodMs).map((key) => {
      if (!letters.has(key)) letters.set(key, String.fromCharCode(65 + letters.size));
      return letters.get(key) ?? "";
    }),
  );
};

test.each<[string, Frame[], string[][]]>([
  ["a group that stays keeps its key", [[[1, 2]], [[1, 2]]], [["A"], ["A"]]],
  [
    "the order of groups does not matter",
    [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [3, 4],
        [1, 2],
      ],
    ],
    [
      ["A", "B"],
      ["B", "A"],
    ],
  ],
  ["a member more keeps the key", [[[1, 2]], [[1, 2, 3]]], [["A"], ["A"]]],
  ["many members more keep the key", [[[1, 2]], [[1, 2, 3, 4, 5, 6]]], [["A"], ["A"]]],
  ["a member less keeps the key", [[[1, 2, 3]], [[1, 3]]], [["A"], ["A"]]],
  ["members may change one by one", [[[1, 2, 3]], [[2, 3, 4]], [[3, 4, 5]], [[4, 5, 6]]], [["A"], ["A"], ["A"], ["A"]]],
  ["one old member of two is another group", [[[1, 2]], [[2, 3]]], [["A"], ["B"]]],
  ["all members new is another group", [[[1, 2]], [[3, 4]]], [["A"], ["B"]]],
  [
    "of two parts the greater keeps the key",
    [
      [[1, 2, 3, 4, 5]],
      [
        [1, 2],
        [3, 4, 5],
      ],
    ],
    [["A"], ["B", "A"]],
  ],
  [
    "of two halves just one keeps the key",
    [
      [[1, 2, 3, 4]],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [["A"], ["A", "B"]],
  ],
  [
    "two groups that join keep the key of the greater",
    [
      [
        [1, 2],
        [3, 4, 5],
      ],
      [[1, 2, 3, 4, 5]],
    ],
    [["A", "B"], ["B"]],
  ],
  [
    "of equal groups that join the older keeps its key",
    [
      [[3, 4]],
      [
        [1, 2],
        [3, 4],
      ],
      [[1, 2, 3, 4]],
    ],
    [["A"], ["B", "A"], ["A"]],
  ],
  [
    "groups that join and part again get their own keys back",
    [
      [
        [1, 2],
        [3, 4],
      ],
      [[1, 2, 3, 4]],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [["A", "B"], ["A"], ["A", "B"]],
  ],
  ["a frame without the group does no harm", [[[1, 2]], [], [[1, 2]]], [["A"], [], ["A"]]],
])("%s", (_, frames, expected) => {
  expect(lettersOf(frames)).toEqual(expected);
});

test("a group is forgotten after three seconds out of sight", () => {
  const keys = startKeys("1");
  assignKeys(keys, [[1, 2, 3]], 0);
  assignKeys(keys, [], 3001);
  expect(keys.known.size).toBe(0);
});

test("keys are short, the same for the same history, and differ by origin", () => {
  const [key] = assignKeys(startKeys("7@1"), [[2, 1]], 0);
  expect(key).toMatch(/^g[0-9a-f]{16}$/);
  expect(assignKeys(startKeys("7@1"), [[1, 2]], 500)).toEqual([key ?? ""]);
  expect(assignKeys(startKeys("8@1"), [[1, 2]], 0)).not.toEqual([key ?? ""]);
});

test("no two groups of a frame share a key, also when the founders of one key come together again", () => {
  const keys = startKeys("1");
  const [first] = assignKeys(keys, [[1, 2, 3]], 0);
  // 1, 2, 3 are replaced one by one, so the key moves on to others while its founders form a group anew.
  assignKeys(keys, [[2, 3, 4]], 400);
  assignKeys(keys, [[3, 4, 5]], 800);
  assignKeys(keys, [[4, 5, 6]], 1200);
  const both = assignKeys(
    keys,
    [
      [4, 5, 6],
      [1, 2, 3],
    ],
    1500,
  );
  expect(both[0]).toBe(first ?? "");
  expect(new Set(both).size).toBe(2);
});

test("what is remembered is bounded", () => {
  const keys = startKeys("1");
  for (let frame = 0; frame < 30; frame++) {
    assignKeys(
      keys,
      Array.from({ length: 100 }, (_, index) => [frame * 1000 + index * 2, frame * 1000 + index * 2 + 1]),
      frame * 10,
    );
  }
  expect(keys.known.size).toBe(1000);
});
