/**
 * Limits on when calls may be sent. Counts are held in sliding logs of send times: exact in every window, where a bucket
 * would let twice the limit pass across its edge. Time is handed in.
 */

export type RateLimits = {
  /** Calls in any second, in any minute. */
  readonly rps?: number | undefined;
  readonly rpm?: number | undefined;
  /** Tokens in any second, in any minute. */
  readonly tps?: number | undefined;
  readonly tpm?: number | undefined;
  /** Calls by which one second may exceed the second before it. */
  readonly ramp?: number | undefined;
};

/** Send times kept per window; a greater limit is kept as an equal rate over a shorter window, which is stricter. */
const timesMax = 65_536;

export type CountWindow = {
  /** The earliest time at which a call may be sent, `nowMs` or later. */
  readonly nextAtMs: (nowMs: number) => number;
  readonly take: (nowMs: number) => void;
  readonly within: (nowMs: number) => number;
};

export const countWindow = (count: number, windowMs: number): CountWindow => {
  let most = count;
  let lengthMs = windowMs;
  if (most < 1) {
    lengthMs /= most;
    most = 1;
  }
  while (most > timesMax) {
    most /= 2;
    lengthMs /= 2;
  }
  const sentAtMs = new Float64Array(Math.floor(most)).fill(Number.NEGATIVE_INFINITY);
  let oldest = 0;
  return {
    nextAtMs: (nowMs) => Math.max(nowMs, (sentAtMs[oldest] ?? 0) + lengthMs),
    take(nowMs) {
      sentAtMs[oldest] = nowMs;
      oldest = (oldest + 1) % sentAtMs.length;
    },
    within: (nowMs) => sentAtMs.reduce((sum, atMs) => sum + (atMs > nowMs - lengthMs ? 1 : 0), 0),
  };
};

/** A call that was sent, with the tokens that it takes: estimated at first, then what was used. */
export type Sent = { readonly order: number; readonly atMs: number; tokens: number };

/** The calls of so long, oldest first. Windows over it keep their own place in it. */
const sentLog = () => {
  let calls: Sent[] = [];
  /** The order of `calls[0]`. */
  let base = 0;
  return {
    at: (order: number): Sent | undefined => calls[order - base],
    end: () => base + calls.length,
    add(atMs: number, tokens: number): Sent {
      const sent = { order: base + calls.length, atMs, tokens };
      calls.push(sent);
      return sent;
    },
    /** Calls before `order` are needed no longer. */
    forget(order: number) {
      const spare = order - base;
      if (spare < 256 || spare * 2 < calls.length) return;
      calls = calls.slice(spare);
      base = order;
    },
  };
};
type SentLog = ReturnType<typeof sentLog>;

/** At most so many tokens in any window. */
const tokenWindow = (log: SentLog, most: number, lengthMs: number) => {
  let oldest = 0;
  let sum = 0;
  const expire = (nowMs: number) => {
    for (let sent = log.at(oldest); sent && sent.atMs <= nowMs - lengthMs; sent = log.at(oldest)) {
      sum -= sent.tokens;
      oldest++;
    }
  };
  return {
    nextAtMs(nowMs: number, tokens: number): number {
      expire(nowMs);
      const needed = Math.min(tokens, most); // what could never fit goes alone
      let left = sum;
      for (let order = oldest; left + needed > most; order++) {
        const sent = log.at(order);
        if (!sent) return nowMs; // only more than the limit itself is left over: rounding
        left -= sent.tokens;
        if (left + needed <= most) return sent.atMs + lengthMs;
      }
      return nowMs;
    },
    add(sent: Sent) {
      sum += sent.tokens;
    },
    settle(sent: Sent, change: number) {
      if (sent.order >= oldest) sum += change;
    },
    within(nowMs: number): number {
      expire(nowMs);
      return sum;
    },
    needs: () => oldest,
  };
};

/** A second may hold at most `step` calls more than the second before it. */
const rampWindow = (log: SentLog, step: number, lengthMs: number) => {
  /** The oldest call of this second, and of the one before it. */
  let recent = 0;
  let earlier = 0;
  const expire = (nowMs: number) => {
    while ((log.at(recent)?.atMs ?? nowMs) <= nowMs - lengthMs) recent++;
    while ((log.at(earlier)?.atMs ?? nowMs) <= nowMs - 2 * lengthMs) earlier++;
  };
  return {
    nextAtMs(nowMs: number): number {
      expire(nowMs);
      let atMs = nowMs;
      // Each round lets one call grow older: by and by there is none left in either second.
      for (let [young, old] = [recent, earlier]; log.end() - young + 1 > young - old + Math.max(1, step); ) {
        const ages = (log.at(young)?.atMs ?? Number.POSITIVE_INFINITY) + lengthMs;
        const leaves = (log.at(old)?.atMs ?? Number.POSITIVE_INFINITY) + 2 * lengthMs;
        if (ages <= leaves) young++;
        else old++;
        atMs = Math.max(atMs, Math.min(ages, leaves));
      }
      return atMs;
    },
    needs: () => earlier,
  };
};

/**
 * Spreads a limit over its window, so that a burst does not leave the rest of it without calls, and calls that are delayed on
 * their way do not meet the next burst: GCRA (the ATM Forum's generic cell rate algorithm) with a tolerance of `burst`.
 */
const paceOf = (most: number, lengthMs: number, burst: number) => {
  const perMs = most / lengthMs;
  let arrivesAtMs = Number.NEGATIVE_INFINITY;
  return {
    nextAtMs(nowMs: number, cost: number): number {
      const atMs = arrivesAtMs - Math.max(0, burst - cost) / perMs;
      return atMs - nowMs < roundingMs ? nowMs : atMs;
    },
    /** `isHeld`: it waited for its window rather than for work. Such a wait earns no further burst, or bursts would go on for ever. */
    take(nowMs: number, cost: number, isHeld: boolean) {
      const earliestMs = isHeld ? nowMs + Math.max(0, burst - cost) / perMs : nowMs;
      arrivesAtMs = Math.max(arrivesAtMs, earliestMs) + cost / perMs;
    },
    settle(change: number) {
      arrivesAtMs += change / perMs;
    },
  };
};

export type SendLimit = {
  /** The earliest time at which a call of so many tokens may be sent, `nowMs` or later. */
  readonly nextAtMs: (nowMs: number, tokens?: number) => number;
  readonly take: (nowMs: number, tokens?: number) => Sent;
  /** Puts what was used in the place of what was estimated. */
  readonly settle: (sent: Sent, tokens: number) => void;
  /** What stands in the windows, for those limits that are set. */
  readonly used: (nowMs: number) => RateLimits;
};

/** After a quiet time a limit of a minute may be used so far ahead of its even pace; that of a second as a whole. */
const minuteBurstMs = 5_000;
/** Sums of fractions are not exact; the windows are. */
const roundingMs = 1e-6;
/** A timer is late by about so much: a call that goes then was held until then. */
const lateMs = 5;

/**
 * All limits at once. The provider counts calls as they arrive, not as they are sent: every window is longer by the share
 * `headroom`, so that calls that travel unevenly do not crowd into one of its windows.
 */
export const sendLimit = ({ rps, rpm, tps, tpm, ramp }: RateLimits, headroom: number): SendLimit => {
  const [secondMs, minuteMs] = [1_000 / (1 - headroom), 60_000 / (1 - headroom)];
  const paceOfMinute = (most: number | undefined, perSecond: number | undefined) =>
    most === undefined
      ? []
      : [paceOf(most, minuteMs, Math.max(1, (most * minuteBurstMs) / minuteMs, Math.min(perSecond ?? 0, most)))];
  const log = sentLog();
  const second = rps === undefined ? null : countWindow(rps, secondMs);
  const minute = rpm === undefined ? null : countWindow(rpm, minuteMs);
  const tokenSecond = tps === undefined ? null : tokenWindow(log, tps, secondMs);
  const tokenMinute = tpm === undefined ? null : tokenWindow(log, tpm, minuteMs);
  const growth = ramp === undefined ? null : rampWindow(log, ramp, secondMs);
  const counts = [second, minute].filter((each) => each !== null);
  const sums = [tokenSecond, tokenMinute].filter((each) => each !== null);
  const paceOfSecond = rps === undefined ? [] : [paceOf(rps, secondMs, Math.max(1, rps))];
  const callPaces = [...paceOfSecond, ...paceOfMinute(rpm, rps)];
  const tokenPaces = paceOfMinute(tpm, tps);
  let heldUntilMs = Number.NEGATIVE_INFINITY;
  const logged = [...sums, ...(growth ? [growth] : [])];

  return {
    nextAtMs(nowMs, tokens = 0) {
      let atMs = nowMs;
      for (const window of counts) atMs = Math.max(atMs, window.nextAtMs(nowMs));
      for (const window of sums) atMs = Math.max(atMs, window.nextAtMs(nowMs, tokens));
      if (growth) atMs = Math.max(atMs, growth.nextAtMs(nowMs));
      if (atMs > nowMs) heldUntilMs = atMs;
      for (const pace of callPaces) atMs = Math.max(atMs, pace.nextAtMs(nowMs, 1));
      for (const pace of tokenPaces) atMs = Math.max(atMs, pace.nextAtMs(nowMs, tokens));
      return atMs;
    },
    take(nowMs, tokens = 0) {
      const isHeld = nowMs <= heldUntilMs + lateMs;
      for (const window of counts) window.take(nowMs);
      for (const pace of callPaces) pace.take(nowMs, 1, isHeld);
      for (const pace of tokenPaces) pace.take(nowMs, tokens, isHeld);
      if (logged.length === 0) return { order: 0, atMs: nowMs, tokens };
      const sent = log.add(nowMs, tokens);
      for (const window of sums) window.add(sent);
      return sent;
    },
    settle(sent, tokens) {
      const change = tokens - sent.tokens;
      sent.tokens = tokens;
      if (logged.length === 0) return;
      for (const window of sums) window.settle(sent, change);
      for (const pace of tokenPaces) pace.settle(change);
      log.forget(Math.min(...logged.map((window) => window.needs())));
    },
    used: (nowMs) => ({
      ...(second ? { rps: second.within(nowMs) } : {}),
      ...(minute ? { rpm: minute.within(nowMs) } : {}),
      ...(tokenSecond ? { tps: tokenSecond.within(nowMs) } : {}),
      ...(tokenMinute ? { tpm: tokenMinute.within(nowMs) } : {}),
    }),
  };
};
