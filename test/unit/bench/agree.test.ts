import { expect, test } from "bun:test";
import { agreements, agreementText } from "../../../bench/agree.ts";
import type { ReportFile } from "../../../bench/results.ts";

type Row = ReportFile["results"][number];
const row = (median: number, min: number, max: number, more: Partial<Row> = {}): Row => {
  return { name: "hops", unit: "msgs/s", samples: 11, median, min, max, ...more };
};
const report = (...results: Row[]): ReportFile => {
  return { bench: "toy", commit: "abc1234", machine: "a machine", bun: "1.4.5", notes: [], results };
};

test.each([
  ["each median lies in the other's range", row(100, 90, 110), row(105, 95, 120), ["agree"]],
  ["one median lies outside the other's range", row(100, 90, 130), row(120, 110, 125), ["differ"]],
  ["ranges that do not meet", row(100, 90, 110), row(200, 190, 210), ["differ"]],
  ["two single figures that are the same", row(5, 5, 5), row(5, 5, 5), ["agree"]],
  ["two single figures that are not", row(5, 5, 5), row(6, 6, 6), ["no spread"]],
  ["a row that the other has not", row(5, 5, 5), row(5, 5, 5, { name: "turns" }), ["alone", "alone"]],
  [
    "a ratio is judged beside the figure",
    row(100, 90, 110, { versus: "nact", ratio: 2, ratioMin: 1.9, ratioMax: 2.1 }),
    row(100, 90, 110, { versus: "nact", ratio: 3, ratioMin: 2.9, ratioMax: 3.1 }),
    ["agree", "differ"],
  ],
] as const)("%s", (_says, one, other, expected) => {
  expect(agreements([report(one)], [report(other)]).map(({ outcome }) => outcome)).toEqual([...expected]);
});

test("the text names commits, machines and counts", () => {
  const other = { ...report(row(105, 95, 120)), machine: "another", commit: "def5678" };
  const { text, isAgreed } = agreementText([report(row(100, 90, 110))], [other]);
  expect(isAgreed).toBe(true);
  expect(text.split("\n")).toEqual([
    "first:  toy at abc1234, a machine, Bun 1.4.5",
    "second: toy at def5678, another, Bun 1.4.5",
    "the machines differ: only ratios can be expected to agree",
    "  agree     toy: hops: 100 (90–110) and 105 (95–120) msgs/s, 1.05 times",
    "1 agree, 0 differ, 0 without a spread, 0 in one report only",
    "",
  ]);
});

test("reports with nothing in common do not agree", () => {
  expect(agreementText([report()], [report(row(1, 1, 1))]).isAgreed).toBe(false);
});
