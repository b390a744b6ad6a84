import { describe, expect, test } from "bun:test";
import { type Budget, createLedger, decodeBook, encodeBook, isAffordable } from "../../../../actors/scheduler/ledger.ts";
import type { RiskLevel } from "../../../../protocols/ids.ts";

const noonMs = Date.UTC(2026, 0, 1, 12);
const dayMs = 86_400_000;
const budgetOf = (overrides: Partial<Budget> = {}): Budget => ({ currency: "USD", day: {}, cameraDay: {}, ...overrides });
const price = { input: 10, output: 20 };
/** A cent each: 800 in, 100 out. */
const usage = { promptTokens: 800, completionTokens: 100 };
const enter = (ledger: ReturnType<typeof createLedger>, cameraId = 1, wallMs = noonMs, overrides: object = {}) =>
  ledger.enter({ group: "main", keyId: "k1", cameraId, price, usage, answered: true, ...overrides }, wallMs);

describe("the book of a day", () => {
  test("has tokens and cost by group, key and camera", () => {
    const ledger = createLedger(budgetOf());
    expect(enter(ledger)).toBeCloseTo(0.01, 10);
    enter(ledger, 0, noonMs, { keyId: "k2", usage: null, answered: false });
    const { day, total, groups, keys, cameras } = ledger.today(noonMs);
    expect([day, total.calls, total.failed, total.promptTokens]).toEqual(["2026-01-01", 2, 1, 800]);
    expect([groups.main?.calls, keys["main/k1"]?.calls, keys["main/k2"]?.failed, cameras[0]?.calls]).toEqual([2, 1, 1, 1]);
  });
  test("ends with its day (UTC)", () => {
    const ledger = createLedger(budgetOf());
    enter(ledger);
    expect(ledger.today(noonMs + dayMs).total.calls).toBe(0);
  });
  test("outlives the process", () => {
    const [before, after] = [createLedger(budgetOf()), createLedger(budgetOf())];
    enter(before);
    const kept = decodeBook(encodeBook(before.own(noonMs)));
    if (kept) after.recall(kept);
    enter(after);
    expect(after.today(noonMs).total.calls).toBe(2);
  });
  test("counts what other processes spent, once", () => {
    const [own, other] = [createLedger(budgetOf()), createLedger(budgetOf())];
    enter(own);
    enter(other, 7);
    for (let look = 0; look < 3; look++) own.others([other.own(noonMs)]);
    expect([own.today(noonMs).total.calls, own.own(noonMs).total.calls]).toEqual([2, 1]);
    expect(own.today(noonMs + dayMs).total.calls).toBe(0);
  });
  test("is bounded in cameras", () => {
    const ledger = createLedger(budgetOf());
    for (let cameraId = 0; cameraId < 5_100; cameraId++) enter(ledger, cameraId);
    const { cameras, total } = ledger.today(noonMs);
    expect([Object.keys(cameras).length, cameras.other?.calls, total.calls]).toEqual([5_001, 100, 5_100]);
    expect(encodeBook(ledger.own(noonMs)).length).toBeLessThan(1_048_576);
  });
  test.each(["", "null", '{"day": 3}', '{"day":"x","total":{},"groups":{},"keys":{},"cameras":{}}'])(
    "is not made of %p",
    (text) => {
      expect(decodeBook(new TextEncoder().encode(text))).toBeNull();
    },
  );
});

describe("a budget", () => {
  const spentAfter = (calls: number, budget: Partial<Budget>) => {
    const ledger = createLedger(budgetOf(budget));
    for (let call = 0; call < calls; call++) enter(ledger);
    return [ledger.spent(1, noonMs), ledger.spent(2, noonMs)];
  };
  test.each([
    ["nothing is set", 50, {}, ["within", "within"]],
    ["below the soft cap", 1, { day: { softCost: 0.015, hardCost: 0.05 } }, ["within", "within"]],
    ["from the soft cap on", 2, { day: { softCost: 0.015, hardCost: 0.05 } }, ["soft", "soft"]],
    ["from the hard cap on", 6, { day: { softCost: 0.015, hardCost: 0.05 } }, ["hard", "hard"]],
    ["tokens count alike", 3, { day: { softTokens: 900, hardTokens: 2_000 } }, ["hard", "hard"]],
    ["of one camera holds that camera alone", 3, { cameraDay: { hardCost: 0.02 } }, ["hard", "within"]],
    ["the stricter of two stands", 3, { day: { softCost: 0.02 }, cameraDay: { hardCost: 0.02 } }, ["hard", "soft"]],
  ] as const)("%s", (_what, calls, budget, expected) => {
    expect(spentAfter(calls, budget)).toEqual([...expected]);
  });
  test("spent softly leaves calls for dangers, spent hard for none", () => {
    const levels: readonly RiskLevel[] = ["none", "low", "medium", "high"];
    const table = (["within", "soft", "hard"] as const).map((spent) => levels.map((level) => isAffordable(spent, level)));
    expect(table).toEqual([
      [true, true, true, true],
      [false, false, true, true],
      [false, false, false, false],
    ]);
  });
});
