/**
 * What belongs to the provider's accounts rather than to one incarnation of the scheduler: the windows of what was sent, the
 * standing of keys, the ledger. It is handed to the scheduler and outlives its restarts; a process that begins takes up what
 * the one before it left in the store.
 */
import { z } from "zod";
import type { Clock } from "../../runtime/clock.ts";
import type { Fact, Store } from "../../runtime/store.ts";
import { createDemand, type Demand, type Forecast } from "./forecast.ts";
import { formats, type QuotaGroup } from "./group.ts";
import { type Book, type Budget, createLedger, dayOf, decodeBook, encodeBook, type Ledger, type Spent } from "./ledger.ts";
import { createQuota, type GroupView, type KeptQuota, type Quota, type QuotaEvent, type QuotaSettings } from "./quota.ts";
import type { RateLimits } from "./window.ts";

export type AccountSettings = Omit<QuotaSettings, "format"> & {
  readonly budget: Budget;
  /** Group whose model is asked on the side for a share of the tasks, to be compared; it takes no other calls. */
  readonly shadow: { readonly group: string; readonly share: number } | null;
  /** Tells this process from others on the same store; the same at its next start. */
  readonly owner: string;
};

export type AccountsView = {
  readonly groups: readonly GroupView[];
  readonly overall: { readonly limits: RateLimits };
  readonly book: Book;
  readonly budget: Budget;
  readonly spent: Spent;
  readonly forecast: Forecast;
};

export type Accounts = {
  readonly quota: Quota;
  /** Of the group that is asked on the side. */
  readonly shadow: { readonly quota: Quota; readonly share: number } | null;
  readonly ledger: Ledger;
  readonly demand: Demand;
  readonly hasKeys: () => boolean;
  readonly defaultModel: () => string;
  readonly replace: (groups: readonly QuotaGroup[]) => readonly QuotaEvent[];
  readonly disable: (group: string, keyId: string, because: string) => boolean;
  readonly enable: (group: string, keyId: string) => boolean;
  readonly view: () => AccountsView;
  /** Takes up what the store has, at the first call only; says in it that calls may follow, at each. */
  readonly load: (store: Store) => Promise<void>;
  /** What is to be kept of the sending, when there was any since the last time. `isEnd`: nothing will be sent after it. */
  readonly sending: (isEnd: boolean) => readonly Fact[];
  /** The book of this day, when it has changed. */
  readonly booked: () => readonly Fact[];
  /** Brings in what other processes have spent. */
  readonly learnOthers: (store: Store) => Promise<void>;
};

const Second = z.object({ agoMs: z.number().min(0), calls: z.int().min(0), tokens: z.number().min(0) });
const KeptFact = z.object({
  atMs: z.number(),
  isEnd: z.boolean(),
  groups: z.record(
    z.string(),
    z.object({ format: z.enum(formats), pictures: z.boolean().default(true), seconds: z.array(Second) }),
  ),
  overall: z.array(Second),
});

/** Null when the bytes are not ours: the windows then begin empty. */
const readKept = (bytes: Uint8Array): z.infer<typeof KeptFact> | null => {
  try {
    return KeptFact.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
};

/** Between two savings; what was sent since is not known after a crash. */
export const keepMs = 1_000;
/** The windows are soon past; what a model can do is worth remembering. */
const quotaTtlMs = 30 * 86_400_000;
/** Bills of past days are looked up for a while. */
const bookTtlMs = 40 * 86_400_000;

/**
 * After a saving the next is due in a second, and durable some time later: calls of two seconds may be unknown. When the process
 * crashed is unknown as well, so they count as the last before this start.
 */
const unsavedAgoMs = [0, keepMs];
/** What may have been sent in one of those seconds: all that the limits let pass. */
const unknownOf = ({ rps, rpm }: RateLimits): number => Math.ceil(rps ?? (rpm ?? 0) / 12);

export const createAccounts = (settings: AccountSettings, clock: Clock): Accounts => {
  const { budget, owner, limits, maxConcurrent, headroom } = settings;
  const { shadow } = settings;
  const isUsual = ({ name }: QuotaGroup) => name !== shadow?.group;
  const usual = (groups: readonly QuotaGroup[]) => groups.filter(isUsual);
  const aside = (groups: readonly QuotaGroup[]) => groups.filter((group) => !isUsual(group));
  const quota = createQuota({ ...settings, groups: usual(settings.groups), format: "json_schema" });
  const shadowQuota = createQuota({ ...settings, groups: aside(settings.groups), limits: {}, format: "json_schema" });
  const ledger = createLedger(budget);
  const demand = createDemand();
  let groups = settings.groups;
  let loading: Promise<void> | null = null;
  let keptSends = 0;
  let keptCalls = 0;
  const quotaKey = `quota:${owner}`;
  const bookKey = (day: string) => `ledger:${day}:${owner}`;

  const keptFact = (isEnd: boolean): Fact => {
    const kept = { atMs: clock.nowMs(), isEnd, ...quota.kept(clock.monotonicMs()) };
    return { key: quotaKey, bytes: new TextEncoder().encode(JSON.stringify(kept)), ttlMs: quotaTtlMs };
  };

  const recall = (bytes: Uint8Array) => {
    const data = readKept(bytes);
    if (!data) return;
    const nowMs = clock.monotonicMs();
    const passedMs = Math.max(0, clock.nowMs() - data.atMs);
    const later = <T extends { readonly agoMs: number }>(seconds: readonly T[]) =>
      seconds.map((second) => ({ ...second, agoMs: second.agoMs + passedMs }));
    const unknown = (limit: RateLimits) =>
      data.isEnd || unknownOf(limit) === 0 ? [] : unsavedAgoMs.map((agoMs) => ({ agoMs, calls: unknownOf(limit), tokens: 0 }));
    const kept: KeptQuota = {
      groups: Object.fromEntries(
        usual(groups).flatMap(({ name, limits: own }) => {
          const known = Object.hasOwn(data.groups, name) ? data.groups[name] : undefined;
          return known ? [[name, { ...known, seconds: [...later(known.seconds), ...unknown(own)] }]] : [];
        }),
      ),
      overall: [...later(data.overall), ...unknown(limits)],
    };
    quota.recall(kept, nowMs);
  };

  return {
    quota,
    shadow: shadow ? { quota: shadowQuota, share: shadow.share } : null,
    ledger,
    demand,
    hasKeys: () => usual(groups).some(({ keys }) => keys.length > 0),
    defaultModel: () => usual(groups)[0]?.model ?? "",
    replace(next) {
      groups = next;
      const nowMs = clock.monotonicMs();
      return [...quota.replace(usual(next), nowMs), ...shadowQuota.replace(aside(next), nowMs)];
    },
    disable: (group, keyId, because) => quota.disable(group, keyId, because) || shadowQuota.disable(group, keyId, because),
    enable: (group, keyId) => quota.enable(group, keyId) || shadowQuota.enable(group, keyId),
    view() {
      const [nowMs, wallMs] = [clock.monotonicMs(), clock.nowMs()];
      const views = quota.view(nowMs);
      const usable = views.filter(({ keys }) => keys.some(({ state }) => state !== "disabled"));
      const capacity = {
        groups: usable.map((group) => group.limits),
        overall: limits,
        maxConcurrent,
        headroom,
        dayCost: budget.day.hardCost,
      };
      return {
        groups: [...views, ...shadowQuota.view(nowMs)],
        overall: { limits },
        book: ledger.today(wallMs),
        budget,
        spent: ledger.spentOfAll(wallMs),
        forecast: demand.forecast(capacity, nowMs),
      };
    },
    async load(store) {
      loading ??= (async () => {
        const day = dayOf(clock.nowMs());
        const [sent, book] = await Promise.all([store.get(quotaKey), store.get(bookKey(day))]);
        const known = book ? decodeBook(book) : null;
        if (known) ledger.recall(known);
        if (sent) recall(sent);
      })().catch((thrown) => {
        loading = null; // the next start tries again
        throw thrown;
      });
      await loading;
      // Before the first call, at a restart of the actor too, whose release said that it was the end: a crash that follows within
      // a second must be known as one.
      if (groups.length > 0) await store.put([keptFact(false)]).catch(() => {});
    },
    sending(isEnd) {
      const sends = quota.sends();
      if (groups.length === 0 || (sends === keptSends && !isEnd)) return [];
      keptSends = sends;
      return [keptFact(isEnd)];
    },
    booked() {
      const book = ledger.own(clock.nowMs());
      if (book.total.calls === keptCalls) return [];
      keptCalls = book.total.calls;
      return [{ key: bookKey(book.day), bytes: encodeBook(book), ttlMs: bookTtlMs }];
    },
    async learnOthers(store) {
      const day = dayOf(clock.nowMs());
      const facts = await store.list(`ledger:${day}:`, 1_000);
      ledger.others(facts.flatMap(({ key, bytes }) => (key === bookKey(day) ? [] : (decodeBook(bytes) ?? []))));
    },
  };
};
