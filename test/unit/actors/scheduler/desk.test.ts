import { describe, expect, test } from "bun:test";
import { type CallRecord, createDesk, type DeskSettings } from "../../../../actors/scheduler/desk.ts";
import type { QuotaGroup } from "../../../../actors/scheduler/group.ts";
import type { DeskTask, Ended } from "../../../../actors/scheduler/line.ts";
import type { CallOutcome } from "../../../../actors/scheduler/outcome.ts";
import { createQuota, type Seat } from "../../../../actors/scheduler/quota.ts";
import type { RiskLevel } from "../../../../protocols/ids.ts";
import { seededRandom } from "../../../../runtime/random.ts";
import { aQuotaGroup as group, quotaSettings } from "../../../support/accounts.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

type Task = DeskTask & { readonly name: string };
type Call = {
  readonly task: Task;
  readonly seat: Seat;
  readonly timeoutMs: number;
  readonly atMs: number;
  readonly end: (outcome: CallOutcome) => void;
};

const answer: CallOutcome = { action: "answer", text: "fine", usage: { promptTokens: 10, completionTokens: 5 } };
const serverError: CallOutcome = { action: "retry-elsewhere", cause: "server", reason: "HTTP 500" };
const throttled: CallOutcome = { action: "retry-after", cause: "requests", afterMs: 2_000, reason: "HTTP 429" };

/** A desk whose calls the test ends by hand, or `answering` ends them. */
const aDesk = (
  settings: Partial<DeskSettings> & { readonly groups?: readonly QuotaGroup[]; readonly answering?: (call: Call) => void } = {},
) => {
  const clock = virtualClock();
  const quota = createQuota(quotaSettings(settings.groups ?? [group("a")]));
  const calls: Call[] = [];
  const records: CallRecord<Task>[] = [];
  const desk = createDesk<Task>(
    {
      clock,
      random: seededRandom(1),
      quota,
      tokensOf: () => 1_000,
      call: (seat, task, timeoutMs, signal) =>
        new Promise((end) => {
          const call = { task, seat, timeoutMs, atMs: clock.monotonicMs(), end };
          signal.addEventListener("abort", () => end({ action: "aborted", reason: "taken back" }));
          calls.push(call);
          // As the HTTP client does: a call ends at its timeout.
          clock.after(timeoutMs, () => end({ action: "retry-elsewhere", cause: "timeout", reason: "no answer in time" }));
          settings.answering?.(call);
        }),
      called: (record) => void records.push(record),
      changed() {},
    },
    { maxConcurrent: 50, retriesMax: 2, timeoutMs: 30_000, hedgeShare: 0, ...settings },
  );
  const ended: Record<string, Ended> = {};
  const endedAtMs: Record<string, number> = {};
  const assess = (
    name: string,
    riskLevel: RiskLevel = "low",
    leftMs = 10_000,
    signal = new AbortController().signal,
    cameraId = 1,
  ) => {
    const deadlineAt = clock.nowMs() + leftMs;
    desk.assess({ name, cameraId, riskLevel, capturedAt: deadlineAt - 10_000, deadlineAt }, signal).then(
      (result) => {
        ended[name] = result;
        endedAtMs[name] = clock.monotonicMs();
      },
      () => {},
    );
  };
  const ends = () => Object.fromEntries(Object.entries(ended).map(([name, { end }]) => [name, end]));
  return { clock, desk, quota, calls, records, assess, ended, ends, endedAtMs, called: () => calls.map(({ task }) => task.name) };
};

describe("the line", () => {
  test("puts danger first and, among equals, the nearest deadline, then the first come", async () => {
    const { assess, called, calls, clock } = aDesk({ maxConcurrent: 1 });
    assess("first");
    for (const name of ["low 1", "low 2"]) assess(name, "low", 9_000);
    assess("none, nearest", "none", 8_500);
    assess("high", "high", 9_000);
    assess("medium", "medium", 9_000);
    for (let call = 0; call < 6; call++) {
      await clock.advance(0);
      calls[call]?.end(answer);
    }
    await clock.advance(0);
    expect(called()).toEqual(["first", "high", "medium", "low 1", "low 2", "none, nearest"]);
  });
  test("lets nothing wait for ever: what is old enough goes before new danger", async () => {
    const { assess, called, calls, clock } = aDesk({ maxConcurrent: 1 });
    assess("busy");
    assess("none, old", "none", 3_000);
    assess("high, new", "high", 10_000);
    await clock.advance(0);
    calls[0]?.end(answer);
    await clock.advance(0);
    expect(called()).toEqual(["busy", "none, old"]);
  });
  test("E1.5: more tasks than keys are all served in the end, and none holds up another", async () => {
    const { assess, clock, ends, calls } = aDesk({
      groups: [group("a", { maxInFlight: 1 })],
      answering: ({ end, task }) => void clock.after(task.name === "t0" ? 3_000 : 500, () => end(answer)),
    });
    for (let index = 0; index < 12; index++) assess(`t${index}`);
    await clock.advance(9_000);
    expect(Object.values(ends())).toEqual(Array.from({ length: 12 }, () => "answered"));
    expect(calls[1]?.atMs).toBe(3_000);
  });
  test("when all hope ends at once, tasks end by and by: no turn of the loop ends more than 32", async () => {
    const { assess, clock, calls, endedAtMs, ends } = aDesk({ maxConcurrent: 1 });
    for (let index = 0; index < 200; index++) assess(`t${index}`);
    await clock.advance(0);
    calls[0]?.end({ action: "park-key", reason: "HTTP 401" });
    await clock.advance(20);
    expect([Object.keys(ends()).length, new Set(Object.values(ends()))]).toEqual([200, new Set(["no-quota"])]);
    const atOnce = Object.groupBy(Object.values(endedAtMs), String);
    expect(Math.max(...Object.values(atOnce).map((times) => times?.length ?? 0))).toBeLessThanOrEqual(32);
  });
  test("keeps to its number of calls in flight", async () => {
    const { assess, desk, clock, calls } = aDesk({ maxConcurrent: 3 });
    for (let index = 0; index < 10; index++) assess(`t${index}`);
    await clock.advance(0);
    expect([desk.inFlight(), desk.waiting(), calls.length]).toEqual([3, 7, 3]);
  });
  test("E1.6: sends as fast as the limits allow, and never faster", async () => {
    const { assess, clock, calls } = aDesk({
      groups: [group("a", { limits: { rps: 4, rpm: 10 } })],
      answering: ({ end }) => end(answer),
    });
    for (let index = 0; index < 14; index++) assess(`t${index}`, "low", 70_000);
    await clock.advance(70_000);
    expect(calls.map(({ atMs }) => Math.round(atMs))).toEqual([
      ...[0, 0, 0, 0],
      ...[6_000, 12_000, 18_000, 24_000, 30_000, 36_000], // the minute's limit, spread
      ...[60_000, 66_000], // evenly from there on
    ]);
  });
});

describe("the deadline", () => {
  test("ends a waiting task without a call", async () => {
    const { assess, clock, ended, endedAtMs, calls } = aDesk({ maxConcurrent: 1 });
    assess("busy", "low", 60_000);
    assess("waits", "low", 4_000);
    await clock.advance(4_000);
    expect(ended.waits).toMatchObject({ end: "expired", calls: 0, model: null });
    expect(endedAtMs.waits).toBeLessThanOrEqual(4_000);
    expect(calls).toHaveLength(1);
  });
  test("of a task that comes too late ends it at once", async () => {
    const { assess, clock, ends, calls } = aDesk();
    assess("late", "high", -1);
    assess("now", "high", 0);
    await clock.advance(0);
    expect([ends(), calls]).toEqual([{ late: "expired", now: "expired" }, []]);
  });
  test("bounds a call", async () => {
    const { assess, clock, ended, calls } = aDesk({ timeoutMs: 30_000 });
    assess("slow", "low", 8_000);
    await clock.advance(8_000);
    expect(calls[0]?.timeoutMs).toBe(8_000);
    expect(ended.slow).toMatchObject({
      end: "expired",
      calls: 1,
      durationMs: 8_000,
      model: "model-a",
      reason: "the deadline passed after 1 calls; last: no answer in time",
    });
  });
  test("moves with the wall clock", async () => {
    const { assess, clock, ends } = aDesk({ maxConcurrent: 1 });
    assess("busy", "low", 600_000);
    assess("waits", "low", 100_000);
    await clock.advance(0);
    clock.skew(100_000);
    await clock.advance(1_000);
    expect(ends()).toEqual({ waits: "expired" });
  });
  test("no call is begun that by experience would outlast it, and experience fades", async () => {
    const { assess, clock, calls, ended } = aDesk({ answering: ({ end }) => void clock.after(2_000, () => end(answer)) });
    for (let index = 0; index < 20; index++) assess(`t${index}`);
    await clock.advance(2_000);
    assess("too little", "high", 1_900);
    assess("enough", "high", 2_100);
    await clock.advance(3_000);
    expect([ended["too little"]?.reason, ended.enough?.end, calls.length]).toEqual([
      "too little time was left for a call",
      "answered",
      21,
    ]);
    await clock.advance(60_000);
    assess("tried again", "high", 1_900);
    await clock.advance(3_000);
    expect([ended["tried again"]?.calls, calls.length]).toEqual([1, 22]);
  });
  test("however slow calls were, a fresh task is tried", async () => {
    const { assess, clock, calls } = aDesk({ answering: ({ end }) => void clock.after(9_900, () => end(answer)) });
    for (let index = 0; index < 20; index++) assess(`t${index}`);
    await clock.advance(10_000);
    assess("fresh", "low", 9_500);
    await clock.advance(0);
    expect(calls).toHaveLength(21);
  });
});

describe("retrying", () => {
  test("goes elsewhere after a pause with jitter, and says how often it was tried", async () => {
    const { assess, clock, calls, ended } = aDesk({ groups: [group("a"), group("b")] });
    assess("t");
    await clock.advance(0);
    calls[0]?.end(serverError);
    await clock.advance(250);
    expect(calls.map(({ seat }) => seat.group.name)).toEqual(["a", "b"]);
    expect(calls[1]?.atMs).toBeGreaterThan(0);
    calls[1]?.end(answer);
    await settlePromises();
    expect(ended.t).toMatchObject({ end: "answered", text: "fine", calls: 2, model: "model-b", keyId: "b-1" });
  });
  test("is made with another key of the only group, though the one that failed has had fewer calls", async () => {
    const keys = ["a-1", "a-2"].map((id) => ({ id, secret: `sk-${id}`, priority: 1 }));
    const { assess, clock, ended, quota, calls } = aDesk({
      groups: [group("a", { keys })],
      answering: ({ seat, end }) => end(seat.keyId === "a-1" ? serverError : answer),
    });
    quota.disable("a", "a-1", "for a while");
    for (const name of ["one", "two"]) assess(name);
    await clock.advance(0);
    quota.enable("a", "a-1");
    assess("t");
    await clock.advance(1_000);
    expect(calls.map(({ seat }) => seat.keyId)).toEqual(["a-2", "a-2", "a-1", "a-2"]);
    expect(ended.t).toMatchObject({ end: "answered", calls: 2 });
  });
  test("stops after the configured number, so that a failure is not paid for over and over", async () => {
    const { assess, clock, calls, ended } = aDesk({ groups: [group("a"), group("b")], answering: ({ end }) => end(serverError) });
    assess("t");
    await clock.advance(9_000);
    expect(calls).toHaveLength(3);
    expect(ended.t).toMatchObject({ end: "refused", calls: 3, reason: "HTTP 500, after 3 calls" });
  });
  test.each([
    [{ action: "give-up", reason: "HTTP 400: the picture is too small" } as const, "refused"],
    [{ action: "bad-answer", reason: "the response is not JSON" } as const, "bad-answer"],
  ])("E1.10: does not happen after %p", async (outcome, end) => {
    const { assess, clock, calls, ended } = aDesk({ answering: (call) => call.end(outcome) });
    assess("t");
    await clock.advance(9_000);
    expect([calls.length, ended.t?.end, ended.t?.reason]).toEqual([1, end as Ended["end"], outcome.reason]);
  });
  test("E1.9: after 429 waits for Retry-After, or goes to another group at once", async () => {
    const alone = aDesk();
    alone.assess("t");
    await alone.clock.advance(0);
    alone.calls[0]?.end(throttled);
    await alone.clock.advance(5_000);
    expect(alone.calls.map(({ atMs }) => atMs)).toEqual([0, 2_000]);

    const two = aDesk({ groups: [group("a"), group("b")] });
    two.assess("t");
    await two.clock.advance(0);
    two.calls[0]?.end(throttled);
    await two.clock.advance(0);
    expect(two.calls.map(({ atMs, seat }) => [atMs, seat.group.name])).toEqual([
      [0, "a"],
      [0, "b"],
    ]);
  });
  test("a dead key costs its tasks nothing but the call", async () => {
    const keys = ["dead", "alive"].map((id) => ({ id, secret: "s", priority: 1 }));
    const { assess, clock, ends } = aDesk({
      retriesMax: 0,
      groups: [group("a", { keys })],
      answering: ({ seat, end }) => end(seat.keyId === "dead" ? { action: "park-key", reason: "HTTP 401" } : answer),
    });
    for (let index = 0; index < 5; index++) assess(`t${index}`);
    await clock.advance(100);
    expect(Object.values(ends())).toEqual(Array.from({ length: 5 }, () => "answered"));
  });
  test("a model without JSON mode is asked again without it, at once and once", async () => {
    const { assess, clock, calls, ends } = aDesk({
      retriesMax: 0,
      answering: ({ seat, end }) => end(seat.format !== "text" ? { action: "retry-plain", reason: "HTTP 400" } : answer),
    });
    assess("first");
    await clock.advance(0);
    assess("second");
    await clock.advance(0);
    expect([calls.map(({ seat }) => seat.format), ends()]).toEqual([
      ["json_object", "text", "text"],
      { first: "answered", second: "answered" },
    ]);
  });
  test("a model that takes no pictures is asked again without, at once and once", async () => {
    const { assess, clock, calls, ends } = aDesk({
      retriesMax: 0,
      answering: ({ seat, end }) => end(seat.pictures ? { action: "retry-unseen", reason: "HTTP 400" } : answer),
    });
    assess("first");
    await clock.advance(0);
    assess("second");
    await clock.advance(0);
    expect([calls.map(({ seat }) => seat.pictures), ends()]).toEqual([
      [true, false, false],
      { first: "answered", second: "answered" },
    ]);
  });
  test("has an end even where every call asks for another", async () => {
    const { assess, clock, calls, ended } = aDesk({
      answering: ({ end }) => end({ action: "retry-after", cause: "requests", afterMs: 1, reason: "HTTP 429" }),
    });
    assess("t");
    await clock.advance(9_000);
    expect([calls.length, ended.t?.end]).toEqual([10, "refused"]);
  });
  test("a client that breaks its word costs its task, not a seat", async () => {
    const { assess, clock, desk, ended } = aDesk({
      answering() {
        throw new Error("broken");
      },
    });
    assess("t");
    await clock.advance(0);
    expect([ended.t?.end, desk.inFlight()]).toEqual(["refused", 0]);
  });
});

describe("when no quota group is left", () => {
  test("tasks end at once rather than at their deadline", async () => {
    const { assess, clock, endedAtMs, ends } = aDesk({ answering: ({ end }) => end({ action: "park-key", reason: "HTTP 401" }) });
    assess("first");
    assess("second");
    await clock.advance(10);
    assess("third");
    await clock.advance(10);
    expect(ends()).toEqual({ first: "no-quota", second: "no-quota", third: "no-quota" });
    expect(endedAtMs.third).toBe(10);
  });
  test("the task that found the last of ten keys dead is no error either", async () => {
    const keys = Array.from({ length: 10 }, (_, index) => ({ id: `k${index}`, secret: "s", priority: 1 }));
    const { assess, clock, ends, calls } = aDesk({
      groups: [group("a", { keys })],
      answering: ({ end }) => end({ action: "park-key", reason: "HTTP 401" }),
    });
    assess("first");
    await clock.advance(10);
    expect([ends(), calls.length]).toEqual([{ first: "no-quota" }, 10]);
  });
  test("only those do that cannot wait for it", async () => {
    const { assess, clock, ends, quota } = aDesk({ answering: ({ end }) => end(answer) });
    const seat = quota.take(0, null);
    if (seat) quota.release(seat, { ...throttled, afterMs: 5_000 }, true, 0);
    assess("short", "low", 4_000);
    assess("long", "low", 9_000);
    await clock.advance(0);
    expect(ends()).toEqual({ short: "no-quota" });
    await clock.advance(5_000);
    expect(ends()).toEqual({ short: "no-quota", long: "answered" });
  });
  test("the wait for a place in the second is no want of quota", async () => {
    const { assess, clock, ends } = aDesk({ groups: [group("a", { limits: { rps: 1 } })], answering: ({ end }) => end(answer) });
    assess("first");
    assess("second", "low", 900);
    await clock.advance(10_000);
    expect(ends()).toEqual({ first: "answered", second: "expired" });
  });
  test("a trial call that is under way is hope enough", async () => {
    const { assess, clock, calls, ends } = aDesk({ retriesMax: 0 });
    for (const name of ["x", "y", "z"]) assess(name);
    await clock.advance(0);
    for (const call of calls) call.end(serverError);
    await clock.advance(43_000);
    for (const name of ["trial", "waits"]) assess(name);
    await clock.advance(0);
    expect([calls.length, ends().waits]).toEqual([4, undefined]);
    calls[3]?.end(answer);
    await clock.advance(0);
    expect(calls).toHaveLength(5);
  });
});

describe("a second call for a danger", () => {
  /** Twenty calls of 1 s make that the usual time. */
  const experienced = async (hedgeShare: number) => {
    const it = aDesk({ groups: [group("a"), group("b")], hedgeShare });
    for (let index = 0; index < 20; index++) it.assess(`t${index}`);
    await it.clock.advance(1_000);
    for (const call of it.calls) call.end(answer);
    await it.clock.advance(0);
    return it;
  };
  test("is made elsewhere when the first takes longer than usual; the first answer counts, the other call is ended", async () => {
    const { assess, clock, calls, ended, records, desk } = await experienced(0.2);
    assess("danger", "high");
    await clock.advance(1_000);
    expect(calls.slice(20).map(({ atMs, seat }) => [atMs - 1_000, seat.group.name])).toEqual([
      [0, "a"],
      [1_000, "b"],
    ]);
    calls[21]?.end(answer);
    await clock.advance(0);
    expect(ended.danger).toMatchObject({ end: "answered", calls: 2, model: "model-b" });
    expect(records.slice(20).map(({ outcome, isHedge }) => [outcome.action, isHedge])).toEqual([
      ["answer", true],
      ["aborted", false],
    ]);
    expect(desk.inFlight()).toBe(0);
  });
  test("covers for the first when that fails, and the other way round", async () => {
    const { assess, clock, calls, ends } = await experienced(1);
    assess("one", "high");
    await clock.advance(1_000);
    calls[20]?.end(serverError);
    await clock.advance(0);
    expect(ends().one).toBeUndefined();
    calls[21]?.end(answer);
    await clock.advance(0);
    assess("other", "high");
    await clock.advance(1_000);
    calls[23]?.end({ action: "give-up", reason: "HTTP 400" });
    await clock.advance(0);
    calls[22]?.end(answer);
    await clock.advance(0);
    expect([ends().one, ends().other]).toEqual(["answered", "answered"]);
  });
  test.each([
    ["where none is wished", 0, "high"],
    ["for what is no danger", 0.5, "medium"],
  ] as const)("is not made %s", async (_what, hedgeShare, level) => {
    const { assess, clock, calls } = await experienced(hedgeShare);
    assess("t", level);
    await clock.advance(5_000);
    expect(calls).toHaveLength(21);
  });
  test("is bounded by its share of the calls", async () => {
    const { assess, clock, calls } = await experienced(0.1);
    for (let index = 0; index < 20; index++) assess(`danger ${index}`, "high");
    await clock.advance(2_000);
    expect(calls.length - 40).toBeLessThanOrEqual(5); // a tenth of all
  });
});

describe("cameras", () => {
  test("take turns: one with many tasks does not keep others waiting", async () => {
    const { assess, clock, called } = aDesk({
      maxConcurrent: 1,
      answering: ({ end }) => void clock.after(100, () => end(answer)),
    });
    for (let index = 0; index < 10; index++) assess(`loud ${index}`, "none", 10_000, undefined, 1);
    assess("quiet", "none", 10_500, undefined, 2);
    await clock.advance(2_000);
    expect(called().indexOf("quiet")).toBeLessThan(4);
  });
  test("of danger do not wait for their turn", async () => {
    const { assess, clock, called } = aDesk({
      maxConcurrent: 1,
      answering: ({ end }) => void clock.after(100, () => end(answer)),
    });
    for (let index = 0; index < 3; index++) assess(`danger ${index}`, "high", 10_000, undefined, 1);
    assess("calm", "none", 10_000, undefined, 2);
    await clock.advance(1_000);
    expect(called()).toEqual(["danger 0", "danger 1", "danger 2", "calm"]);
  });
});

describe("taking back", () => {
  test("a waiting task leaves the line, a call in flight is aborted and its seat is free", async () => {
    const { assess, clock, desk, ends, records } = aDesk({ maxConcurrent: 1 });
    const controller = new AbortController();
    assess("in flight", "high", 10_000, controller.signal);
    assess("waits", "low", 10_000, controller.signal);
    await clock.advance(0);
    controller.abort(new Error("the actor ends"));
    await clock.advance(0);
    expect([desk.inFlight(), desk.waiting(), ends(), records.map(({ outcome }) => outcome.action)]).toEqual([
      0,
      0,
      {},
      ["aborted"],
    ]);
  });
  test("a closed desk sets no timer and takes nothing", async () => {
    const { assess, clock, desk, ends } = aDesk({ maxConcurrent: 1 });
    assess("in flight");
    assess("waits");
    desk.close();
    assess("late");
    expect([clock.timers(), ends()]).toEqual([1, {}]); // the call's own timeout
  });
});

test("10x overload: every task ends in time, what is served is dangerous first, and the calls are not wasted", async () => {
  const { assess, clock, ended, ends, calls } = aDesk({
    maxConcurrent: 10,
    answering: ({ end }) => void clock.after(1_000, () => end(answer)),
  });
  // Ten a second can be served; a hundred a second come, ten of them dangerous.
  for (let step = 0; step < 300; step++) {
    assess(`${step}`, step % 10 === 0 ? "high" : "none");
    await clock.advance(10 * (step % 10 === 9 ? 10 : 0));
  }
  await clock.advance(10_000);
  const outcomes = Object.entries(ends());
  expect(outcomes).toHaveLength(300);
  const answered = outcomes.filter(([, end]) => end === "answered");
  expect(answered.filter(([name]) => Number(name) % 10 === 0).length).toBe(30);
  expect(Object.values(ended).every(({ end }) => end === "answered" || end === "expired")).toBe(true);
  // A call that ends as expired was paid for in vain.
  expect(calls.length - answered.length).toBe(0);
}, 20_000);
