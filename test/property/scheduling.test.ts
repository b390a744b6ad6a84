/** The quota and the desk under whatever providers answer, in whatever order, against what must always hold. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createDesk } from "../../actors/scheduler/desk.ts";
import type { DeskTask } from "../../actors/scheduler/line.ts";
import type { CallOutcome } from "../../actors/scheduler/outcome.ts";
import { createQuota, type Seat } from "../../actors/scheduler/quota.ts";
import { seededRandom } from "../../runtime/random.ts";
import { riskLevels } from "../../tools/llm-sim/answer.ts";
import { aQuotaGroup, quotaSettings } from "../support/accounts.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const usage = { promptTokens: 800, completionTokens: 200 };
const outcomes: readonly CallOutcome[] = [
  { action: "answer", text: "{}", usage },
  { action: "answer", text: "{}", usage: { promptTokens: 0, completionTokens: 0 } },
  { action: "retry-elsewhere", cause: "server", reason: "HTTP 500" },
  { action: "retry-elsewhere", cause: "timeout", reason: "no answer" },
  { action: "retry-after", cause: "requests", afterMs: 2_000, reason: "HTTP 429" },
  { action: "retry-after", cause: "ramp", afterMs: null, reason: "HTTP 429" },
  { action: "retry-after", cause: "unavailable", afterMs: 500, reason: "HTTP 503" },
  { action: "retry-plain", reason: "HTTP 400" },
  { action: "park-key", reason: "HTTP 401" },
  { action: "park-model", reason: "HTTP 404" },
  { action: "give-up", reason: "HTTP 400" },
  { action: "bad-answer", reason: "no JSON", usage },
  { action: "aborted", reason: "taken back" },
];
const keys = (group: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `${group}-${index}`, secret: `sk-${group}-${index}`, priority: index + 1 }));
const groups = [
  aQuotaGroup("a", { limits: { rps: 3, rpm: 40, tpm: 60_000 }, maxInFlight: 4, keys: keys("a", 3) }),
  aQuotaGroup("b", { limits: { rps: 2, ramp: 1 }, keys: keys("b", 2) }),
];

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const), avoid: fc.constantFrom("a", "b", null) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("release" as const),
      which: fc.nat(20),
      outcome: fc.constantFrom(...outcomes),
      blamed: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 10, 300, 1_000, 9_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("disable" as const, "enable" as const),
      group: fc.constantFrom("a", "b"),
      index: fc.nat(2),
    }),
  },
);

test("a quota keeps its limits and its count whatever comes back, and never gives a key that is out of use", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const quota = createQuota(quotaSettings(groups, { maxConcurrent: 10 }));
      const out: Seat[] = [];
      const disabled = new Set<string>();
      const sends: Record<string, number[]> = { a: [], b: [] };
      let nowMs = 0;
      for (const each of steps) {
        if (each.do === "wait") nowMs += each.ms;
        if (each.do === "take") {
          const seat = quota.take(nowMs, each.avoid, 1_000);
          if (!seat) continue;
          expect(disabled.has(seat.keyId)).toBe(false);
          out.push(seat);
          sends[seat.group.name]?.push(nowMs);
        }
        if (each.do === "release") {
          const [seat] = out.splice(each.which % Math.max(1, out.length), 1);
          if (!seat) continue;
          quota.release(seat, each.outcome, each.blamed, nowMs);
          if (each.outcome.action === "park-key") disabled.add(seat.keyId);
        }
        if (each.do === "disable" || each.do === "enable") {
          const id = `${each.group}-${each.index}`;
          const isKnown = each.do === "disable" ? quota.disable(each.group, id, "by hand") : quota.enable(each.group, id);
          if (isKnown) disabled[each.do === "disable" ? "add" : "delete"](id);
        }
        for (const { name, inFlight, inFlightMax } of quota.view(nowMs)) {
          expect(inFlight).toBe(out.filter(({ group }) => group.name === name).length);
          expect(inFlightMax).toBeGreaterThanOrEqual(1);
        }
        expect(quota.hopeAtMs(nowMs)).toBeGreaterThanOrEqual(nowMs);
      }
      const fullest = (times: readonly number[], ms: number) =>
        times.reduce((most, end) => Math.max(most, times.filter((atMs) => atMs > end - ms + 1e-6 && atMs <= end).length), 0);
      expect(fullest(sends.a ?? [], 1_000)).toBeLessThanOrEqual(3);
      expect(fullest(sends.a ?? [], 60_000)).toBeLessThanOrEqual(40);
      expect(fullest(sends.b ?? [], 1_000)).toBeLessThanOrEqual(2);

      // However it went: once all calls are back and keys are put back, a call goes in the end.
      for (const seat of out) quota.release(seat, { action: "aborted", reason: "the end" }, false, nowMs);
      for (const { name, keys: ofGroup } of groups) for (const { id } of ofGroup) quota.enable(name, id);
      expect(quota.take(nowMs + 700_000, null, 1_000)).not.toBeNull();
    }),
    { numRuns: 300, seed: 5 },
  );
}, 60_000);

const arrival = fc.record({
  afterMs: fc.constantFrom(0, 0, 5, 100, 1_500),
  leftMs: fc.constantFrom(-5, 0, 200, 3_000, 10_000),
  cameraId: fc.nat(4),
  riskLevel: fc.constantFrom(...riskLevels),
  isTakenBack: fc.boolean(),
});

test("every task at the desk ends by its deadline, once, and no call is left behind", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arrival, { maxLength: 60, size: "max" }), fc.integer(), async (arrivals, seed) => {
      const clock = virtualClock();
      const random = seededRandom(seed);
      const quota = createQuota(quotaSettings(groups, { maxConcurrent: 6 }));
      let callsOut = 0;
      const takenBack = new Set<DeskTask>();
      const lost: string[] = [];
      const desk = createDesk<DeskTask>(
        {
          clock,
          random,
          quota,
          tokensOf: () => 1_000,
          call: (_seat, task, timeoutMs, signal) =>
            new Promise((resolve) => {
              if (takenBack.has(task)) lost.push("called for after it was taken back");
              callsOut++;
              const end = (outcome: CallOutcome) => {
                cancel();
                cancelTimeout();
                callsOut--;
                resolve(outcome);
              };
              const outcome = outcomes[Math.floor(random.next() * (outcomes.length - 1))] ?? outcomes[0];
              const cancel = clock.after(random.next() * 4_000, () => outcome && end(outcome));
              const cancelTimeout = clock.after(timeoutMs, () =>
                end({ action: "retry-elsewhere", cause: "timeout", reason: "no answer in time" }),
              );
              signal.addEventListener("abort", () => end({ action: "aborted", reason: "taken back" }), { once: true });
            }),
          called() {},
          changed() {},
        },
        { maxConcurrent: 6, retriesMax: 2, timeoutMs: 3_000, hedgeShare: 0.5 },
      );
      const late: number[] = [];
      let ends = 0;
      for (const { afterMs, leftMs, isTakenBack, ...about } of arrivals) {
        await clock.advance(afterMs);
        const deadlineAt = clock.nowMs() + leftMs;
        const controller = new AbortController();
        const task = { ...about, capturedAt: deadlineAt - 10_000, deadlineAt };
        desk.assess(task, controller.signal).then(
          () => {
            ends++;
            const overdueMs = clock.nowMs() - Math.max(deadlineAt, deadlineAt - leftMs);
            if (overdueMs > 1) late.push(overdueMs);
          },
          () => ends++,
        );
        if (!isTakenBack) continue;
        clock.after(700, () => {
          takenBack.add(task);
          controller.abort(new Error("taken back"));
        });
      }
      await clock.advance(11_000);
      expect([ends, late, lost, desk.waiting(), desk.inFlight(), callsOut]).toEqual([arrivals.length, [], [], 0, 0, 0]);
    }),
    { numRuns: 200, seed: 9 },
  );
}, 60_000);
