import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type SendLimit, sendLimit, sendWindow } from "../../../../actors/scheduler/window.ts";

/** Sends as soon as allowed, each call wanting to go `gaps[i]` after the one before. */
const sendAll = (limit: SendLimit, gaps: readonly number[]): number[] => {
  let wantedMs = 0;
  let sentMs = 0;
  return gaps.map((gap) => {
    wantedMs = Math.max(wantedMs + gap, sentMs);
    sentMs = limit.nextAtMs(wantedMs);
    limit.take(sentMs);
    return sentMs;
  });
};

/** Slow and obvious: how many of the times lie in the fullest window [t, t + length). */
const fullest = (times: readonly number[], lengthMs: number): number =>
  times.reduce((most, start) => Math.max(most, times.filter((time) => time >= start && time < start + lengthMs).length), 0);

describe("a limit on send times", () => {
  test("E1.6: no window of 1 s or 60 s ever holds more than the limit, whenever calls want to go", () => {
    const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 40 }), gaps, (rps, rpm, wanted) => {
        const times = sendAll(sendLimit({ rps, rpm }, 0), wanted);
        return (
          fullest(times, 1_000) <= rps && fullest(times, 60_000) <= rpm && times.every((time, at) => time >= (times[at - 1] ?? 0))
        );
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test("it holds nothing back that the limit allows", () => {
    expect(sendAll(sendWindow(3, 1_000), [0, 0, 0, 0, 0, 0, 0])).toEqual([0, 0, 0, 1_000, 1_000, 1_000, 2_000]);
    expect(sendAll(sendWindow(2, 1_000), [0, 400, 100, 500])).toEqual([0, 400, 1_000, 1_400]);
  });

  test("windows are longer by the slack", () => {
    expect(sendAll(sendLimit({ rps: 1, rpm: undefined }, 50), [0, 0])).toEqual([0, 1_050]);
  });

  test("a rate below one a window makes the window longer", () => {
    expect(sendAll(sendWindow(0.5, 1_000), [0, 0, 0])).toEqual([0, 2_000, 4_000]);
  });

  test("a rate that is no whole number is rounded down", () => {
    expect(sendAll(sendWindow(2.9, 1_000), [0, 0, 0])).toEqual([0, 0, 1_000]);
  });

  test("a very high limit is kept in bounded memory, not looser", () => {
    const times = sendAll(
      sendWindow(1_000_000, 60_000),
      Array.from({ length: 70_000 }, () => 0),
    );
    expect(times.filter((time) => time < 60_000)).toHaveLength(70_000);
    expect(times.at(-1)).toBeGreaterThan(0);
  });

  test("without limits there is no wait", () => {
    expect(sendAll(sendLimit({}, 50), [0, 0, 0])).toEqual([0, 0, 0]);
  });
});
