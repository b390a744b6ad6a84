/** The last that is known of each camera, for those who ask rather than listen. */
import { createRoute, z } from "@hono/zod-openapi";
import { LiveDetection } from "../../protocols/detection.ts";
import { RiskUpdate } from "../../protocols/verdict.ts";
import { Fault } from "../../runtime/errors.ts";
import { mayUseCamera, requireCamera } from "../auth.ts";
import type { EdgePorts } from "../ports.ts";
import { CameraIdParam, createRoutes, type EdgeApp, json, problems } from "./routing.ts";

const Merged = z
  .object({ ...LiveDetection.schema.omit({ frame: true }).shape, riskAssessment: RiskUpdate.schema.nullable() })
  .openapi("MergedResult");
const Snapshot = z.object({ streams: z.array(Merged) }).openapi("Snapshot");

const latest = createRoute({
  method: "get",
  path: "/api/cameras/{id}/latest",
  tags: ["cameras"],
  summary: "The last detection result, with the last verdict",
  request: { params: CameraIdParam },
  responses: { 200: json(Merged, "The last merged result"), ...problems(400, 401, 404) },
});
const snapshot = createRoute({
  method: "get",
  path: "/api/snapshot",
  tags: ["cameras"],
  summary: "The last result of every camera",
  responses: { 200: json(Snapshot, "By camera id"), ...problems(401) },
});
const picture = createRoute({
  method: "get",
  path: "/api/cameras/{id}/frame.jpg",
  tags: ["cameras"],
  summary: "A picture of the last seconds",
  request: { params: CameraIdParam },
  responses: {
    200: { description: "JPEG", content: { "image/jpeg": { schema: { type: "string", format: "binary" } } } },
    ...problems(400, 401, 404, 429, 503),
  },
});

export const liveRoutes = ({ cameras, live }: Pick<EdgePorts, "cameras" | "live">): EdgeApp => {
  const routes = createRoutes();
  const requireKnown = (id: number): void => {
    if (!cameras.get(id)) throw new Fault("unknown_camera", `there is no camera ${id}`);
  };

  // The schemas are those that the message was declared and checked with; answers are not checked a second time.
  routes.openapi(latest, (c) => {
    const { id } = c.req.valid("param");
    requireCamera(c.get("principal"), id);
    const found = live.latest(id);
    if (found) return Response.json(found) as never;
    requireKnown(id);
    throw new Fault("not_found", `camera ${id} has delivered no result yet`);
  });

  routes.openapi(snapshot, (c) => {
    const principal = c.get("principal");
    const streams = cameras
      .list()
      .filter(({ id }) => mayUseCamera(principal, id))
      .flatMap(({ id }) => live.latest(id) ?? []);
    return Response.json({ streams }) as never;
  });

  routes.openapi(picture, async (c) => {
    const { id } = c.req.valid("param");
    requireCamera(c.get("principal"), id);
    requireKnown(id);
    const { jpeg, capturedAt } = await live.picture(id);
    const headers = {
      "content-type": "image/jpeg",
      "cache-control": "no-store",
      "last-modified": new Date(capturedAt).toUTCString(),
    };
    return new Response(Buffer.from(jpeg), { headers });
  });

  return routes;
};
