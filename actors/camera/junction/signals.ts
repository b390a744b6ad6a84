/** Traffic lights: the two roads take turns; a green may be held on, within a bound. Times in milliseconds of scene time. */
import type { Random } from "../../../runtime/random.ts";

export type Light = "green" | "yellow" | "red";

export type Signals = {
  /** The road that has, or has just had, its green: 0 east-west, 1 north-south. */
  axis: 0 | 1;
  stage: "green" | "yellow" | "clearing";
  stageSinceMs: number;
  heldUntilMs: number;
  readonly greenMs: readonly [number, number];
};

const yellowMs = 3_000;
const clearingMs = 2_000;
const greenMaxMs = 42_000;
/** What the slowest pedestrian needs from kerb to kerb, less the yellow and the clearing time. */
const walkBeforeEndMs = 10_000;

export const createSignals = (random: Random): Signals => {
  const greenMs: [number, number] = [16_000 + 5_000 * random.next(), 15_000 + 4_000 * random.next()];
  // The first green is somewhere in its first half, so that cameras do not all show the same moment.
  return {
    axis: random.next() < 0.5 ? 0 : 1,
    stage: "green",
    stageSinceMs: -Math.floor(random.next() * 7_000),
    heldUntilMs: 0,
    greenMs,
  };
};

const greenEndMs = (signals: Signals): number =>
  Math.min(
    signals.stageSinceMs + greenMaxMs,
    Math.max(signals.stageSinceMs + signals.greenMs[signals.axis], signals.heldUntilMs),
  );

export const stepSignals = (signals: Signals, nowMs: number): void => {
  if (signals.stage === "green" && nowMs >= greenEndMs(signals)) {
    signals.stage = "yellow";
    signals.stageSinceMs = nowMs;
  } else if (signals.stage === "yellow" && nowMs >= signals.stageSinceMs + yellowMs) {
    signals.stage = "clearing";
    signals.stageSinceMs = nowMs;
  } else if (signals.stage === "clearing" && nowMs >= signals.stageSinceMs + clearingMs) {
    signals.stage = "green";
    signals.stageSinceMs = nowMs;
    signals.heldUntilMs = 0;
    signals.axis = signals.axis === 0 ? 1 : 0;
  }
};

/** What drivers who come from `arm` see. */
export const lightOf = (signals: Signals, arm: number): Light =>
  signals.stage === "clearing" || signals.axis !== arm % 2 ? "red" : signals.stage;

/** A pedestrian may begin to cross `arm`: its traffic waits, and will wait until the slowest has crossed. */
export const mayWalk = (signals: Signals, arm: number, nowMs: number): boolean =>
  signals.stage === "green" && signals.axis !== arm % 2 && nowMs < greenEndMs(signals) - walkBeforeEndMs;

/** The green of `arm` lasts, or can be held, until `untilMs`. */
export const canHold = (signals: Signals, arm: number, untilMs: number): boolean =>
  lightOf(signals, arm) === "green" && untilMs <= signals.stageSinceMs + greenMaxMs;

/** Keeps the green on until `untilMs`, within the longest green. */
export const hold = (signals: Signals, untilMs: number): void => {
  signals.heldUntilMs = Math.max(signals.heldUntilMs, untilMs);
};
