/** Cameras over HTTP. What is written here persists, and wins over the configuration. */
import { createRoute, z } from "@hono/zod-openapi";
import { CameraSettings, cameraFields, cameraStates } from "../../protocols/camera.ts";
import { Fault } from "../../runtime/errors.ts";
import { mayUseCamera, requireCamera, requireRole } from "../auth.ts";
import { healthGrades } from "../cameras/health.ts";
import type { EdgePorts } from "../ports.ts";
import { CameraIdParam, createRoutes, type EdgeApp, json, problems } from "./routing.ts";

const Camera = z
  .object({
    ...cameraFields,
    url: z.string().describe("Without its login"),
    fps: z.number().describe("Frames per second asked for"),
    loop: z.boolean(),
    enabled: z.boolean(),
    persistent: z.boolean().describe("False for a camera begun over WebSocket"),
    state: z.enum(cameraStates),
    message: z.string(),
    measuredFps: z.number().describe("Frames per second that come"),
    lastFrameAt: z.int().nullable().describe("When the last frame was captured, epoch ms"),
    health: z.object({ grade: z.enum(healthGrades), reasons: z.array(z.string()).readonly() }).readonly(),
  })
  .openapi("Camera");
const CameraList = z.object({ items: z.array(Camera).readonly() }).openapi("CameraList");
const CameraAddition = CameraSettings.extend({
  id: cameraFields.id.optional().describe("The next free one when left out"),
}).openapi("CameraAddition");
const CameraPatch = z
  .strictObject({
    name: cameraFields.name.optional(),
    url: cameraFields.url.optional(),
    fps: cameraFields.fps.unwrap().optional(),
    loop: z.boolean().optional(),
    roi: cameraFields.roi,
    enabled: z.boolean().optional(),
  })
  .openapi("CameraPatch");
const ProbeAnswer = z
  .object({
    ok: z.boolean(),
    codec: z.string().optional(),
    width: z.int().optional(),
    height: z.int().optional(),
    fps: z.number().optional(),
    latencyMs: z.number(),
    error: z.string().optional(),
  })
  .openapi("ProbeAnswer");
const Check = z.strictObject({ url: cameraFields.url.optional().describe("Another address than the camera's") });

const tags = ["cameras"];
const list = createRoute({
  method: "get",
  path: "/api/cameras",
  tags,
  summary: "All cameras, by id",
  responses: { 200: json(CameraList, "The cameras"), ...problems(401) },
});
const add = createRoute({
  method: "post",
  path: "/api/cameras",
  tags,
  summary: "Adds a camera",
  request: { body: { required: true, content: { "application/json": { schema: CameraAddition } } } },
  responses: { 201: json(Camera, "Added"), ...problems(400, 401, 403, 409, 503) },
});
const get = createRoute({
  method: "get",
  path: "/api/cameras/{id}",
  tags,
  summary: "One camera",
  request: { params: CameraIdParam },
  responses: { 200: json(Camera, "The camera"), ...problems(400, 401, 404) },
});
const patch = createRoute({
  method: "patch",
  path: "/api/cameras/{id}",
  tags,
  summary: "Changes the fields that are given",
  request: { params: CameraIdParam, body: { required: true, content: { "application/json": { schema: CameraPatch } } } },
  responses: { 200: json(Camera, "Changed"), ...problems(400, 401, 403, 404, 409, 503) },
});
const remove = createRoute({
  method: "delete",
  path: "/api/cameras/{id}",
  tags,
  summary: "Removes a camera for good",
  request: { params: CameraIdParam },
  responses: { 204: { description: "Removed" }, ...problems(400, 401, 403, 404, 503) },
});
const check = createRoute({
  method: "post",
  path: "/api/cameras/{id}/check",
  tags,
  summary: "Opens the address once",
  description: "With `url` in the body, an address that no camera has yet may be tried under any id.",
  request: { params: CameraIdParam, body: { content: { "application/json": { schema: Check } } } },
  responses: { 200: json(ProbeAnswer, "What was found"), ...problems(400, 401, 403, 404, 429) },
});

export const cameraRoutes = ({ cameras, probe }: Pick<EdgePorts, "cameras" | "probe">): EdgeApp => {
  const routes = createRoutes();

  routes.openapi(list, (c) => {
    const principal = c.get("principal");
    return c.json({ items: cameras.list().filter(({ id }) => mayUseCamera(principal, id)) }, 200);
  });

  routes.openapi(add, async (c) => {
    const principal = c.get("principal");
    requireRole(principal, "operator");
    const wanted = c.req.valid("json");
    if (principal.cameras && !(wanted.id !== undefined && principal.cameras.has(wanted.id))) {
      throw new Fault("forbidden", `token ${principal.name} may add only cameras ${[...principal.cameras].join(", ")}`);
    }
    const added = await cameras.add(wanted);
    return c.json(added, 201, { location: `/api/cameras/${added.id}` });
  });

  routes.openapi(get, (c) => {
    const { id } = c.req.valid("param");
    requireCamera(c.get("principal"), id);
    const found = cameras.get(id);
    if (!found) throw new Fault("unknown_camera", `there is no camera ${id}`);
    return c.json(found, 200);
  });

  routes.openapi(patch, async (c) => {
    const { id } = c.req.valid("param");
    requireRole(c.get("principal"), "operator");
    requireCamera(c.get("principal"), id);
    return c.json(await cameras.patch(id, c.req.valid("json")), 200);
  });

  routes.openapi(remove, async (c) => {
    const { id } = c.req.valid("param");
    requireRole(c.get("principal"), "operator");
    requireCamera(c.get("principal"), id);
    await cameras.remove(id);
    return c.body(null, 204);
  });

  routes.openapi(check, async (c) => {
    const { id } = c.req.valid("param");
    requireRole(c.get("principal"), "operator");
    const given = c.req.valid("json").url;
    if (given === undefined) requireCamera(c.get("principal"), id);
    const url = given ?? cameras.settings(id)?.url;
    if (url === undefined) throw new Fault("unknown_camera", `there is no camera ${id}; name an address as url`);
    return c.json(await probe(url), 200);
  });

  return routes;
};
