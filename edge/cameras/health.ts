/** How well a camera delivers, from what was seen of it in the last hour. Pure: times are handed in. */
import type { CameraState } from "../../protocols/camera.ts";

export const healthGrades = ["unknown", "excellent", "fair", "poor", "unusable"] as const;
export type HealthGrade = (typeof healthGrades)[number];
export type Health = { readonly grade: HealthGrade; readonly reasons: readonly string[] };

const hourMs = 3_600_000;
const settleMs = 10_000;
const arrivalsMax = 512;
const troublesMax = 128;

/** What is remembered of one camera. Lists are bounded; the oldest entry leaves first. */
export type Watch = {
  readonly sinceMs: number;
  readonly expectedFps: number;
  state: CameraState;
  lastFrameAt: number | null;
  readonly arrivalsMs: number[];
  readonly reconnectsMs: number[];
  readonly stallsMs: number[];
};

export const createWatch = (expectedFps: number, nowMs: number): Watch => ({
  sinceMs: nowMs,
  expectedFps,
  state: "connecting",
  lastFrameAt: null,
  arrivalsMs: [],
  reconnectsMs: [],
  stallsMs: [],
});

const keep = (list: number[], value: number, max: number): void => {
  list.push(value);
  if (list.length > max) list.shift();
};

const within = (list: readonly number[], fromMs: number): number => {
  let count = 0;
  for (const at of list) if (at > fromMs) count += 1;
  return count;
};

export const noteFrame = (watch: Watch, capturedAt: number, nowMs: number): void => {
  watch.lastFrameAt = capturedAt;
  keep(watch.arrivalsMs, nowMs, arrivalsMax);
};

const delivering = (state: CameraState): boolean => state === "online" || state === "stale" || state === "frozen";

export const noteState = (watch: Watch, state: CameraState, nowMs: number): void => {
  if (state === watch.state) return;
  if (delivering(watch.state) && !delivering(state)) keep(watch.reconnectsMs, nowMs, troublesMax);
  if (watch.state === "online" && (state === "stale" || state === "frozen")) keep(watch.stallsMs, nowMs, troublesMax);
  watch.state = state;
};

/** Long enough to hold several frames of the slowest camera. */
const windowMs = (expectedFps: number): number => Math.max(settleMs, 5_000 / expectedFps);

/** By the distance of frames rather than their count, so that it does not waver; falls from one late frame on. */
export const measuredFps = (watch: Watch, nowMs: number): number => {
  const recent = watch.arrivalsMs.filter((at) => at > nowMs - windowMs(watch.expectedFps));
  const [first, last] = [recent[0], recent.at(-1)];
  if (first === undefined || last === undefined || last === first) return 0;
  const intervalMs = (last - first) / (recent.length - 1);
  const spanMs = Math.max(last - first, nowMs - first - intervalMs);
  return Math.round(((recent.length - 1) / spanMs) * 100_000) / 100;
};

/**
 * The rule is Frigate's: excellent without a reconnect, at 0.9 of the expected rate and fewer than 5 stalls an hour; fair up to
 * 2 reconnects and 0.6 of the rate; unusable without frames, or above 10 reconnects or 100 stalls; else poor.
 */
export const gradeOf = (watch: Watch, nowMs: number): Health => {
  if (watch.state === "failed" || watch.state === "offline")
    return { grade: "unusable", reasons: [`the camera is ${watch.state}`] };
  if (nowMs - watch.sinceMs < windowMs(watch.expectedFps)) return { grade: "unknown", reasons: ["watched for too short a time"] };

  const fps = measuredFps(watch, nowMs);
  const share = fps / watch.expectedFps;
  const reconnects = within(watch.reconnectsMs, nowMs - hourMs);
  const stalls = within(watch.stallsMs, nowMs - hourMs);
  const reasons: string[] = [];
  if (share < 0.9) reasons.push(`${fps.toFixed(2)} of ${watch.expectedFps} frames per second`);
  if (reconnects > 0) reasons.push(`${reconnects} reconnects in the last hour`);
  if (stalls >= 5) reasons.push(`${stalls} stalls in the last hour`);

  if (fps < Math.min(0.1, watch.expectedFps / 4) || reconnects > 10 || stalls > 100) return { grade: "unusable", reasons };
  if (reconnects === 0 && share >= 0.9 && stalls < 5) return { grade: "excellent", reasons };
  if (reconnects <= 2 && share >= 0.6) return { grade: "fair", reasons };
  return { grade: "poor", reasons };
};
