/** Which second call for a task was money thrown away, by what caller and store could know. */
import { expect, test } from "bun:test";
import { type Absence, type ModelCall, repeatedPayments } from "../../../../bench/chaos/calls.ts";
import type { AnswerCommand } from "../../../../bench/chaos/services.ts";

const call = (arrivedAtMs: number, endedAtMs: number, outcome: ModelCall["outcome"] = "answered"): ModelCall => ({
  ...{ taskId: "t", arrivedAtMs, endedAtMs, outcome },
});
const asked = (command: AnswerCommand["command"], atMs: number): AnswerCommand => ({ command, taskId: "t", atMs });
const twice = [call(10_000, 11_000), call(30_000, 31_000)];

type Row = [
  string,
  readonly ModelCall[],
  readonly AnswerCommand[],
  readonly Absence[],
  number | null,
  readonly (string | null)[],
];
test.each<Row>([
  ["one call is no repetition", [call(10_000, 11_000)], [], [], null, []],
  ["a call that was cut paid for nothing", [call(10_000, 10_500, "cut"), call(30_000, 31_000)], [], [], null, []],
  ["a refused call may be made again", [call(10_000, 10_500, "refused"), call(30_000, 31_000)], [], [], null, []],
  [
    "the scheduler died before it could keep the answer",
    twice,
    [asked("get", 9_900), asked("get", 29_900)],
    [{ what: "scheduler", fromMs: 11_200, toMs: 12_000 }],
    null,
    [null],
  ],
  [
    "the store was away when the answer was to be kept",
    twice,
    [asked("get", 29_900)],
    [{ what: "redis", fromMs: 10_500, toMs: 14_000 }],
    null,
    [null],
  ],
  [
    "the store was away when it was to be asked",
    twice,
    [asked("set", 11_010)],
    [{ what: "redis", fromMs: 28_000, toMs: 33_000 }],
    null,
    [null],
  ],
  [
    "the answer was kept and found",
    twice,
    [asked("set", 11_010), asked("get", 29_900)],
    [],
    null,
    ["the kept answer was looked for, and was there"],
  ],
  ["nobody looked", twice, [asked("set", 11_010)], [], null, ["nobody looked for the kept answer, and the store was there"]],
  [
    "nobody kept it although all was well",
    twice,
    [asked("get", 29_900)],
    [],
    null,
    ["the first answer was not kept, though scheduler and store were there"],
  ],
  [
    "the result was public",
    twice,
    [],
    [{ what: "redis", fromMs: 0, toMs: 99_000 }],
    20_000,
    ["its result was on the topic already"],
  ],
])("%s", (_what, calls, commands, absences, publishedAtMs, faults) => {
  const published = new Map(publishedAtMs === null ? [] : [["t", publishedAtMs] as const]);
  const payments = repeatedPayments(new Map([["t", calls]]), new Map([["t", commands]]), absences, published);
  expect(payments.map(({ fault }) => fault)).toEqual([...faults]);
});
