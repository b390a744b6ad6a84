/** Sessions for browsers: a token is given once, a cookie stands for it from then on. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Auth } from "../auth.ts";
import { requestAddress } from "./address.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";

const Session = z
  .object({
    open: z.boolean().describe("No token is needed here"),
    name: z.string().nullable().describe("Whose token it is; null without a session"),
    role: z.enum(["viewer", "operator"]).nullable(),
  })
  .openapi("Session");
const tags = ["session"];
const path = "/api/session";

const get = createRoute({ method: "get", path, tags, summary: "Who I am", responses: { 200: json(Session, "The session") } });
const login = createRoute({
  method: "post",
  path,
  tags,
  summary: "Begins a session",
  request: {
    body: { required: true, content: { "application/json": { schema: z.strictObject({ token: z.string().min(1).max(1024) }) } } },
  },
  responses: { 200: json(Session, "The cookie is set"), ...problems(400, 401, 403, 429) },
});
const logout = createRoute({
  method: "delete",
  path,
  tags,
  summary: "Ends the session",
  responses: { 204: { description: "Ended" } },
});

export const sessionRoutes = (auth: Auth): EdgeApp => {
  const routes = createRoutes();

  routes.openapi(get, (c) => {
    const found = auth.identify(c.req.raw.headers, requestAddress(c));
    return c.json({ open: auth.isOpen, name: found?.name ?? null, role: found?.role ?? null }, 200);
  });

  routes.openapi(login, (c) => {
    const isSecure = new URL(c.req.url).protocol === "https:" || c.req.header("x-forwarded-proto") === "https";
    const { cookie, principal } = auth.login(c.req.valid("json").token, requestAddress(c), isSecure);
    return c.json({ open: auth.isOpen, name: principal.name, role: principal.role }, 200, { "set-cookie": cookie });
  });

  routes.openapi(logout, (c) => c.body(null, 204, { "set-cookie": auth.logout }));

  return routes;
};
