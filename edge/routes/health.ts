/** Whether this process lives, whether it is of use, and its figures. Every role serves these. */
import { createRoute, z } from "@hono/zod-openapi";
import type { EdgePorts } from "../ports.ts";
import { createRoutes, type EdgeApp, json } from "./routing.ts";

export type HealthPorts = Pick<EdgePorts, "checks" | "clock" | "metrics" | "version">;

const CheckSchema = z.object({ status: z.enum(["up", "degraded", "down"]), detail: z.string().optional() });
const Readiness = z
  .object({ status: z.enum(["up", "degraded", "down"]), checks: z.record(z.string(), CheckSchema) })
  .openapi("Readiness");
const Health = z
  .object({
    code: z.literal(200),
    msg: z.literal("OK"),
    data: z.object({
      status: z.literal("UP"),
      service: z.literal("vedette"),
      version: z.string(),
      timestamp: z.string(),
      environment: z.object({ runtime: z.string(), platform: z.string() }),
    }),
  })
  .openapi("Health");

const readiness = (checks: ReturnType<HealthPorts["checks"]>): z.infer<typeof Readiness> => {
  const statuses = Object.values(checks).map(({ status }) => status);
  const status = statuses.includes("down") ? "down" : statuses.includes("degraded") ? "degraded" : "up";
  return { status, checks: { ...checks } };
};

export const healthRoutes = ({ checks, clock, metrics, version }: HealthPorts): EdgeApp => {
  const routes = createRoutes();

  routes.openapi(
    createRoute({
      method: "get",
      path: "/livez",
      tags: ["health"],
      summary: "The process answers",
      responses: { 200: json(z.object({ status: z.literal("up") }), "Alive") },
    }),
    (c) => c.json({ status: "up" as const }, 200),
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/readyz",
      tags: ["health"],
      summary: "What the process depends on, and whether it can work",
      responses: { 200: json(Readiness, "Ready"), 503: json(Readiness, "Not ready") },
    }),
    (c) => {
      const answer = readiness(checks());
      return c.json(answer, answer.status === "down" ? 503 : 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/api/health/health_check",
      tags: ["health"],
      summary: "A constant sign of life",
      responses: { 200: json(Health, "Up") },
    }),
    (c) => {
      const timestamp = new Date(clock.nowMs()).toISOString();
      const environment = { runtime: `bun ${Bun.version}`, platform: process.platform };
      const data = { status: "UP" as const, service: "vedette" as const, version, timestamp, environment };
      return c.json({ code: 200 as const, msg: "OK" as const, data }, 200);
    },
  );

  routes.get("/metrics", async (c) =>
    c.body(await metrics.registry.metrics(), 200, { "content-type": metrics.registry.contentType }),
  );

  return routes;
};
