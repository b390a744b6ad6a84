import { describe, expect, test } from "bun:test";
import type { QuotaGroup } from "../../../../actors/scheduler/group.ts";
import type { CallOutcome } from "../../../../actors/scheduler/outcome.ts";
import { createQuota, type Quota, type QuotaSettings, type Seat } from "../../../../actors/scheduler/quota.ts";
import { aQuotaGroup as aGroup, quotaSettings } from "../../../support/accounts.ts";

const twoKeys = [
  { id: "k1", secret: "sk-1", priority: 1 },
  { id: "k2", secret: "sk-2", priority: 1 },
];
const quotaOf = (groups: readonly QuotaGroup[], overrides: Partial<QuotaSettings> = {}): Quota =>
  createQuota(quotaSettings(groups, { selection: "round_robin", ...overrides }));
const taken = (quota: Quota, nowMs: number, avoid: string | null = null): Seat => {
  const seat = quota.take(nowMs, avoid);
  if (!seat) throw new Error(`no seat at ${nowMs}`);
  return seat;
};

const answer: CallOutcome = { action: "answer", text: "{}", usage: { promptTokens: 1, completionTokens: 1 } };
const throttled = (afterMs: number | null = null): CallOutcome => ({
  action: "retry-after",
  cause: "requests",
  afterMs,
  reason: "HTTP 429",
});
const serverError: CallOutcome = { action: "retry-elsewhere", cause: "server", reason: "HTTP 500" };
const parkKey: CallOutcome = { action: "park-key", reason: "HTTP 401" };

describe("seats", () => {
  test("name the group, the key and its secret", () => {
    const seat = taken(quotaOf([aGroup("a")]), 0);
    expect(seat).toMatchObject({ keyId: "a-1", secret: "sk-a-1", format: "json_object", group: { model: "model-a" } });
  });
  test("are shared out over the keys of all groups", () => {
    const quota = quotaOf([aGroup("a"), aGroup("b", { keys: twoKeys })]);
    expect([0, 1, 2, 3].map((nowMs) => taken(quota, nowMs).keyId)).toEqual(["a-1", "k1", "k2", "a-1"]);
  });
  test("go elsewhere when that is wished and possible", () => {
    const quota = quotaOf([aGroup("a"), aGroup("b", { maxInFlight: 1 })]);
    expect([taken(quota, 0, "a").group.name, taken(quota, 0, "a").group.name]).toEqual(["b", "a"]);
  });
  test("E1.6: keys of one group share its limits, and all groups those over all", () => {
    const quota = quotaOf([aGroup("a", { limits: { rps: 2 }, keys: twoKeys }), aGroup("b")], { limits: { rps: 4 } });
    const names = Array.from({ length: 6 }, () => quota.take(0, null)?.group.name ?? null);
    expect(names).toEqual(["a", "a", "b", "b", null, null]);
    expect(quota.hopeAtMs(0)).toBe(1_000);
    expect(quota.take(1_000, null)?.group.name).toBe("a");
  });
  test("end at the group's calls in flight", () => {
    const quota = quotaOf([aGroup("a", { maxInFlight: 1 })]);
    const seat = taken(quota, 0);
    expect(quota.take(0, null)).toBeNull();
    quota.release(seat, answer, true, 10);
    expect(quota.take(10, null)).not.toBeNull();
    expect(quota.view(10)[0]).toMatchObject({ name: "a", inFlight: 1 });
  });
  test("without any group there is no hope", () => {
    expect(quotaOf([]).hopeAtMs(0)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a throttled call", () => {
  test("E1.9: pauses its whole group for Retry-After, and another group takes over", () => {
    const quota = quotaOf([aGroup("a", { keys: twoKeys }), aGroup("b")]);
    const event = quota.release(taken(quota, 0), throttled(3_000), true, 100);
    expect(event).toEqual([{ group: "a", keyId: null, what: "group paused", reason: "HTTP 429" }]);
    expect([taken(quota, 100).group.name, taken(quota, 3_099).group.name, taken(quota, 3_100).group.name]).toEqual([
      "b",
      "b",
      "a",
    ]);
    expect(quota.view(100)[0]).toMatchObject({ pausedForMs: 3_000, pausedBecause: "HTTP 429" });
  });
  test("without Retry-After the pause is 1, 2, 4, 8 s and no more, and starts again after an answer", () => {
    const quota = quotaOf([aGroup("a")]);
    let nowMs = 0;
    const pause = () => {
      quota.release(taken(quota, nowMs), throttled(), true, nowMs);
      const beganMs = nowMs;
      nowMs = quota.hopeAtMs(nowMs);
      return nowMs - beganMs;
    };
    expect([pause(), pause(), pause(), pause(), pause()]).toEqual([1_000, 2_000, 4_000, 8_000, 8_000]);
    quota.release(taken(quota, nowMs), answer, true, nowMs);
    expect(pause()).toBe(1_000);
  });
  test("for a rate that rose too quickly goes on slowly, and faster from there", () => {
    const quota = quotaOf([aGroup("a")]);
    const seats = Array.from({ length: 20 }, () => taken(quota, 0));
    quota.release(
      seats[0] ?? taken(quota, 0),
      { action: "retry-after", cause: "ramp", afterMs: 1_000, reason: "HTTP 429" },
      true,
      10,
    );
    expect(quota.view(1_010)[0]?.slowedTo).toBe(10);
    const went = Array.from({ length: 12 }, () => quota.take(1_010, null)).filter((seat) => seat !== null);
    expect([went.length, quota.hopeAtMs(1_010)]).toEqual([10, 2_010]);
    expect(quota.view(6_010)[0]?.slowedTo).toBe(20);
  });
  test("many calls under way that meet the same wall are one offence", () => {
    const quota = quotaOf([aGroup("a")]);
    const seats = Array.from({ length: 20 }, () => taken(quota, 0));
    const events = seats.map((seat) => quota.release(seat, throttled(), true, 500));
    expect(events.flat()).toHaveLength(1);
    expect(quota.hopeAtMs(500)).toBe(1_500);
  });
  test("an answer to a call from before the pause does not forgive", () => {
    const quota = quotaOf([aGroup("a")]);
    const [early, first] = [taken(quota, 0), taken(quota, 0)];
    quota.release(first, throttled(), true, 0);
    quota.release(early, answer, true, 500);
    quota.release(taken(quota, 1_000), throttled(), true, 1_000);
    expect(quota.hopeAtMs(1_000)).toBe(3_000);
  });
  test("the key does not rest for it", () => {
    const quota = quotaOf([aGroup("a")]);
    for (let call = 0; call < 10; call++) quota.release(taken(quota, call * 20_000), throttled(), true, call * 20_000);
    expect(quota.view(200_000)[0]?.keys[0]).toMatchObject({ state: "available", successRate: 1 });
  });
});

describe("other failures", () => {
  test("E1.9: a refused key is out of use, its group goes on with the others", () => {
    const quota = quotaOf([aGroup("a", { keys: twoKeys })]);
    expect(quota.release(taken(quota, 0), parkKey, true, 0)).toEqual([
      { group: "a", keyId: "k1", what: "key disabled", reason: "HTTP 401" },
    ]);
    expect([taken(quota, 0).keyId, taken(quota, 0).keyId]).toEqual(["k2", "k2"]);
    quota.release(taken(quota, 0), parkKey, true, 0);
    expect(quota.hopeAtMs(0)).toBe(Number.POSITIVE_INFINITY);
    quota.enable("a", "k2");
    expect(quota.hopeAtMs(0)).toBe(0);
  });
  test("a provider in trouble sends the key to rest, and says so once", () => {
    const quota = quotaOf([aGroup("a")]);
    const seats = Array.from({ length: 6 }, () => taken(quota, 0));
    const events = seats.map((seat) => quota.release(seat, serverError, true, 0)[0]?.what ?? null);
    expect(events).toEqual([null, null, "key cooling", null, null, null]);
    const backMs = quota.hopeAtMs(0);
    expect(backMs).toBe(43_000);
    expect(quota.release(taken(quota, backMs), answer, true, backMs)[0]?.what).toBe("key recovered");
  });
  test("a call of ours with too little time is not the key's failure", () => {
    const quota = quotaOf([aGroup("a")]);
    for (let call = 0; call < 6; call++) quota.release(taken(quota, 0), serverError, false, 0);
    expect(quota.hopeAtMs(0)).toBe(0);
  });
  test.each([
    { action: "give-up", reason: "HTTP 400" },
    { action: "bad-answer", reason: "the response is not JSON" },
    { action: "aborted", reason: "taken back" },
  ] as const)("E1.9: $action does not send the key to rest", (outcome) => {
    const quota = quotaOf([aGroup("a")]);
    for (let call = 0; call < 6; call++) quota.release(taken(quota, 0), outcome, true, 0);
    expect(quota.hopeAtMs(0)).toBe(0);
  });
  test("a model that is not found is left alone for ten minutes", () => {
    const quota = quotaOf([aGroup("a")]);
    quota.release(taken(quota, 0), { action: "park-model", reason: "HTTP 404" }, true, 0);
    expect(quota.hopeAtMs(0)).toBe(600_000);
  });
  test("a model that refuses JSON mode is asked without it from then on; others are not", () => {
    const quota = quotaOf([aGroup("a"), aGroup("b")]);
    quota.release(taken(quota, 0), { action: "retry-plain", reason: "HTTP 400" }, true, 0);
    expect([taken(quota, 0, "b").format, taken(quota, 0, "a").format]).toEqual(["text", "json_object"]);
  });
  test("a seat given back twice counts once", () => {
    const quota = quotaOf([aGroup("a", { maxInFlight: 1 })]);
    const seat = taken(quota, 0);
    quota.release(seat, answer, true, 0);
    quota.release(seat, throttled(), true, 0);
    expect(quota.view(0)[0]).toMatchObject({ inFlight: 0, pausedForMs: 0 });
  });
});

test("E3.40: no view shows a secret", () => {
  expect(JSON.stringify(quotaOf([aGroup("a", { keys: twoKeys })]).view(0))).not.toContain("sk-");
});
