import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { countWindow, type RateLimits, sendLimit } from "../../../../actors/scheduler/window.ts";

type Limit = {
  readonly nextAtMs: (nowMs: number, tokens?: number) => number;
  readonly take: (nowMs: number, tokens?: number) => unknown;
};
type Call = { readonly atMs: number; readonly tokens: number };

/** Sends as soon as allowed, each call wanting to go `gaps[i]` after the one before. */
const sendAll = (limit: Limit, gaps: readonly number[], tokens: readonly number[] = []): Call[] => {
  let wantedMs = 0;
  let sentMs = 0;
  return gaps.map((gap, index) => {
    wantedMs = Math.max(wantedMs + gap, sentMs);
    sentMs = wantedMs;
    // The answer for a time to come may itself be a later one: asked again until it stands.
    for (let atMs = limit.nextAtMs(sentMs, tokens[index]); atMs > sentMs; atMs = limit.nextAtMs(sentMs, tokens[index]))
      sentMs = atMs;
    limit.take(sentMs, tokens[index]);
    return { atMs: sentMs, tokens: tokens[index] ?? 0 };
  });
};
const timesOf = (calls: readonly Call[]) => calls.map(({ atMs }) => atMs);

/** Slow and obvious: the most of a sum in any window [t, t + length). Times that differ by rounding are the same. */
const fullest = (calls: readonly Call[], lengthMs: number, amount: (call: Call) => number): number =>
  calls.reduce((most, { atMs: start }) => {
    const inside = calls.filter(({ atMs }) => atMs >= start && atMs < start + lengthMs - 1e-6);
    return Math.max(
      most,
      inside.reduce((sum, call) => sum + amount(call), 0),
    );
  }, 0);
const one = () => 1;
const tokensOf = ({ tokens }: Call) => tokens;

const wantedGaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })), { minLength: 1, maxLength: 120 });
const runs = { numRuns: 200, seed: 1 };

describe("a limit on calls", () => {
  test("E1.6: no window of 1 s or 60 s ever holds more than the limit, whenever calls want to go", () => {
    const limits = [fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 40 }), wantedGaps] as const;
    fc.assert(
      fc.property(...limits, (rps, rpm, wanted) => {
        const calls = sendAll(sendLimit({ rps, rpm }, 0), wanted);
        const inOrder = calls.every(({ atMs }, index) => atMs >= (calls[index - 1]?.atMs ?? 0));
        return fullest(calls, 1_000, one) <= rps && fullest(calls, 60_000, one) <= rpm && inOrder;
      }),
      runs,
    );
  });
  test("it holds nothing back that the limit allows", () => {
    expect(timesOf(sendAll(countWindow(3, 1_000), [0, 0, 0, 0, 0, 0, 0]))).toEqual([0, 0, 0, 1_000, 1_000, 1_000, 2_000]);
    expect(timesOf(sendAll(countWindow(2, 1_000), [0, 400, 100, 500]))).toEqual([0, 400, 1_000, 1_400]);
  });
  test("windows are longer by the headroom", () => {
    expect(timesOf(sendAll(sendLimit({ rps: 1 }, 0.2), [0, 0]))).toEqual([0, 1_250]);
  });
  test("a rate below one a window makes the window longer", () => {
    expect(timesOf(sendAll(countWindow(0.5, 1_000), [0, 0, 0]))).toEqual([0, 2_000, 4_000]);
  });
  test("a rate that is no whole number is rounded down", () => {
    expect(timesOf(sendAll(countWindow(2.9, 1_000), [0, 0, 0]))).toEqual([0, 0, 1_000]);
  });
  test("a very high limit is kept in bounded memory, not looser", () => {
    const calls = sendAll(countWindow(1_000_000, 60_000), new Array<number>(70_000).fill(0));
    expect(calls.filter(({ atMs }) => atMs < 60_000)).toHaveLength(70_000);
    expect(calls.at(-1)?.atMs).toBeGreaterThan(0);
  });
  test("without limits there is no wait", () => {
    expect(timesOf(sendAll(sendLimit({}, 0.1), [0, 0, 0]))).toEqual([0, 0, 0]);
  });
  test("a minute's limit is spread over the minute: a burst of five seconds' worth, then an even pace", () => {
    const times = timesOf(sendAll(sendLimit({ rpm: 60 }, 0), new Array<number>(61).fill(0)));
    expect(times.slice(0, 8)).toEqual([0, 0, 0, 0, 0, 1_000, 2_000, 3_000]);
    expect(times.at(-1)).toBe(60_000);
    const gaps = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
  });
});

describe("under a steady flood", () => {
  test("calls go in a burst once, then evenly: what is late on its way does not meet the next burst", () => {
    const times = timesOf(sendAll(sendLimit({ rps: 10 }, 0), new Array<number>(60).fill(0)));
    expect(times.slice(0, 10)).toEqual(new Array<number>(10).fill(0));
    const gaps = times.slice(11).map((time, index) => Math.round(time - (times[index + 10] ?? 0)));
    expect(gaps).toEqual(new Array<number>(49).fill(100));
  });
  test("after a quiet time there may be a burst again", () => {
    const limit = sendLimit({ rps: 10 }, 0);
    sendAll(limit, new Array<number>(30).fill(0));
    const went = Array.from({ length: 20 }, () => limit.nextAtMs(10_000) <= 10_000 && limit.take(10_000)).filter(Boolean);
    expect(went).toHaveLength(10);
  });
});

describe("a limit on tokens", () => {
  test("no window of 1 s or 60 s ever holds more, but for a call that is larger than the limit, which goes alone", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 120, maxLength: 120 });
    fc.assert(
      fc.property(
        fc.integer({ min: 300, max: 900 }),
        fc.integer({ min: 300, max: 3_000 }),
        wantedGaps,
        sizes,
        (tps, tpm, gaps, tokens) => {
          const calls = sendAll(sendLimit({ tps, tpm }, 0), gaps, tokens);
          const largest = Math.max(...calls.map(tokensOf));
          return (
            fullest(calls, 1_000, tokensOf) <= Math.max(tps, largest) &&
            fullest(calls, 60_000, tokensOf) <= Math.max(tpm, largest)
          );
        },
      ),
      runs,
    );
  });
  test("what was reserved and not used is free again, and what was used beyond it counts", () => {
    const limit = sendLimit({ tps: 1_000 }, 0);
    const first = limit.take(0, 900);
    expect(limit.nextAtMs(0, 600)).toBe(1_000);
    limit.settle(first, 300);
    expect([limit.nextAtMs(0, 600), limit.used(0)]).toEqual([0, { tps: 300 }]);
    limit.settle(first, 1_200);
    expect([limit.nextAtMs(0, 1), limit.used(0)]).toEqual([1_000, { tps: 1_200 }]);
  });
  test("a report that comes after its window changes nothing", () => {
    const limit = sendLimit({ tps: 1_000 }, 0);
    const first = limit.take(0, 900);
    expect(limit.nextAtMs(1_000, 1_000)).toBe(1_000);
    limit.settle(first, 100);
    limit.take(1_000, 1_000);
    expect([limit.used(1_000), limit.nextAtMs(1_000, 1)]).toEqual([{ tps: 1_000 }, 2_000]);
  });
  test("memory stays bounded, and the sum right, over many calls", () => {
    const limit = sendLimit({ tps: 1_000, tpm: 60_000 }, 0);
    let nowMs = 0;
    for (let call = 0; call < 20_000; call++) {
      nowMs = limit.nextAtMs(nowMs, 100);
      const sent = limit.take(nowMs, 100);
      limit.settle(sent, 50);
    }
    expect(limit.used(nowMs + 59_000).tpm).toBeLessThanOrEqual(60_000);
    expect(limit.used(nowMs + 60_000)).toEqual({ tps: 0, tpm: 0 });
  });
});

describe("a limit on growth", () => {
  test("each second holds at most so many calls more than the second before it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), wantedGaps, (ramp, gaps) => {
        const calls = timesOf(sendAll(sendLimit({ ramp }, 0), gaps));
        const within = (fromMs: number, toMs: number) =>
          calls.filter((atMs) => atMs > fromMs + 1e-6 && atMs <= toMs + 1e-6).length;
        return calls.every((atMs) => within(atMs - 1_000, atMs) <= within(atMs - 2_000, atMs - 1_000) + ramp);
      }),
      runs,
    );
  });
  test("a flood begins slowly and doubles", () => {
    const times = timesOf(sendAll(sendLimit({ ramp: 5 }, 0), new Array<number>(60).fill(0)));
    const perSecond = [0, 1, 2, 3].map((second) => times.filter((atMs) => Math.floor(atMs / 1_000) === second).length);
    expect(perSecond).toEqual([5, 10, 15, 20]);
  });
  test("combined limits hold together", () => {
    const limits: RateLimits = { rps: 8, ramp: 3, tpm: 6_000 };
    const calls = sendAll(sendLimit(limits, 0), new Array<number>(100).fill(0), new Array<number>(100).fill(100));
    expect([fullest(calls, 1_000, one) <= 8, fullest(calls, 60_000, tokensOf) <= 6_000]).toEqual([true, true]);
  });
});
