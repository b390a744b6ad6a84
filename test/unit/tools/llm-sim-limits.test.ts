import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { accountBook, createAccount } from "../../../tools/llm-sim/limits.ts";

describe("an account", () => {
  test("lets so many requests into any second", () => {
    const account = createAccount({ rps: 2 });
    const at = (nowMs: number) => account.admitRequest(nowMs);
    expect([at(0), at(400), at(999)]).toEqual([null, null, { kind: "ramp", retryAfterMs: 1 }]);
    // The first has left at 1000, the second at 1400.
    expect([at(1_000), at(1_399), at(1_400)]).toEqual([null, { kind: "requests", retryAfterMs: 1 }, null]);
  });

  test("lets so many requests into any minute", () => {
    const account = createAccount({ rpm: 2 });
    const at = (nowMs: number) => account.admitRequest(nowMs);
    expect([at(0), at(10_000), at(20_000)]).toEqual([null, null, { kind: "requests", retryAfterMs: 40_000 }]);
    expect([at(60_000), at(69_999), at(70_000)]).toEqual([null, { kind: "requests", retryAfterMs: 1 }, null]);
  });

  test("says that the rate rose too quickly when the second before was quiet", () => {
    const account = createAccount({ rps: 4 });
    const burst = (nowMs: number) => Array.from({ length: 5 }, () => account.admitRequest(nowMs)?.kind ?? "in").at(-1);
    expect([burst(0), burst(1_000), burst(2_000), burst(10_000)]).toEqual(["ramp", "requests", "requests", "ramp"]);
  });

  test("lets so many tokens into any minute, and tells when there is room", () => {
    const account = createAccount({ tpm: 1_000 });
    const at = (nowMs: number, tokens: number) => account.admitTokens(nowMs, tokens);
    expect([at(0, 600), at(5_000, 300), at(6_000, 101)]).toEqual([null, null, { kind: "tokens", retryAfterMs: 54_000 }]);
    expect([at(6_000, 100), at(6_000, 701), at(60_000, 600)]).toEqual([null, { kind: "tokens", retryAfterMs: 59_000 }, null]);
    expect(at(60_000, 1_001)).toEqual({ kind: "tokens", retryAfterMs: 60_000 });
  });

  test("lets so many tokens into any second, together with a minute's", () => {
    const account = createAccount({ tps: 100, tpm: 150 });
    const at = (nowMs: number, tokens: number) => account.admitTokens(nowMs, tokens);
    expect([at(0, 80), at(500, 30), at(1_000, 70), at(2_000, 10)]).toEqual([
      null,
      { kind: "tokens", retryAfterMs: 500 },
      null,
      { kind: "tokens", retryAfterMs: 58_000 },
    ]);
  });

  test("lets calls come closer together by the jitter", () => {
    const account = createAccount({ rps: 1, jitterMs: 50 });
    expect([account.admitRequest(0), account.admitRequest(949)?.kind, account.admitRequest(950)]).toEqual([null, "ramp", null]);
  });

  test("without limits takes everything", () => {
    const account = createAccount({});
    for (let count = 0; count < 5_000; count++) expect(account.admitRequest(0) ?? account.admitTokens(0, 1e6)).toBeNull();
  });

  test("never lets more in than a count of the window does, and refuses only then", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), gaps, (rps, waits) => {
        const account = createAccount({ rps });
        const admitted: number[] = [];
        let nowMs = 0;
        for (const waitMs of waits) {
          nowMs += waitMs;
          const isFull = admitted.filter((atMs) => atMs > nowMs - 1_000).length >= rps;
          const refusal = account.admitRequest(nowMs);
          expect(refusal !== null).toBe(isFull);
          if (!refusal) admitted.push(nowMs);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("keeps its count over more requests than it holds at once", () => {
    const account = createAccount({ rps: 4_000 });
    for (let count = 0; count < 40_000; count++) expect(account.admitRequest(count / 4)).toBeNull();
    expect(account.admitRequest(9_999.9)).toMatchObject({ kind: "requests" });
  });
});

describe("the book of accounts", () => {
  test("lets the keys of an account share its limits", () => {
    const accountOf = accountBook({ a: ["k1", "k2"], b: ["k3"] }, { rps: 1 });
    const ask = (key: string) => accountOf(key)?.admitRequest(0)?.kind ?? "in";
    expect([ask("k1"), ask("k2"), ask("k3")]).toEqual(["in", "ramp", "in"]);
    expect(accountOf("k4")).toBeNull();
  });

  test("without accounts gives each key its own, until there are too many", () => {
    const accountOf = accountBook(undefined, { rps: 1 });
    const refused = Array.from({ length: 1_002 }, (_, count) => accountOf(`key-${count}`)?.admitRequest(0)?.kind ?? "in").filter(
      (kind) => kind !== "in",
    );
    expect(refused).toEqual(["ramp"]);
  });
});
