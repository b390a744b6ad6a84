import { expect, test } from "bun:test";
import { type Mutant, scoreOf, survivorText, tallyOf } from "../../../tools/mutate/report.ts";

const mutant = (status: Mutant["status"], rest: Partial<Mutant> = {}): Mutant => ({
  mutatorName: "ConditionalExpression",
  replacement: "true",
  status,
  location: { start: { line: 1, column: 5 }, end: { line: 1, column: 10 } },
  ...rest,
});

test("what a test or the clock noticed counts for the score, what nothing noticed against it", () => {
  const statuses = ["Killed", "Killed", "Timeout", "Survived", "NoCoverage", "CompileError", "Ignored"] as const;
  const tally = tallyOf(
    "a.ts",
    statuses.map((status) => mutant(status)),
  );
  expect(tally).toEqual({ file: "a.ts", killed: 2, timedOut: 1, survived: 2 });
  expect(scoreOf(tally)).toBe(60);
  expect(scoreOf(tally, { file: "b.ts", killed: 5, timedOut: 0, survived: 0 })).toBe(80);
  expect(scoreOf({ file: "types.ts", killed: 0, timedOut: 0, survived: 0 })).toBe(100);
});

test.each([
  ["on one line", mutant("Survived"), "a.ts:1:5  ConditionalExpression: a < b => true"],
  [
    "over lines",
    mutant("Survived", {
      mutatorName: "BlockStatement",
      replacement: "{}",
      location: { start: { line: 1, column: 12 }, end: { line: 3, column: 2 } },
    }),
    "a.ts:1:12  BlockStatement: { run(); } => {}",
  ],
])("a survivor is named by its place, what stood there and what was put there: %s", (_where, survivor, text) => {
  expect(survivorText("a.ts", survivor, ["if (a < b) {", "  run();", "}"])).toBe(text);
});
