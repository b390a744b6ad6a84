/** Quota groups, keys and spending: what the models are asked, what that costs, and what was not asked and why. */
import { createRoute, z } from "@hono/zod-openapi";
import type { AccountsView } from "../../actors/scheduler/accounts.ts";
import type { Tally as LedgerTally } from "../../actors/scheduler/ledger.ts";
import type { QuotaEvent } from "../../actors/scheduler/quota.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { mayUseCamera, type Principal, requireRole } from "../auth.ts";
import type { EdgePorts } from "../ports.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";

const Limits = z.object({
  rps: z.number().optional(),
  rpm: z.number().optional(),
  tps: z.number().optional(),
  tpm: z.number().optional(),
  ramp: z.number().optional(),
});
const Tally = z
  .object({
    calls: z.int(),
    failed: z.int().describe("Calls without an answer"),
    repairs: z.int().describe("Second calls, for an answer that could not be read"),
    promptTokens: z.int(),
    completionTokens: z.int(),
    cost: z.number(),
  })
  .openapi("Tally");
const Key = z.object({
  id: z.string(),
  masked: z.string().describe("The end of the key"),
  state: z.enum(["available", "in_use", "cooling", "disabled"]),
  calls: z.int().describe("Since the process started"),
  inFlight: z.int(),
  successRate: z.number().describe("Of the last minute"),
  coolsForMs: z.number(),
  disabledBecause: z.string().nullable(),
  today: Tally,
});
const Group = z.object({
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
  today: Tally,
  keys: z.array(Key),
});
const Caps = z.object({
  softCost: z.number().optional(),
  hardCost: z.number().optional(),
  softTokens: z.number().optional(),
  hardTokens: z.number().optional(),
});
const Forecast = z.object({
  cameras: z.int().describe("Cameras with tasks in the last ten minutes"),
  tasksPerCamera: z.number().describe("A minute"),
  callsPerMinute: z.int().nullable().describe("What the limits allow; null without limits"),
  tokensPerCall: z.number(),
  secondsPerCall: z.number(),
  costPerDay: z.number().describe("At the demand of the last ten minutes"),
  camerasByQuota: z.int().nullable(),
  camerasByBudget: z.int().nullable(),
});
const Quota = z
  .object({
    groups: z.array(Group),
    spend: z.object({
      day: z.string().describe("UTC"),
      currency: z.string(),
      state: z.enum(["within", "soft", "hard"]),
      today: Tally,
      caps: z.object({ day: Caps, cameraDay: Caps }),
      cameras: z
        .array(Tally.extend({ cameraId: z.int().nullable() }))
        .describe("The hundred that cost most; null is all beyond those counted"),
    }),
    avoided: z
      .array(z.object({ stage: z.enum(["task-generator", "scheduler"]), reason: z.string(), count: z.number() }))
      .describe("Groups and tasks that no call was made for, since the process started"),
    forecast: Forecast,
  })
  .openapi("Quota");
type Quota = z.infer<typeof Quota>;

const Change = z.object({ group: z.string(), keyId: z.string().nullable(), what: z.string() });
const Changes = z.object({ changes: z.array(Change) }).openapi("KeyChanges");
const KeyPatch = z.strictObject({ enabled: z.boolean() }).openapi("KeyPatch");
const KeyParams = z.object({ group: z.string().min(1).max(64), key: z.string().min(1).max(64) });

const camerasShown = 100;
const nothing: LedgerTally = { calls: 0, failed: 0, repairs: 0, promptTokens: 0, completionTokens: 0, cost: 0 };
const tallyAt = (tallies: Readonly<Record<string, LedgerTally>>, name: string): LedgerTally =>
  (Object.hasOwn(tallies, name) ? tallies[name] : undefined) ?? nothing;

const spendOf = ({ book, budget, spent }: AccountsView, principal: Principal): Quota["spend"] => ({
  day: book.day,
  currency: budget.currency,
  state: spent,
  today: book.total,
  caps: { day: budget.day, cameraDay: budget.cameraDay },
  cameras: Object.entries(book.cameras)
    .map(([name, tally]) => ({ cameraId: /^\d+$/.test(name) ? Number(name) : null, ...tally }))
    .filter(({ cameraId }) => (cameraId === null ? principal.cameras === null : mayUseCamera(principal, cameraId)))
    .sort((a, b) => b.cost - a.cost || b.calls - a.calls)
    .slice(0, camerasShown),
});

const groupsOf = ({ groups, book }: AccountsView): Quota["groups"] =>
  groups.map(({ keys, ...group }) => ({
    ...group,
    today: tallyAt(book.groups, group.name),
    keys: keys.map(({ group: _, ...key }) => ({ ...key, today: tallyAt(book.keys, `${group.name}/${key.id}`) })),
  }));

const avoidedOf = async ({ groupsWithoutTask, callsAvoided }: EdgePorts["metrics"]): Promise<Quota["avoided"]> => {
  const of = async (stage: Quota["avoided"][number]["stage"], counter: typeof callsAvoided) => {
    const { values } = await counter.get();
    return values.map(({ labels, value }) => ({ stage, reason: String(labels.reason), count: value }));
  };
  return [...(await of("task-generator", groupsWithoutTask)), ...(await of("scheduler", callsAvoided))];
};

export const quotaRoutes = ({ llm, metrics, log }: Pick<EdgePorts, "llm" | "metrics" | "log">): EdgeApp => {
  const routes = createRoutes();
  const here = () => {
    if (!llm) throw new Fault("unavailable", "the scheduler runs in another process; ask there");
    return llm;
  };
  const tell = (events: readonly QuotaEvent[]) => {
    for (const { group, keyId, what, reason } of events)
      log.warn("llm.group", { group, ...(keyId === null ? {} : { keyId }), change: what, reason });
    return events.map(({ group, keyId, what }) => ({ group, keyId, what }));
  };

  routes.openapi(
    createRoute({
      method: "get",
      path: "/api/quota",
      tags: ["quota"],
      summary: "Quota groups, keys, spending, calls avoided, forecast",
      responses: { 200: json(Quota, "As of this moment"), ...problems(401, 503) },
    }),
    async (c) => {
      const view = here().accounts.view();
      const spend = spendOf(view, c.get("principal"));
      const avoided = await avoidedOf(metrics);
      return c.json({ groups: groupsOf(view), spend, avoided, forecast: view.forecast }, 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "patch",
      path: "/api/quota/groups/{group}/keys/{key}",
      tags: ["quota"],
      summary: "Takes a key out of use, or puts it back; until the process ends",
      request: {
        params: KeyParams,
        body: { required: true, content: { "application/json": { schema: KeyPatch } } },
      },
      responses: { 200: json(Changes, "Done; calls under way end as they may"), ...problems(400, 401, 403, 404, 503) },
    }),
    (c) => {
      const principal = c.get("principal");
      requireRole(principal, "operator");
      const { accounts } = here();
      const { group, key } = c.req.valid("param");
      const { enabled } = c.req.valid("json");
      const because = `switched off by ${principal.name}`;
      const isKnown = enabled ? accounts.enable(group, key) : accounts.disable(group, key, because);
      if (!isKnown) throw new Fault("not_found", `the group ${group} has no key ${key}, or there is no such group`);
      const change = { group, keyId: key, what: enabled ? "key enabled" : "key disabled", reason: `by ${principal.name}` };
      return c.json({ changes: tell([change]) }, 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/api/quota/reload",
      tags: ["quota"],
      summary: "Reads the keys and groups of the configuration again",
      responses: { 200: json(Changes, "What changed"), ...problems(400, 401, 403, 503) },
    }),
    (c) => {
      requireRole(c.get("principal"), "operator");
      const { accounts, keys } = here();
      try {
        return c.json({ changes: tell(accounts.replace(keys.read())) }, 200);
      } catch (thrown) {
        throw new Fault("invalid_field", `the configuration does not read; the keys in use stay: ${reasonOf(thrown)}`);
      }
    },
  );

  return routes;
};
