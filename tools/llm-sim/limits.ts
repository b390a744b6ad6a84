/**
 * What an account may do, counted as the provider counts it: by arrival, in sliding windows of a second and a minute, all keys
 * of the account together. Refused arrivals take no room. Time is handed in and never goes back.
 */

export type Limits = {
  readonly rps?: number | undefined;
  readonly rpm?: number | undefined;
  /** Tokens of question and answer together. */
  readonly tps?: number | undefined;
  readonly tpm?: number | undefined;
  /** Calls that were sent in time may arrive closer together by so much: windows are shorter by it. */
  readonly jitterMs?: number | undefined;
};

/** The three refusals of DashScope (Model Studio, "Rate limits") with the codes of its OpenAI-compatible mode. */
export const refusals = {
  requests: { code: "limit_requests", text: "Requests rate limit exceeded, please try again later." },
  tokens: { code: "insufficient_quota", text: "Allocated quota exceeded, please increase your quota limit." },
  ramp: {
    code: "limit_burst_rate",
    text: "Request rate increased too quickly. Please scale requests more smoothly over time.",
  },
} as const;

export type Refusal = { readonly kind: keyof typeof refusals; readonly retryAfterMs: number };

export type Account = {
  /** Null lets the request in, and counts it. */
  readonly admitRequest: (nowMs: number) => Refusal | null;
  /** Null lets the tokens in, and counts them. */
  readonly admitTokens: (nowMs: number, tokens: number) => Refusal | null;
};

type Entry = { readonly atMs: number; readonly amount: number };

/** The sum of what was added in the last `lengthMs`; a moment exactly that long ago is outside. */
const slidingWindow = (lengthMs: number) => {
  let entries: Entry[] = [];
  let oldest = 0;
  let sum = 0;
  return {
    sumAt(nowMs: number): number {
      for (let entry = entries[oldest]; entry && entry.atMs <= nowMs - lengthMs; entry = entries[oldest]) {
        sum -= entry.amount;
        oldest++;
      }
      if (oldest > 1_024 && oldest * 2 > entries.length) {
        entries = entries.slice(oldest);
        oldest = 0;
      }
      return sum;
    },
    add(atMs: number, amount: number): void {
      entries.push({ atMs, amount });
      sum += amount;
    },
    /** How long until the sum has fallen to `most`; the whole length when it never will. */
    waitMs(nowMs: number, most: number): number {
      let left = sum;
      for (let at = oldest; left > most; at++) {
        const entry = entries[at];
        if (!entry) return lengthMs;
        left -= entry.amount;
        if (left <= most) return entry.atMs + lengthMs - nowMs;
      }
      return most < 0 ? lengthMs : 0;
    },
  };
};

export const createAccount = ({ rps, rpm, tps, tpm, jitterMs = 0 }: Limits): Account => {
  const [second, twoSeconds] = [slidingWindow(1_000 - jitterMs), slidingWindow(2_000 - jitterMs)];
  const minute = slidingWindow(60_000 - jitterMs);
  const tokenLimits = [
    ...(tps === undefined ? [] : [{ window: slidingWindow(1_000 - jitterMs), most: tps }]),
    ...(tpm === undefined ? [] : [{ window: slidingWindow(60_000 - jitterMs), most: tpm }]),
  ];

  const overRequests = (nowMs: number): Refusal | null => {
    if (rpm !== undefined && minute.sumAt(nowMs) >= rpm) return { kind: "requests", retryAfterMs: minute.waitMs(nowMs, rpm - 1) };
    if (rps === undefined) return null;
    const inLastSecond = second.sumAt(nowMs);
    if (inLastSecond < rps) return null;
    // An account that was well below its rate the second before came up too fast; one at its rate is simply over it.
    const inSecondBefore = twoSeconds.sumAt(nowMs) - inLastSecond;
    return { kind: inSecondBefore * 2 < rps ? "ramp" : "requests", retryAfterMs: second.waitMs(nowMs, rps - 1) };
  };

  return {
    admitRequest(nowMs) {
      const refusal = overRequests(nowMs);
      if (refusal) return refusal;
      if (rpm !== undefined) minute.add(nowMs, 1);
      if (rps !== undefined) {
        second.add(nowMs, 1);
        twoSeconds.add(nowMs, 1);
      }
      return null;
    },
    admitTokens(nowMs, tokens) {
      for (const { window, most } of tokenLimits) {
        if (window.sumAt(nowMs) + tokens > most) return { kind: "tokens", retryAfterMs: window.waitMs(nowMs, most - tokens) };
      }
      for (const { window } of tokenLimits) window.add(nowMs, tokens);
      return null;
    },
  };
};

export type Accounts = Readonly<Record<string, readonly string[]>>;

const accountsMax = 1_000;

/** The account of a key; null for a key that no account has. Without named accounts each key is an account of its own. */
export const accountBook = (accounts: Accounts | undefined, limits: Limits): ((key: string) => Account | null) => {
  const byKey = new Map<string, Account>();
  if (accounts !== undefined) {
    for (const keys of Object.values(accounts)) {
      const account = createAccount(limits);
      for (const key of keys) byKey.set(key, account);
    }
    return (key) => byKey.get(key) ?? null;
  }
  const others = createAccount(limits);
  return (key) => {
    const known = byKey.get(key);
    if (known) return known;
    if (byKey.size >= accountsMax) return others;
    const account = createAccount(limits);
    byKey.set(key, account);
    return account;
  };
};
