/** Dangers that lasted, what people say of them, and their pictures. */
import { createRoute, z } from "@hono/zod-openapi";
import { CameraId, RiskLevel, riskRank } from "../../protocols/ids.ts";
import { Acknowledgement, EvidenceId, Incident, IncidentId } from "../../protocols/incident.ts";
import { Fault } from "../../runtime/errors.ts";
import { mayUseCamera, type Principal, requireCamera, requireRole } from "../auth.ts";
import { bundleOf } from "../bundle.ts";
import { createIncidents } from "../incidents.ts";
import type { EdgePorts } from "../ports.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";
import { TimeQuery } from "./times.ts";

const Shown = z.object(Incident.schema.shape).openapi("Incident");
const OfIncident = z.object({ id: IncidentId });
const { label, note } = Acknowledgement.shape;
const Said = z.object({ label, note }).openapi("IncidentLabel");

const list = createRoute({
  method: "get",
  path: "/api/incidents",
  tags: ["incidents"],
  summary: "Incidents, the newest first",
  request: {
    query: z.object({
      cameraId: z.coerce.number().pipe(CameraId).optional(),
      level: RiskLevel.optional().describe("Of this level or a higher one"),
      since: TimeQuery.optional().describe("Opened then or later"),
      limit: z.coerce.number().int().min(1).max(500).default(50),
      after: z
        .string()
        .regex(/^[0-9a-f]{12}:[0-9a-f]{32}$/, "expected what `next` said")
        .optional()
        .describe("What `next` of the page before said"),
    }),
  },
  responses: {
    200: json(
      z.object({ items: z.array(Shown), next: z.string().optional() }),
      "A page; while there is a `next`, there may be more",
    ),
    ...problems(400, 401, 503),
  },
});
const one = createRoute({
  method: "get",
  path: "/api/incidents/{id}",
  tags: ["incidents"],
  summary: "One incident",
  request: { params: OfIncident },
  responses: { 200: json(Shown, "As it stands"), ...problems(400, 401, 404, 503) },
});
const acknowledge = createRoute({
  method: "post",
  path: "/api/incidents/{id}/ack",
  tags: ["incidents"],
  summary: "Says whether it was a danger indeed; the last word counts",
  request: { params: OfIncident, body: { required: true, content: { "application/json": { schema: Said } } } },
  responses: { 200: json(Shown, "With what was said"), ...problems(400, 401, 403, 404, 503) },
});
const picture = createRoute({
  method: "get",
  path: "/api/evidence/{id}",
  tags: ["incidents"],
  summary: "A picture of an incident",
  request: { params: z.object({ id: EvidenceId }) },
  responses: {
    200: { description: "JPEG", content: { "image/jpeg": { schema: { type: "string", format: "binary" } } } },
    304: { description: "As the client has it" },
    ...problems(400, 401, 404, 503),
  },
});

const bundle = createRoute({
  method: "get",
  path: "/api/incidents/{id}/bundle",
  tags: ["incidents"],
  summary: "All that there is about one, in an archive that `vedette verify` checks",
  request: { params: OfIncident },
  responses: {
    200: {
      description: "ZIP: incident, pictures, records, and a manifest of SHA-256 hashes",
      content: { "application/zip": { schema: { type: "string", format: "binary" } } },
    },
    ...problems(400, 401, 404, 503),
  },
});

const bare = ({ type: _, ...incident }: Incident) => incident;
const isMatch = (header: string | undefined, etag: string): boolean =>
  header?.split(",").some((each) => ["*", etag].includes(each.trim().replace(/^W\//, ""))) ?? false;

export const incidentRoutes = (
  ports: Pick<EdgePorts, "store" | "bus" | "random" | "clock" | "evidence" | "version">,
): EdgeApp => {
  const routes = createRoutes();
  const incidents = createIncidents(ports);

  /** One of a camera that the token may not see is answered like one that is not there. */
  const find = async (id: string, principal: Principal): Promise<Incident> => {
    const incident = await incidents.get(id);
    if (!incident || !mayUseCamera(principal, incident.cameraId)) throw new Fault("not_found", `there is no incident ${id}`);
    return incident;
  };

  routes.openapi(list, async (c) => {
    const { cameraId, level = "none", since = 0, limit, after = null } = c.req.valid("query");
    const principal = c.get("principal");
    if (cameraId !== undefined) requireCamera(principal, cameraId);
    const wants = (incident: Incident): boolean =>
      mayUseCamera(principal, incident.cameraId) &&
      (cameraId === undefined || incident.cameraId === cameraId) &&
      riskRank(incident.level) >= riskRank(level);
    const { items, next } = await incidents.list(wants, { sinceMs: since, limit, after });
    return c.json({ items: items.map(bare), ...(next === null ? {} : { next }) }, 200);
  });

  routes.openapi(one, async (c) => c.json(bare(await find(c.req.valid("param").id, c.get("principal"))), 200));

  routes.openapi(acknowledge, async (c) => {
    const principal = c.get("principal");
    requireRole(principal, "operator");
    const incident = await find(c.req.valid("param").id, principal);
    const said = { ...c.req.valid("json"), by: principal.name, at: ports.clock.nowMs() };
    return c.json(bare(await incidents.acknowledge(incident, said)), 200);
  });

  routes.openapi(bundle, async (c) => {
    const incident = await find(c.req.valid("param").id, c.get("principal"));
    const archive = await bundleOf(ports, incident, ports.clock.nowMs());
    return new Response(Buffer.from(archive), {
      headers: {
        "content-type": "application/zip",
        "content-disposition": `attachment; filename="incident-${incident.id}.zip"`,
        "cache-control": "private, no-store",
      },
    });
  });

  routes.openapi(picture, async (c) => {
    const { id } = c.req.valid("param");
    const missing = new Fault("not_found", `there is no picture ${id}`);
    if (!mayUseCamera(c.get("principal"), Number(id.split("-")[0]))) throw missing;
    const etag = `"${id}"`;
    // What is named by its content never changes.
    const headers = { etag, "cache-control": "private, max-age=604800, immutable" };
    const image = await ports.evidence.read(id);
    if (!image) throw missing;
    if (isMatch(c.req.header("if-none-match"), etag)) return new Response(null, { status: 304, headers });
    return new Response(Buffer.from(image), { headers: { ...headers, "content-type": "image/jpeg" } });
  });

  return routes;
};
