/** The supervision tree, and what became of one request. */
import { createRoute, z } from "@hono/zod-openapi";
import { MessageId } from "../../protocols/ids.ts";
import { Fault } from "../../runtime/errors.ts";
import { requireCamera } from "../auth.ts";
import { traceRequest } from "../lineage.ts";
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
    tasks: z
      .array(
        z.object({
          taskId: z.string(),
          outcome: z.string().describe("none, pending, overdue, set-aside, or the status of its result"),
          reason: z.string().optional(),
        }),
      )
      .describe("One a group; those without a task say why"),
  })
  .openapi("Lineage");
export const systemRoutes = ({ tree, store, bus, live }: Pick<EdgePorts, "tree" | "store" | "bus" | "live">): EdgeApp => {
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
      const trail = await traceRequest({ store, bus }, messageId, live.find(messageId));
      if (!trail) throw new Fault("not_found", `nothing is known of request ${messageId}`);
      if (trail.cameraId !== null) requireCamera(c.get("principal"), trail.cameraId);
      const { stages, tasks } = trail.lineage;
      return c.json({ messageId, stages: [...stages], tasks: [...tasks] }, 200);
    },
  );

  return routes;
};
