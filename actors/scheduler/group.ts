/**
 * One quota group: an account and a model whose limits all its keys share. When it may take a call, and what it learns from
 * what became of one. Pure state over a time that is handed in.
 */
import { createBreaker } from "./breaker.ts";
import { createConcurrency } from "./concurrency.ts";
import { createEstimate } from "./estimate.ts";
import { createHistory, replay, type Second } from "./history.ts";
import type { CallOutcome } from "./outcome.ts";
import { createSlowStart } from "./slow-start.ts";
import { type RateLimits, sendLimit } from "./window.ts";

export type GroupKey = {
  readonly id: string;
  readonly priority: number;
  readonly secret: string;
  readonly maxInFlight?: number | null | undefined;
};

/** Of a million tokens, in the currency of the budget. */
export type Price = { readonly input: number; readonly output: number };

export type QuotaGroup = {
  readonly name: string;
  readonly baseUrl: string;
  readonly model: string;
  readonly limits: RateLimits;
  readonly maxInFlight: number | null;
  readonly price?: Price | undefined;
  readonly keys: readonly GroupKey[];
};

/** How an answer's form is asked for, from the strictest down; a model that refuses one is asked by the next. */
export const formats = ["json_schema", "json_object", "text"] as const;
export type Format = (typeof formats)[number];

export type GroupState = "open" | "paused" | "parked" | "broken" | "trying";

/** What changed for a group, worth a line in the log. */
export type GroupChange = { readonly what: string; readonly reason: string };

export type Group = {
  readonly spec: () => QuotaGroup;
  readonly replace: (spec: QuotaGroup, nowMs: number) => void;
  readonly inFlight: () => number;
  readonly inFlightMax: () => number;
  readonly format: () => Format;
  readonly estimate: (tokens: number) => number;
  readonly isOpen: (nowMs: number, tokens: number) => boolean;
  /** When the provider's trouble or refusals are over; `nowMs` when there are none. */
  readonly standsAtMs: (nowMs: number) => number;
  /** When the limits allow a call. */
  readonly allowedAtMs: (nowMs: number) => number;
  readonly take: (nowMs: number, tokens: number) => Ticket;
  readonly release: (ticket: Ticket, outcome: CallOutcome, isBlamed: boolean, nowMs: number) => readonly GroupChange[];
  readonly state: (nowMs: number) => GroupState;
  readonly pausedForMs: (nowMs: number) => number;
  readonly pausedBecause: (nowMs: number) => string | null;
  readonly used: (nowMs: number) => RateLimits;
  readonly slowedTo: (nowMs: number) => number | null;
  /** What the next process must know of this one's. */
  readonly kept: (nowMs: number) => KeptGroup;
  readonly recall: (kept: KeptGroup, nowMs: number) => void;
  /** Whatever stood against the group is forgotten; its windows are not. */
  readonly pardon: () => void;
};

export type KeptGroup = {
  readonly format: Format;
  /** Whether the model takes pictures, as far as is known. */
  readonly pictures: boolean;
  readonly seconds: readonly Second[];
};

/** One call of a group. */
export type Ticket = {
  readonly takenAtMs: number;
  readonly format: Format;
  readonly pictures: boolean;
  /** The task's figure, before any correction. */
  readonly tokens: number;
  /** Of the limits that were in force. */
  readonly settle: (tokens: number) => void;
};

/** First pause after a throttled call without Retry-After; doubled for each further one. */
const throttlePauseMs = 1_000;
const throttlePauseMaxMs = 8_000;
/** Until a model or address that was not found is tried again: someone may have mended it there. */
const parkedModelMs = 600_000;

type Refusal = Extract<CallOutcome, { readonly action: "retry-after" }>;
type Standing = { pausedUntilMs: number; because: string | null; isParked: boolean; throttlesInRow: number };
const goodStanding = (): Standing => ({ pausedUntilMs: 0, because: null, isParked: false, throttlesInRow: 0 });

const isProvidersTrouble = ({ action }: CallOutcome): boolean => action === "retry-elsewhere";
/** Too many calls at once; those that were refused for their rate are slowed by the pause. */
const isStrain = (outcome: CallOutcome): boolean =>
  isProvidersTrouble(outcome) || (outcome.action === "retry-after" && outcome.cause === "unavailable");
/** Tells nothing about the provider: our own doing, or about one key alone. */
const tellsNothing = ({ action }: CallOutcome): boolean => action === "aborted" || action === "park-key";

export const createGroup = (first: QuotaGroup, headroom: number, inFlightCeiling: number, firstFormat: Format): Group => {
  let spec = first;
  let limit = sendLimit(spec.limits, headroom);
  let concurrency = createConcurrency(spec.maxInFlight ?? inFlightCeiling);
  let standing = goodStanding();
  let format: Format = firstFormat;
  let pictures = true;
  let inFlight = 0;
  const breaker = createBreaker();
  const slowStart = createSlowStart();
  const estimate = createEstimate();
  const history = createHistory();

  const pause = (nowMs: number, forMs: number, because: string) => {
    standing.pausedUntilMs = Math.max(standing.pausedUntilMs, nowMs + forMs);
    standing.because = because;
  };

  /** A throttled call slows its whole group: the limit is the account's, and another key of it would meet the same. */
  const throttle = (outcome: Refusal, takenAtMs: number, nowMs: number): boolean => {
    const { cause, afterMs, reason } = outcome;
    // Calls that were under way when the pause began met the same wall: they may lengthen it, but are no further offence.
    const isNew = takenAtMs >= standing.pausedUntilMs;
    if (!isNew && afterMs === null) return false;
    if (isNew) standing.throttlesInRow++;
    pause(nowMs, afterMs ?? Math.min(throttlePauseMaxMs, throttlePauseMs * 2 ** (standing.throttlesInRow - 1)), reason);
    if (cause === "ramp") slowStart.refused(nowMs, standing.pausedUntilMs);
    return isNew;
  };

  const judge = (outcome: CallOutcome, isBlamed: boolean, takenAtMs: number, nowMs: number): GroupChange[] => {
    if (tellsNothing(outcome) || (isProvidersTrouble(outcome) && !isBlamed)) {
      breaker.dropped(takenAtMs);
      return [];
    }
    if (outcome.action === "answer") concurrency.answered(takenAtMs, nowMs - takenAtMs, inFlight + 1, nowMs);
    if (isStrain(outcome)) concurrency.strained(takenAtMs, nowMs);
    const turned = breaker.ended(!isProvidersTrouble(outcome), takenAtMs, nowMs);
    if (turned === null) return [];
    const reason = "reason" in outcome ? outcome.reason : "a trial call succeeded";
    return [{ what: turned === "opened" ? "circuit opened" : "circuit closed", reason }];
  };

  /** Without a report of usage the estimate stands, unless the call was refused before it took any. */
  const settleTokens = ({ tokens, settle }: Ticket, outcome: CallOutcome) => {
    const usage = "usage" in outcome ? outcome.usage : undefined;
    const used = usage ? usage.promptTokens + usage.completionTokens : 0;
    if (used > 0) estimate.learn(tokens, used);
    const isRefused = outcome.action === "retry-after" || outcome.action === "park-key" || outcome.action === "park-model";
    if (used > 0 || isRefused) settle(used);
  };

  const opensAtMs = (nowMs: number): number => Math.max(nowMs, standing.pausedUntilMs, breaker.openUntilMs());
  // The trial call that is out may end at any moment.
  const standsAtMs = (nowMs: number): number => (breaker.isTrying() ? Math.max(nowMs, standing.pausedUntilMs) : opensAtMs(nowMs));

  return {
    spec: () => spec,
    replace(next, nowMs) {
      const isSame = JSON.stringify([next.limits, next.maxInFlight]) === JSON.stringify([spec.limits, spec.maxInFlight]);
      const isElsewhere = next.baseUrl !== spec.baseUrl || next.model !== spec.model;
      spec = next;
      if (isElsewhere) {
        standing = goodStanding();
        breaker.reset();
        format = firstFormat;
        pictures = true;
      }
      if (isSame) return;
      limit = sendLimit(next.limits, headroom);
      replay(limit, history.seconds(nowMs), nowMs);
      concurrency = createConcurrency(next.maxInFlight ?? inFlightCeiling);
    },
    inFlight: () => inFlight,
    inFlightMax: () => concurrency.limit(),
    format: () => format,
    estimate: (tokens) => estimate.of(tokens),
    isOpen: (nowMs, tokens) =>
      opensAtMs(nowMs) <= nowMs &&
      inFlight < concurrency.limit() &&
      slowStart.nextAtMs(nowMs) <= nowMs &&
      limit.nextAtMs(nowMs, estimate.of(tokens)) <= nowMs,
    standsAtMs,
    allowedAtMs: (nowMs) => Math.max(slowStart.nextAtMs(nowMs), limit.nextAtMs(nowMs, estimate.of(estimate.usual()))),
    take(nowMs, tokens) {
      const guessed = estimate.of(tokens);
      inFlight++;
      breaker.began(nowMs);
      slowStart.took(nowMs);
      history.add(nowMs, guessed);
      const inForce = limit;
      const sent = inForce.take(nowMs, guessed);
      return { takenAtMs: nowMs, format, pictures, tokens, settle: (used) => inForce.settle(sent, used) };
    },
    release(ticket, outcome, isBlamed, nowMs) {
      const { takenAtMs } = ticket;
      inFlight--;
      settleTokens(ticket, outcome);
      const isSincePause = takenAtMs >= standing.pausedUntilMs;
      const changes = judge(outcome, isBlamed, takenAtMs, nowMs);
      switch (outcome.action) {
        case "answer":
          if (isSincePause) standing.throttlesInRow = 0;
          break;
        case "retry-after":
          if (throttle(outcome, takenAtMs, nowMs)) changes.push({ what: "group paused", reason: outcome.reason });
          break;
        case "retry-plain": {
          const next = formats[formats.indexOf(ticket.format) + 1];
          if (format !== ticket.format || !next) break; // learned from another call
          format = next;
          changes.push({ what: `answers asked for as ${next}`, reason: outcome.reason });
          break;
        }
        case "retry-unseen":
          if (!pictures) break; // learned from another call
          pictures = false;
          changes.push({ what: "asked without pictures", reason: outcome.reason });
          break;
        case "park-model":
          pause(nowMs, parkedModelMs, outcome.reason);
          standing.isParked = true;
          changes.push({ what: "group parked", reason: outcome.reason });
          break;
      }
      return changes;
    },
    state(nowMs) {
      if (breaker.isTrying()) return "trying";
      if (breaker.openUntilMs() > nowMs) return "broken";
      if (standing.pausedUntilMs <= nowMs) return "open";
      return standing.isParked ? "parked" : "paused";
    },
    pausedForMs: (nowMs) => standsAtMs(nowMs) - nowMs,
    pausedBecause(nowMs) {
      if (standing.pausedUntilMs > nowMs) return standing.because;
      return opensAtMs(nowMs) > nowMs ? "most calls failed" : null;
    },
    used: (nowMs) => limit.used(nowMs),
    slowedTo: (nowMs) => slowStart.rps(nowMs),
    kept: (nowMs) => ({ format, pictures, seconds: history.seconds(nowMs) }),
    recall(kept, nowMs) {
      format = kept.format;
      pictures = kept.pictures;
      for (const { agoMs, calls, tokens } of kept.seconds) history.add(nowMs - agoMs, tokens, calls);
      replay(limit, kept.seconds, nowMs);
    },
    pardon() {
      standing = goodStanding();
      pictures = true;
      breaker.reset();
    },
  };
};
