/** Who may be called, and when: quota groups with their keys, limits on send times, pauses, and what models are known to refuse. */
import type { Metrics } from "../../runtime/metrics.ts";
import { type Cooldown, createKeyPool, type KeyOutcome, type KeyUse, type KeyView, type Strategy } from "./keys.ts";
import type { CallOutcome, Endpoint } from "./openai.ts";
import { groupPauseMs } from "./retry.ts";
import { type RateLimits, sendLimit } from "./window.ts";

export type QuotaGroup = {
  /** An account and a model: the provider's limits are the group's, however many keys it has. */
  readonly name: string;
  readonly baseUrl: string;
  readonly model: string;
  readonly limits: RateLimits;
  readonly maxInFlight: number | null;
  readonly keys: readonly { readonly id: string; readonly secret: string; readonly priority: number }[];
};

export type DeskOptions = {
  readonly groups: readonly QuotaGroup[];
  readonly limits: RateLimits;
  readonly selection: Strategy;
  readonly cooldown: Cooldown;
};

/** Clocks of two machines differ, and requests bunch on the way: windows are kept a little longer than the provider's. */
const slackMs = 50;

export type Ticket = { readonly use: KeyUse; readonly endpoint: Endpoint; readonly jsonMode: boolean };

export type Desk = {
  /** A key that may be called at this moment; null when there is none. */
  readonly take: (nowMs: number) => Ticket | null;
  readonly giveBack: (ticket: Ticket, outcome: CallOutcome | null, nowMs: number) => void;
  /** The earliest time at which a call may be possible; Infinity when nothing but a person can help. */
  readonly hopeAtMs: (nowMs: number) => number;
  readonly refuseJsonMode: (ticket: Ticket) => void;
  readonly view: (nowMs: number) => readonly KeyView[];
};

type Group = {
  readonly spec: QuotaGroup;
  readonly limit: ReturnType<typeof sendLimit>;
  inFlight: number;
  closedUntilMs: number;
  failures: number;
  parked: string | null;
  jsonMode: boolean;
};

const outcomeOf = (outcome: CallOutcome | null): KeyOutcome => {
  if (outcome === null) return "neutral";
  if (outcome.ok) return "succeeded";
  return outcome.action === "elsewhere" || outcome.action === "slow_down" ? "failed" : "neutral";
};

export const createDesk = ({ groups, limits, selection, cooldown }: DeskOptions): Desk => {
  const overall = sendLimit(limits, slackMs);
  const byName = new Map<string, Group>(
    groups.map((spec) => [
      spec.name,
      { spec, limit: sendLimit(spec.limits, slackMs), inFlight: 0, closedUntilMs: 0, failures: 0, parked: null, jsonMode: true },
    ]),
  );
  const keys = createKeyPool(
    groups.flatMap(({ name, keys: own }) => own.map(({ id, priority }) => ({ id, priority, group: name }))),
    selection,
    cooldown,
  );
  const groupOf = (name: string): Group => {
    const group = byName.get(name);
    if (!group) throw new Error(`there is no quota group ${name}`);
    return group;
  };
  const opensAtMs = (group: Group, nowMs: number): number =>
    group.parked === null
      ? Math.max(group.closedUntilMs, group.limit.nextAtMs(nowMs), overall.nextAtMs(nowMs))
      : Number.POSITIVE_INFINITY;

  return {
    take(nowMs) {
      const use = keys.take(nowMs, (name) => {
        const group = groupOf(name);
        return opensAtMs(group, nowMs) <= nowMs && group.inFlight < (group.spec.maxInFlight ?? Number.POSITIVE_INFINITY);
      });
      if (!use) return null;
      const group = groupOf(use.group);
      group.limit.take(nowMs);
      overall.take(nowMs);
      group.inFlight++;
      const { baseUrl, model, keys: own } = group.spec;
      const secret = own.find(({ id }) => id === use.id)?.secret ?? "";
      return { use, endpoint: { baseUrl, model, secret }, jsonMode: group.jsonMode };
    },

    giveBack({ use }, outcome, nowMs) {
      const group = groupOf(use.group);
      group.inFlight--;
      keys.release(use, outcomeOf(outcome), nowMs);
      if (!outcome) return;
      if (outcome.ok) {
        group.failures = 0;
        return;
      }
      if (outcome.action === "park_key") keys.disable(use.group, use.id, outcome.reason);
      if (outcome.action === "park_model") group.parked = outcome.reason;
      if (outcome.action === "slow_down") group.closedUntilMs = nowMs + groupPauseMs(outcome, ++group.failures);
    },

    hopeAtMs: (nowMs) =>
      [...byName.values()].reduce(
        (earliest, group) => Math.min(earliest, Math.max(opensAtMs(group, nowMs), keys.hopeAtMs(group.spec.name, nowMs))),
        Number.POSITIVE_INFINITY,
      ),

    refuseJsonMode({ use }) {
      groupOf(use.group).jsonMode = false;
    },

    view: keys.view,
  };
};

const statusNumber = { available: 1, in_use: 2, cooling: 3, disabled: 4 } as const;

export const measureKeys = (metrics: Metrics, views: readonly KeyView[]): void => {
  const sizes = new Map<string, number>();
  for (const { id: key_id, group: pool_id, state, successRate, coolsForMs } of views) {
    sizes.set(pool_id, (sizes.get(pool_id) ?? 0) + 1);
    metrics.keyStatus.set({ pool_id, key_id }, statusNumber[state]);
    metrics.keySuccessRate.set({ pool_id, key_id }, successRate);
    metrics.keyCooldown.set({ pool_id, key_id }, coolsForMs / 1000);
  }
  for (const [pool_id, size] of sizes) metrics.keyPoolSize.set({ pool_id }, size);
};
