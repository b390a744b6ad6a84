/**
 * How many cameras the quota and the budget can carry, judged by the tasks and calls of the last ten minutes. Pure state over
 * a time that is handed in.
 */
import type { RateLimits } from "./window.ts";

export type Capacity = {
  /** Of each group that has a usable key. */
  readonly groups: readonly RateLimits[];
  readonly overall: RateLimits;
  readonly maxConcurrent: number;
  readonly headroom: number;
  /** What a day may cost; undefined sets no bound. */
  readonly dayCost: number | undefined;
};

export type Forecast = {
  /** Cameras that had a task. */
  readonly cameras: number;
  /** Tasks of one camera in a minute. */
  readonly tasksPerCamera: number;
  /** Calls a minute that the limits allow at this length of questions and answers; null when none is set. */
  readonly callsPerMinute: number | null;
  readonly tokensPerCall: number;
  readonly secondsPerCall: number;
  readonly costPerDay: number;
  /** Null where nothing bounds them, or too little is known. */
  readonly camerasByQuota: number | null;
  readonly camerasByBudget: number | null;
};

export type Demand = {
  readonly task: (cameraId: number, nowMs: number) => void;
  readonly call: (tokens: number, cost: number, durationMs: number, nowMs: number) => void;
  readonly forecast: (capacity: Capacity, nowMs: number) => Forecast;
};

type Minute = {
  readonly beganAtMs: number;
  tasks: number;
  readonly cameras: Set<number>;
  calls: number;
  tokens: number;
  cost: number;
  durationMs: number;
};

const minuteMs = 60_000;
const minutesKept = 10;
const minutesPerDay = 1_440;

const callsPerMinuteOf = ({ rps, rpm, tps, tpm }: RateLimits, tokensPerCall: number): number => {
  const tokens = Math.max(1, tokensPerCall);
  return Math.min(
    (rps ?? Number.POSITIVE_INFINITY) * 60,
    rpm ?? Number.POSITIVE_INFINITY,
    ((tps ?? Number.POSITIVE_INFINITY) * 60) / tokens,
    (tpm ?? Number.POSITIVE_INFINITY) / tokens,
  );
};

export const createDemand = (): Demand => {
  let minutes: Minute[] = [];
  const at = (nowMs: number): Minute => {
    const last = minutes.at(-1);
    if (last && nowMs < last.beganAtMs + minuteMs) return last;
    const fresh = { beganAtMs: nowMs, tasks: 0, cameras: new Set<number>(), calls: 0, tokens: 0, cost: 0, durationMs: 0 };
    minutes = [...minutes.filter(({ beganAtMs }) => beganAtMs > nowMs - minutesKept * minuteMs), fresh];
    return fresh;
  };
  return {
    task(cameraId, nowMs) {
      const minute = at(nowMs);
      minute.tasks++;
      minute.cameras.add(cameraId);
    },
    call(tokens, cost, durationMs, nowMs) {
      const minute = at(nowMs);
      minute.calls++;
      minute.tokens += tokens;
      minute.cost += cost;
      minute.durationMs += durationMs;
    },
    forecast({ groups, overall, maxConcurrent, headroom, dayCost }, nowMs) {
      const kept = minutes.filter(({ beganAtMs }) => beganAtMs > nowMs - minutesKept * minuteMs);
      const sum = (pick: (minute: Minute) => number) => kept.reduce((total, minute) => total + pick(minute), 0);
      const cameras = new Set(kept.flatMap((minute) => [...minute.cameras])).size;
      const spanMinutes = Math.max(1, (nowMs - (kept[0]?.beganAtMs ?? nowMs)) / minuteMs);
      const calls = sum((minute) => minute.calls);
      const tokensPerCall = calls === 0 ? 0 : sum((minute) => minute.tokens) / calls;
      const secondsPerCall = calls === 0 ? 0 : sum((minute) => minute.durationMs) / calls / 1_000;
      const costPerCall = calls === 0 ? 0 : sum((minute) => minute.cost) / calls;
      const tasksPerCamera = cameras === 0 ? 0 : sum((minute) => minute.tasks) / cameras / spanMinutes;
      const byLimits = groups.reduce((total, limits) => total + callsPerMinuteOf(limits, tokensPerCall), 0);
      const byPlaces = secondsPerCall === 0 ? Number.POSITIVE_INFINITY : (maxConcurrent / secondsPerCall) * 60;
      const allowed = Math.min(byLimits, callsPerMinuteOf(overall, tokensPerCall)) * (1 - headroom);
      const callsPerMinute = Math.min(allowed, byPlaces);
      const perDay = costPerCall * tasksPerCamera * minutesPerDay;
      const whole = (value: number) => (Number.isFinite(value) ? Math.floor(value) : null);
      return {
        cameras,
        tasksPerCamera,
        callsPerMinute: whole(callsPerMinute),
        tokensPerCall,
        secondsPerCall,
        costPerDay: perDay * cameras,
        camerasByQuota: tasksPerCamera === 0 ? null : whole(callsPerMinute / tasksPerCamera),
        camerasByBudget: dayCost === undefined || perDay === 0 ? null : whole(dayCost / perDay),
      };
    },
  };
};
