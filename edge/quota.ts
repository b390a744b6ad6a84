/**
 * What the models are asked, what that costs, and what was not asked and why: the whole of it, whichever process is asked.
 * While roles are split, processes with a part of it tell it as a fact of the store; spending is in the store anyway.
 */
import { z } from "@hono/zod-openapi";
import type { Role } from "../actors/pipeline.ts";
import type { Accounts, AccountsView } from "../actors/scheduler/accounts.ts";
import { type Cancel, type Clock, every } from "../runtime/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Store } from "../runtime/store.ts";

const Limits = z.object({
  rps: z.number().optional(),
  rpm: z.number().optional(),
  tps: z.number().optional(),
  tpm: z.number().optional(),
  ramp: z.number().optional(),
});
export const Key = z.object({
  id: z.string(),
  masked: z.string().describe("The end of the key"),
  state: z.enum(["available", "in_use", "cooling", "disabled"]),
  calls: z.int().describe("Since the process started"),
  inFlight: z.int(),
  successRate: z.number().describe("Of the last minute"),
  coolsForMs: z.number(),
  disabledBecause: z.string().nullable(),
});
export const Group = z.object({
  name: z.string(),
  model: z.string(),
  state: z.enum(["open", "paused", "parked", "broken", "trying"]),
  inFlight: z.int(),
  inFlightMax: z.int().describe("By what the provider bears"),
  pausedForMs: z.number(),
  pausedBecause: z.string().nullable(),
  slowedTo: z.number().nullable().describe("Calls a second, after the provider called them too many"),
  limits: Limits,
  used: Limits.describe("In the windows of this moment"),
  keys: z.array(Key),
});
export const Forecast = z.object({
  cameras: z.int().describe("Cameras with tasks in the last ten minutes"),
  tasksPerCamera: z.number().describe("A minute"),
  callsPerMinute: z.int().nullable().describe("What the limits allow; null without limits"),
  tokensPerCall: z.number(),
  secondsPerCall: z.number(),
  costPerDay: z.number().describe("At the demand of the last ten minutes"),
  camerasByQuota: z.int().nullable(),
  camerasByBudget: z.int().nullable(),
});
/** The stages that leave calls unmade. */
const tellers = ["task-generator", "scheduler"] as const;
type Teller = (typeof tellers)[number];
export const Avoided = z.object({ stage: z.enum(tellers), reason: z.string(), count: z.number() });

/** What one process has to tell. */
const Part = z.object({
  roles: z.array(z.enum(tellers)),
  groups: z.array(Group),
  avoided: z.array(Avoided),
  forecast: Forecast.nullable(),
});
type Part = z.infer<typeof Part>;

export type QuotaWhole = Omit<Part, "roles" | "forecast"> & {
  readonly forecast: z.infer<typeof Forecast>;
  /** Roles that no process has told of. */
  readonly missing: readonly Teller[];
  readonly spending: Pick<AccountsView, "book" | "budget" | "spent">;
};

export type QuotaBoard = {
  readonly read: () => Promise<QuotaWhole>;
  /** Tells this process's part from time to time, where others may want it. */
  readonly tell: () => Cancel;
};

export type BoardPorts = {
  readonly roles: ReadonlySet<Role>;
  readonly accounts: Accounts;
  readonly metrics: Pick<Metrics, "groupsWithoutTask" | "callsAvoided">;
  readonly store: Store;
  readonly clock: Clock;
  /** Tells this process from others on the same store. */
  readonly owner: string;
};

const tellMs = 5_000;
/** A process that has told nothing for so long is gone. */
const partTtlMs = 3 * tellMs;
const area = "quota-part:";
const partsMax = 200;

const decode = (bytes: Uint8Array): Part[] => {
  try {
    return [Part.parse(JSON.parse(new TextDecoder().decode(bytes)))];
  } catch {
    return []; // of another version: it tells nothing here
  }
};

const sumOf = <T>(items: readonly T[], pick: (item: T) => number): number => items.reduce((sum, item) => sum + pick(item), 0);
const worst = <T>(items: readonly [T, ...T[]], badness: (item: T) => number): T =>
  items.reduce((one, other) => (badness(other) > badness(one) ? other : one));
const states = ["open", "trying", "paused", "broken", "parked"];
const keyStates = ["available", "in_use", "cooling", "disabled"];

/** Each process has its own windows and keeps to the limits by itself: what is used adds up, the limits do not. */
const usedBy = (groups: readonly Part["groups"][number][]): Part["groups"][number]["used"] => {
  const total: Record<string, number> = {};
  for (const { used } of groups)
    for (const [name, count] of Object.entries(used)) total[name] = (total[name] ?? 0) + (count ?? 0);
  return total;
};

const mergeKeys = (keys: readonly z.infer<typeof Key>[]): z.infer<typeof Key>[] =>
  Object.values(Object.groupBy(keys, ({ id }) => id)).flatMap((same) => {
    const [first, ...others] = same ?? [];
    if (!first) return [];
    const shown = worst([first, ...others], ({ state }) => keyStates.indexOf(state));
    return [
      {
        ...shown,
        calls: sumOf([first, ...others], ({ calls }) => calls),
        inFlight: sumOf([first, ...others], ({ inFlight }) => inFlight),
        successRate: Math.min(...[first, ...others].map(({ successRate }) => successRate)),
      },
    ];
  });

/** One entry a group: figures add up, and of the states the worst is shown. */
const mergeGroups = (groups: Part["groups"]): Part["groups"] =>
  Object.values(Object.groupBy(groups, ({ name }) => name)).flatMap((same) => {
    const [first, ...others] = same ?? [];
    if (!first) return [];
    const all: [typeof first, ...(typeof first)[]] = [first, ...others];
    return [
      {
        ...worst(all, ({ state }) => states.indexOf(state)),
        inFlight: sumOf(all, ({ inFlight }) => inFlight),
        inFlightMax: sumOf(all, ({ inFlightMax }) => inFlightMax),
        used: usedBy(all),
        keys: mergeKeys(all.flatMap(({ keys }) => keys)),
      },
    ];
  });

const mergeAvoided = (parts: readonly Part[]): Part["avoided"] => {
  const counts = new Map<string, z.infer<typeof Avoided>>();
  for (const { stage, reason, count } of parts.flatMap(({ avoided }) => avoided)) {
    const name = `${stage} ${reason}`;
    counts.set(name, { stage, reason, count: (counts.get(name)?.count ?? 0) + count });
  }
  return [...counts.values()].sort((a, b) => tellers.indexOf(a.stage) - tellers.indexOf(b.stage));
};

const noForecast = {
  ...{ cameras: 0, tasksPerCamera: 0, callsPerMinute: null, tokensPerCall: 0, secondsPerCall: 0, costPerDay: 0 },
  ...{ camerasByQuota: null, camerasByBudget: null },
};
/** Cameras are shared out among schedulers: their demand adds up. What may be called is by the settings that all have. */
const mergeForecasts = (parts: readonly Part[]): QuotaWhole["forecast"] => {
  const all = parts.flatMap(({ forecast }) => forecast ?? []);
  if (all.length < 2) return all[0] ?? noForecast;
  const cameras = sumOf(all, (each) => each.cameras);
  const weighed = (pick: (each: QuotaWhole["forecast"]) => number) =>
    cameras === 0 ? 0 : sumOf(all, (each) => pick(each) * each.cameras) / cameras;
  const least = (values: readonly (number | null)[]): number | null =>
    values.reduce((few, value) => (few === null || value === null ? (few ?? value) : Math.min(few, value)));
  return {
    cameras,
    tasksPerCamera: weighed((each) => each.tasksPerCamera),
    callsPerMinute: least(all.map((each) => each.callsPerMinute)),
    tokensPerCall: weighed((each) => each.tokensPerCall),
    secondsPerCall: weighed((each) => each.secondsPerCall),
    costPerDay: sumOf(all, (each) => each.costPerDay),
    camerasByQuota: least(all.map((each) => each.camerasByQuota)),
    camerasByBudget: least(all.map((each) => each.camerasByBudget)),
  };
};

export const createQuotaBoard = ({ roles, accounts, metrics, store, clock, owner }: BoardPorts): QuotaBoard => {
  const mine = tellers.filter((role) => roles.has(role));
  const key = `${area}${owner}`;

  const own = async (): Promise<Part> => {
    const view = accounts.view();
    const of = async (stage: Teller, counter: (typeof metrics)["callsAvoided"]): Promise<Part["avoided"]> => {
      if (!roles.has(stage)) return [];
      return (await counter.get()).values.map(({ labels, value }) => ({ stage, reason: String(labels.reason), count: value }));
    };
    const avoided = [
      ...(await of("task-generator", metrics.groupsWithoutTask)),
      ...(await of("scheduler", metrics.callsAvoided)),
    ];
    const groups = view.groups.map(({ keys, ...group }) => ({ ...group, keys: keys.map(({ group: _, ...each }) => each) }));
    const isScheduler = roles.has("scheduler");
    return { roles: mine, avoided, groups: isScheduler ? groups : [], forecast: isScheduler ? view.forecast : null };
  };

  const others = async (): Promise<Part[]> => {
    const facts = await store.list(area, partsMax).catch(() => []); // the store says why in its own log
    return facts.flatMap((fact) => (fact.key === key ? [] : decode(fact.bytes)));
  };

  return {
    async read() {
      if (!roles.has("scheduler")) await accounts.learnOthers(store).catch(() => {});
      const parts = [await own(), ...(await others())];
      const { book, budget, spent } = accounts.view();
      return {
        groups: mergeGroups(parts.flatMap(({ groups }) => groups)),
        avoided: mergeAvoided(parts),
        forecast: mergeForecasts(parts),
        missing: tellers.filter((role) => !parts.some((part) => part.roles.includes(role))),
        spending: { book, budget, spent },
      };
    },
    tell() {
      // An embedded store is read by its own process alone.
      if (mine.length === 0 || store.driver === "sqlite") return () => {};
      const put = async () => {
        const bytes = new TextEncoder().encode(JSON.stringify(await own()));
        await store.put([{ key, bytes, ttlMs: partTtlMs }]);
      };
      const tellNow = () => void put().catch(() => {}); // told again soon
      tellNow();
      return every(clock, tellMs, tellNow);
    },
  };
};
