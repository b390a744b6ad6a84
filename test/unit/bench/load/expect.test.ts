import { expect, test } from "bun:test";
import { judgeAll, parseExpectation } from "../../../../bench/load/expect.ts";
import { figuresOfValues, single } from "../../../../bench/load/tally.ts";

test.each([
  [
    "a name of the contract with its statistic",
    "verdict.e2e.p95<2000",
    { name: "verdict.e2e", stat: "p95", operator: "<", limit: 2_000 },
  ],
  ["p95 alone is about verdicts", "p95<2s", { name: "verdict.e2e", stat: "p95", limit: 2_000 }],
  ["a latency without statistic is its P95", "detection.e2e <= 500ms", { name: "detection.e2e", stat: "p95", limit: 500 }],
  ["memory is its most", "rss.max<900", { name: "rss.max", stat: "max" }],
  ["a rate is its mean", "fps.achieved>=1.9", { name: "fps.achieved", stat: "mean", operator: ">=", limit: 1.9 }],
  ["or its least", "fps.achieved.min>=1.9", { name: "fps.achieved", stat: "min" }],
  ["a reason with an underscore", "drops.no_slot=0", { name: "drops.no_slot", stat: "mean", operator: "=", limit: 0 }],
  ["a share", "frames.late<0.1%", { name: "frames.late", limit: 0.1 }],
])("%s", (_says, text, expected) => {
  expect(parseExpectation(text)).toMatchObject(expected);
});

test.each([
  ["no comparison", "verdict.e2e.p95", "--expect takes NAME<LIMIT"],
  ["a figure that is none", "latency<5", "there is no figure latency; there are detection.e2e"],
])("%s is refused with one line", (_says, text, expected) => {
  expect(() => parseExpectation(text)).toThrow(expected);
});

test("what never happened was dropped for zero times, and a figure that is missing is not met", () => {
  const figures = new Map([
    ["detection.e2e", figuresOfValues([10, 20, 30])],
    ["llm.calls", single(7)],
  ]);
  const judge = (text: string) => judgeAll([parseExpectation(text)], figures)[0];
  expect(judge("detection.e2e<30")).toMatchObject({ value: 30, met: false });
  expect(judge("detection.e2e.median<=20")).toMatchObject({ value: 20, met: true });
  expect(judge("llm.calls>5")).toMatchObject({ value: 7, met: true });
  expect(judge("drops.late=0")).toMatchObject({ value: 0, met: true });
  expect(judge("verdict.e2e<9999")).toMatchObject({ value: null, met: false });
});
