/** Quota groups and the scheduler's arguments as tests want them: no headroom, so that times are round. */
import { type AccountSettings, type Accounts, createAccounts } from "../../actors/scheduler/accounts.ts";
import type { QuotaGroup } from "../../actors/scheduler/group.ts";
import { parsePrompt } from "../../actors/scheduler/prompt.ts";
import type { QuotaSettings } from "../../actors/scheduler/quota.ts";
import type { SchedulerArgs } from "../../actors/scheduler.ts";
import type { Clock } from "../../runtime/clock.ts";

export const aQuotaGroup = (name: string, overrides: Partial<QuotaGroup> = {}): QuotaGroup => ({
  name,
  baseUrl: `http://${name}.test/v1`,
  model: `model-${name}`,
  limits: {},
  maxInFlight: null,
  keys: [{ id: `${name}-1`, secret: `sk-${name}-1`, priority: 1 }],
  ...overrides,
});

export const quotaSettings = (groups: readonly QuotaGroup[], overrides: Partial<QuotaSettings> = {}): QuotaSettings => ({
  groups,
  selection: "least_loaded",
  cooldown: { adaptive: true, minMs: 10_000, maxMs: 120_000, fixedMs: 60_000 },
  limits: {},
  headroom: 0,
  maxConcurrent: 50,
  format: "json_object",
  ...overrides,
});

export const accountsOf = (groups: readonly QuotaGroup[], clock: Clock, overrides: Partial<AccountSettings> = {}): Accounts => {
  const { format: _, ...settings } = quotaSettings(groups);
  const budget = { currency: "USD", day: {}, cameraDay: {} };
  return createAccounts({ ...settings, budget, shadow: null, owner: "test", ...overrides }, clock);
};

const shortPrompt = parsePrompt(
  "version: t1\n[system]\ns\n[user]\nJSON {{ids}} {{riskLevel}}\n[with-picture]\np\n[without-picture]\nq\n[repair]\nr {{reason}}\n",
  "t",
);

export const schedulerSettings = {
  reload: () => null,
  maxConcurrent: 50,
  timeoutMs: 30_000,
  retriesMax: 2,
  hedgeShare: 0,
  language: "en",
  prompt: shortPrompt,
  deadlineMs: 10_000,
  outageMs: 60_000,
} as const satisfies Partial<SchedulerArgs>;
