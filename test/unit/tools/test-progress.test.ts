import { expect, test } from "bun:test";
import { followTests } from "../../../tools/test-progress.ts";

const follow = (...lines: readonly string[]) => {
  const shown: string[] = [];
  const progress = followTests((text) => shown.push(text));
  for (const each of lines) progress.line(each);
  return { shown, ...progress.tally(), place: progress.place() };
};

const half = [
  "bun test v1.4.5 (a7733435c)",
  "",
  "test/unit/a.test.ts:",
  "(pass) sums > adds [0.29ms]",
  "(skip) sums > in roman numerals",
  "",
  "test/unit/b.test.ts:",
  "said on the way",
  "(pass) waits [12.00ms]",
  "4 | expect(1).toBe(2)",
  "error: expect(received).toBe(expected)",
  "(fail) takes one for two [0.05ms]",
];
const sum = [" 2 pass", " 1 skip", " 1 fail", " 3 expect() calls", "Ran 4 tests across 2 files. [24.66s]"];

test("tests that pass are not shown, the others are, below the name of their file", () => {
  const { shown } = follow(...half, "", "test/unit/c.test.ts:", "(pass) is well", "", ...sum);
  expect(shown).toEqual([
    "\ntest/unit/b.test.ts:",
    "said on the way",
    "4 | expect(1).toBe(2)",
    "error: expect(received).toBe(expected)",
    "(fail) takes one for two [0.05ms]",
  ]);
});

test("what had ended is known, each failure with what was said since the test before", () => {
  expect(follow(...half)).toMatchObject({
    passed: 2,
    failures: [
      {
        test: "test/unit/b.test.ts: takes one for two",
        says: "4 | expect(1).toBe(2)\nerror: expect(received).toBe(expected)",
      },
    ],
    skipped: ["test/unit/a.test.ts: sums > in roman numerals"],
  });
});

test.each([
  ["nothing", [], "before its first file"],
  ["a file that has begun", [...half, "test/unit/c.test.ts:"], "in test/unit/c.test.ts, before its first test had ended"],
  ["a test that has ended", half, 'in test/unit/b.test.ts, after "takes one for two"'],
])("after %s it says so", (_says, lines, place) => {
  expect(follow(...lines).place).toBe(place);
});
