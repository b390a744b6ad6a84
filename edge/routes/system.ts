/** The supervision tree, and what became of one request. */
import { createRoute, z } from "@hono/zod-openapi";
import { Decoder } from "@msgpack/msgpack";
import { MessageId, taskIdOf } from "../../protocols/ids.ts";
import { Fault } from "../../runtime/errors.ts";
import { requireCamera } from "../auth.ts";
import type { LiveEvent } from "../live/events.ts";
import type { EdgePorts } from "../ports.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";

const Node = z
  .object({
    name: z.string(),
    state: z.string(),
    restarts: z.int(),
    restartsLeft: z.int().nullable(),
    lastError: z.string().optional(),
    mailbox: z.object({ depth: z.int(), bytes: z.int(), oldestMs: z.number().nullable(), dropped: z.int() }).optional(),
    children: z.array(z.unknown()).openapi({ type: "array", items: { $ref: "#/components/schemas/SystemNode" } }),
  })
  .openapi("SystemNode");
const Stage = z.object({
  name: z.string(),
  at: z.int().describe("Epoch ms"),
  ms: z.int().describe("Since the first"),
  detail: z.string(),
});
const Lineage = z
  .object({
    messageId: MessageId,
    stages: z.array(Stage),
    tasks: z.array(z.object({ taskId: z.string(), outcome: z.string(), reason: z.string().optional() })),
  })
  .openapi("Lineage");
type Lineage = z.infer<typeof Lineage>;

/** What the task generator keeps of each detection result. */
const Admission = z.object({
  messageId: MessageId,
  groups: z.array(
    z.object({
      groupIndex: z.int(),
      outcome: z.enum(["task", "none"]),
      taskId: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
});
type Admission = z.infer<typeof Admission>;

const readAdmission = (bytes: Uint8Array | null): Admission | null => {
  if (!bytes) return null;
  const decoder = new Decoder({ maxStrLength: 1_024, maxBinLength: 0, maxArrayLength: 1_000, maxMapLength: 32 });
  try {
    return Admission.parse(decoder.decode(bytes));
  } catch {
    return null; // a fact of another shape tells nothing here
  }
};

/** The time that stands in a UUID version 7. */
const madeAt = (messageId: string): number | null => {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-7/i.exec(messageId);
  return match ? Number.parseInt(`${match[1]}${match[2]}`, 16) : null;
};

const lineage = (messageId: string, admission: Admission | null, event: LiveEvent | null): Lineage => {
  const stages: Lineage["stages"] = [];
  const update = event?.update;
  const begun = update?.capturedAt ?? madeAt(messageId);
  const add = (name: string, at: number | null, detail: string): void => {
    if (at !== null) stages.push({ name, at, ms: begun === null ? 0 : Math.max(0, at - begun), detail });
  };
  if (update) add("captured", update.capturedAt, `camera ${update.cameraId}`);
  add("clusterer", madeAt(messageId), admission ? `${admission.groups.length} groups` : "");
  if (event && update) {
    const state = `${update.final ? "final" : "not final"}, ${update.complete ? "complete" : "partial"}`;
    add("aggregator", event.appendedAtMs, `revision ${update.revision}, ${state}`);
  }

  const verdicts = new Map(update?.results.map((verdict) => [verdict.taskId, verdict]));
  const tasks = (admission?.groups ?? []).map(({ groupIndex, outcome, taskId = taskIdOf(messageId, groupIndex), reason }) => {
    const verdict = verdicts.get(taskId);
    verdicts.delete(taskId);
    const became = outcome === "none" ? "none" : (verdict?.status ?? "pending");
    return { taskId, outcome: became, ...(reason === undefined ? {} : { reason }) };
  });
  for (const { taskId, status } of verdicts.values()) tasks.push({ taskId, outcome: status });
  return { messageId, stages, tasks };
};

export const systemRoutes = ({ tree, store, live }: Pick<EdgePorts, "tree" | "store" | "live">): EdgeApp => {
  const routes = createRoutes();

  routes.openapi(
    createRoute({
      method: "get",
      path: "/api/system",
      tags: ["system"],
      summary: "The supervision tree",
      responses: { 200: json(z.object({ root: Node }), "Every actor, its restarts and its mailbox"), ...problems(401) },
    }),
    () => Response.json({ root: tree() }) as never, // the tree is the runtime's own value; it is not checked again
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/api/requests/{messageId}",
      tags: ["system"],
      summary: "What became of one detection result",
      request: { params: z.object({ messageId: MessageId }) },
      responses: { 200: json(Lineage, "Its stages and tasks"), ...problems(401, 404) },
    }),
    async (c) => {
      const { messageId } = c.req.valid("param");
      const admission = readAdmission(await store.get(`admission:${messageId}`));
      const event = live.find(messageId);
      if (event) requireCamera(c.get("principal"), event.cameraId);
      if (!admission && !event) throw new Fault("not_found", `nothing is known of request ${messageId}`);
      return c.json(lineage(messageId, admission, event), 200);
    },
  );

  return routes;
};
