/** The desk and the quota under ten times the load that the limits allow, for ten minutes of virtual time. */
import { describe, expect, test } from "bun:test";
import { createDesk } from "../../actors/scheduler/desk.ts";
import type { DeskTask } from "../../actors/scheduler/line.ts";
import type { CallOutcome } from "../../actors/scheduler/outcome.ts";
import { createQuota } from "../../actors/scheduler/quota.ts";
import type { RateLimits } from "../../actors/scheduler/window.ts";
import type { RiskLevel } from "../../protocols/ids.ts";
import { randomInt, seededRandom } from "../../runtime/random.ts";
import { aQuotaGroup, quotaSettings } from "../support/accounts.ts";
import { virtualClock } from "../support/virtual-clock.ts";

type Sent = { readonly atMs: number; readonly tokens: number; readonly cameraId: number; readonly riskLevel: RiskLevel };
const tickMs = 100;
const cameras = 50;
/** Most are harmless, as on a real road. */
const usualLevels: readonly RiskLevel[] = ["none", "none", "low", "low", "low", "medium", "medium", "high"];

/** The most of a sum in any window (t − length, t], for calls in order of time. */
const fullest = (sent: readonly Sent[], lengthMs: number, amount: (call: Sent) => number): number => {
  let [oldest, sum, most] = [0, 0, 0];
  for (const call of sent) {
    sum += amount(call);
    for (let first = sent[oldest]; first && first.atMs <= call.atMs - lengthMs + 1e-6; first = sent[oldest]) {
      sum -= amount(first);
      oldest++;
    }
    most = Math.max(most, sum);
  }
  return most;
};

/** Jain, Chiu and Hawe 1984: 1 when all have the same, 1/n when one has all. */
const jain = (shares: readonly number[]): number =>
  shares.reduce((sum, share) => sum + share, 0) ** 2 / (shares.length * shares.reduce((sum, share) => sum + share ** 2, 0));

type Load = {
  readonly limits: RateLimits;
  readonly tasksPerSecond: number;
  readonly minutes?: number;
  readonly levels?: readonly RiskLevel[];
  /** How much more one camera sends than the next. */
  readonly weightOf?: (cameraId: number) => number;
};

const run = async ({ limits, tasksPerSecond, minutes = 10, levels = usualLevels, weightOf = () => 1 }: Load) => {
  const clock = virtualClock();
  const random = seededRandom(11);
  const sent: Sent[] = [];
  const headroom = 0.02;
  const quota = createQuota(quotaSettings([aQuotaGroup("a", { limits })], { headroom, maxConcurrent: 200 }));
  const desk = createDesk<DeskTask>(
    {
      clock,
      random,
      quota,
      tokensOf: () => 1_700,
      call: (_seat, { cameraId, riskLevel }, _timeoutMs, _signal) => {
        const tokens = 900 + randomInt(random, 300);
        sent.push({ atMs: clock.monotonicMs(), tokens, cameraId, riskLevel });
        const answer: CallOutcome = {
          action: "answer",
          text: "{}",
          usage: { promptTokens: tokens - 100, completionTokens: 100 },
        };
        return new Promise((resolve) => void clock.after(1_000 + randomInt(random, 2_000), () => resolve(answer)));
      },
      called() {},
      changed() {},
    },
    { maxConcurrent: 200, retriesMax: 2, timeoutMs: 30_000, hedgeShare: 0 },
  );
  const ends: Record<string, number> = {};
  let admitted = 0;
  const latenciesMs: number[] = [];
  const weights = Array.from({ length: cameras }, (_, cameraId) => weightOf(cameraId));
  const perWeight = (tasksPerSecond * tickMs) / 1_000 / weights.reduce((sum, weight) => sum + weight, 0);
  const owed = weights.map(() => random.next());
  const signal = new AbortController().signal;
  for (let tick = 0; tick < (minutes * 60_000) / tickMs; tick++) {
    for (const [cameraId, weight] of weights.entries()) {
      for (
        owed[cameraId] = (owed[cameraId] ?? 0) + weight * perWeight;
        (owed[cameraId] ?? 0) >= 1;
        owed[cameraId] = (owed[cameraId] ?? 0) - 1
      ) {
        const capturedAt = clock.nowMs();
        const riskLevel = levels[randomInt(random, levels.length)] ?? "none";
        const spatial = { vehicles: 1, pedestrians: randomInt(random, 2) };
        const task: DeskTask = { cameraId, capturedAt, deadlineAt: capturedAt + 10_000, riskLevel, spatial };
        admitted++;
        void desk.assess(task, signal).then(({ end }) => {
          ends[end] = (ends[end] ?? 0) + 1;
          if (end === "answered") latenciesMs.push(clock.nowMs() - capturedAt);
        });
      }
    }
    await clock.advance(tickMs);
  }
  const made = sent.length;
  await clock.advance(20_000);
  const perCamera = weights.map((_, cameraId) => sent.filter((call) => call.cameraId === cameraId).length);
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return { sent, made, ends, admitted, perCamera, p95Ms: sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN };
};

describe("minutes at ten times the quota", () => {
  test("ten minutes of requests: no window of send times is over a limit, 97 % of the rate is used, cameras share alike", async () => {
    const { sent, made, ends, admitted, perCamera, p95Ms } = await run({ limits: { rps: 20, rpm: 1_200 }, tasksPerSecond: 200 });
    expect(fullest(sent, 1_000, () => 1)).toBeLessThanOrEqual(20);
    expect(fullest(sent, 60_000, () => 1)).toBeLessThanOrEqual(1_200);
    expect(made / 12_000).toBeGreaterThanOrEqual(0.97);
    expect(jain(perCamera)).toBeGreaterThanOrEqual(0.95);
    // What is served is served fresh, and no call is wasted on what is about to expire.
    expect(p95Ms).toBeLessThan(6_000);
    expect(ends.answered).toBe(sent.length);
    // Nothing waits for ever: what is not served is said to be so.
    expect(Object.values(ends).reduce((sum, count) => sum + count, 0)).toBe(admitted);
  }, 60_000);

  test("dangers alone are more than the quota: the harmless are not left without, and dangers keep nine of ten calls", async () => {
    const limits = { rps: 10 };
    // 40 dangers and 4 harmless a second, for 10 calls.
    const levels = [...Array.from({ length: 10 }, () => "high" as const), "none" as const];
    const { sent, perCamera } = await run({ limits, tasksPerSecond: 44, minutes: 5, levels });
    const harmless = sent.filter(({ riskLevel }) => riskLevel === "none");
    expect(fullest(sent, 1_000, () => 1)).toBeLessThanOrEqual(10);
    expect(sent.length / 3_000).toBeGreaterThanOrEqual(0.97);
    expect((sent.length - harmless.length) / sent.length).toBeGreaterThanOrEqual(0.9);
    expect(harmless.length / sent.length).toBeGreaterThanOrEqual(0.045);
    const gapsMs = harmless.slice(1).map(({ atMs }, index) => atMs - (harmless[index]?.atMs ?? 0));
    expect(Math.max(...gapsMs)).toBeLessThan(3_000);
    expect(jain(perCamera)).toBeGreaterThanOrEqual(0.95);
  }, 60_000);

  test("tokens: no window is over a limit by what was really used, and 97 % is used", async () => {
    const { sent, made } = await run({ limits: { tpm: 600_000 }, tasksPerSecond: 100, minutes: 3 });
    const tokensMade = sent.slice(0, made).reduce((sum, { tokens }) => sum + tokens, 0);
    expect(fullest(sent, 60_000, ({ tokens }) => tokens)).toBeLessThanOrEqual(600_000);
    expect(tokensMade / 1_800_000).toBeGreaterThanOrEqual(0.97);
  }, 60_000);

  test("a camera that sends twenty times as much gets no more than its share", async () => {
    const { perCamera } = await run({
      limits: { rps: 10 },
      tasksPerSecond: 100,
      minutes: 5,
      weightOf: (cameraId) => (cameraId === 0 ? 20 : 1),
    });
    expect(jain(perCamera)).toBeGreaterThanOrEqual(0.95);
  }, 60_000);
});
