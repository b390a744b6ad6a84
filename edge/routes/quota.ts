/** Quota groups, keys and spending: what the models are asked, what that costs, and what was not asked and why. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Tally as LedgerTally } from "../../actors/scheduler/ledger.ts";
import type { QuotaEvent } from "../../actors/scheduler/quota.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { mayUseCamera, type Principal, requireRole } from "../auth.ts";
import type { EdgePorts } from "../ports.ts";
import { Avoided, Forecast, Group, Key, type QuotaWhole } from "../quota.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";

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
const Caps = z.object({
  softCost: z.number().optional(),
  hardCost: z.number().optional(),
  softTokens: z.number().optional(),
  hardTokens: z.number().optional(),
});
const Quota = z
  .object({
    groups: z.array(Group.extend({ today: Tally, keys: z.array(Key.extend({ today: Tally })) })),
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
    avoided: z.array(Avoided).describe("Groups and tasks that no call was made for, since the processes started"),
    forecast: Forecast,
    missing: z
      .array(Avoided.shape.stage)
      .describe("Roles in other processes that have told nothing for 15 s, or cannot since the store is not shared"),
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

const spendOf = ({ book, budget, spent }: QuotaWhole["spending"], principal: Principal): Quota["spend"] => ({
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

const groupsOf = ({ groups, spending }: QuotaWhole): Quota["groups"] =>
  groups.map(({ keys, ...group }) => ({
    ...group,
    today: tallyAt(spending.book.groups, group.name),
    keys: keys.map((key) => ({ ...key, today: tallyAt(spending.book.keys, `${group.name}/${key.id}`) })),
  }));

export const quotaRoutes = ({ llm, quota, log }: Pick<EdgePorts, "llm" | "quota" | "log">): EdgeApp => {
  const routes = createRoutes();
  const here = () => {
    if (!llm)
      throw new Fault(
        "unavailable",
        "the scheduler runs in another process: change its key file, which it reads within five seconds",
      );
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
      responses: { 200: json(Quota, "As of this moment; of other processes, of at most some seconds ago"), ...problems(401) },
    }),
    async (c) => {
      const whole = await quota.read();
      const { avoided, forecast, missing } = whole;
      const spend = spendOf(whole.spending, c.get("principal"));
      return c.json({ groups: groupsOf(whole), spend, avoided, forecast, missing: [...missing] }, 200);
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
