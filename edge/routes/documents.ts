/** The contract as documents: OpenAPI from the routes, AsyncAPI from the messages. Each is made once, when first asked for. */
import { asyncApi, type Json } from "../../protocols/asyncapi.ts";
import { sessionCookie } from "../auth.ts";
import { createRoutes, type EdgeApp } from "./routing.ts";

export const documentRoutes = (app: EdgeApp, version: string): EdgeApp => {
  const routes = createRoutes();
  let live: Json | null = null;
  let http: object | null = null;

  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.openAPIRegistry.registerComponent("securitySchemes", "session", { type: "apiKey", in: "cookie", name: sessionCookie });

  routes.get("/openapi.json", (c) => {
    http ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "Vedette", version, description: "Cameras, their last results, and the state of the system." },
      security: [{ bearer: [] }, { session: [] }, {}],
    });
    return c.json(http);
  });
  routes.get("/asyncapi.json", (c) => {
    live ??= asyncApi(version);
    return c.json(live);
  });
  return routes;
};
