/**
 * A circuit breaker over all calls to one quota group (Nygard, Release It!): when most of the recent calls failed at the
 * provider, none is sent for a while, then a single one. Pure state over a time that is handed in.
 */

export type Breaker = {
  /** When a call may be sent; `nowMs` or earlier while the circuit is closed, Infinity while the trial call is out. */
  readonly openUntilMs: () => number;
  readonly began: (nowMs: number) => void;
  /** Says whether the circuit thereby opens or closes. */
  readonly ended: (succeeded: boolean, beganAtMs: number, nowMs: number) => "opened" | "closed" | null;
  /** A trial call that told nothing: another is due. */
  readonly dropped: (beganAtMs: number) => void;
  readonly isTrying: () => boolean;
  readonly reset: () => void;
};

const windowMs = 10_000;
const recentMax = 200;
/** As many failures, and as large a share of the calls, open the circuit. */
const failuresMin = 8;
const failureRateMin = 0.5;
const [pauseMinMs, pauseMaxMs] = [5_000, 60_000];

export const createBreaker = (): Breaker => {
  /** Oldest first; those before `gone` have left the window. Counted as they come and go: it is asked at every call. */
  let recent: { readonly atMs: number; readonly succeeded: boolean }[] = [];
  let gone = 0;
  let failures = 0;
  const forget = () => {
    recent = [];
    gone = 0;
    failures = 0;
  };
  const prune = (nowMs: number) => {
    for (; gone < recent.length; gone++) {
      const oldest = recent[gone];
      if (!oldest || (oldest.atMs > nowMs - windowMs && recent.length - gone <= recentMax)) break;
      if (!oldest.succeeded) failures--;
    }
    if (gone < recentMax) return;
    recent = recent.slice(gone);
    gone = 0;
  };
  /** 0 while closed. */
  let reopensAtMs = 0;
  let pauseMs = pauseMinMs;
  let trialAtMs: number | null = null;
  const reset = () => {
    forget();
    reopensAtMs = 0;
    pauseMs = pauseMinMs;
    trialAtMs = null;
  };
  const open = (nowMs: number): "opened" => {
    forget();
    trialAtMs = null;
    reopensAtMs = nowMs + pauseMs;
    pauseMs = Math.min(pauseMaxMs, pauseMs * 2);
    return "opened";
  };
  return {
    openUntilMs: () => (trialAtMs === null ? reopensAtMs : Number.POSITIVE_INFINITY),
    began(nowMs) {
      if (reopensAtMs > 0) trialAtMs = nowMs;
    },
    ended(succeeded, beganAtMs, nowMs) {
      if (reopensAtMs > 0) {
        if (trialAtMs === null || beganAtMs < trialAtMs) return null; // from before the circuit opened
        if (!succeeded) return open(nowMs);
        reset();
        return "closed";
      }
      recent.push({ atMs: nowMs, succeeded });
      if (!succeeded) failures++;
      prune(nowMs);
      return failures >= failuresMin && failures >= (recent.length - gone) * failureRateMin ? open(nowMs) : null;
    },
    dropped(beganAtMs) {
      if (trialAtMs !== null && beganAtMs >= trialAtMs) trialAtMs = null;
    },
    isTrying: () => trialAtMs !== null,
    reset,
  };
};
