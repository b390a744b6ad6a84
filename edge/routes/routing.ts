/** What every route file shares: the app's types, and the responses that any route may give. */
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Server } from "bun";
import { CameraId } from "../../protocols/ids.ts";
import type { Principal } from "../auth.ts";
import type { Commands } from "../live/commands.ts";
import type { Connection } from "../live/connection.ts";
import type { Form } from "../live/wire.ts";
import { invalidField, Problem } from "../problem.ts";

/** What a WebSocket carries from its upgrade on. */
export type SocketData = {
  readonly principal: Principal;
  readonly form: Form;
  live: { readonly connection: Connection; readonly commands: Commands } | null;
};

export type EdgeEnv = {
  Bindings: { readonly server?: Server<SocketData> | undefined };
  Variables: { principal: Principal };
};
export type EdgeApp = OpenAPIHono<EdgeEnv>;

export const createRoutes = (): EdgeApp =>
  new OpenAPIHono<EdgeEnv>({
    defaultHook(result) {
      if (!result.success) throw invalidField(result.error);
    },
  });

const isAt = (pattern: readonly string[], path: readonly string[]): boolean =>
  pattern.length === path.length &&
  pattern.every((part, index) => part === path[index] || (part[0] === ":" && path[index] !== ""));

/** The methods that some route of the app has at this path. */
export const methodsAt = (app: { readonly routes: readonly { method: string; path: string }[] }, path: string): string[] => {
  const parts = path.split("/");
  const found = app.routes.filter((route) => route.method !== "ALL" && isAt(route.path.split("/"), parts));
  const methods = new Set(found.map(({ method }) => method));
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods].sort();
};

export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const reasons = {
  400: "A field does not fit",
  401: "A token is needed",
  403: "Not allowed",
  404: "No such thing",
  409: "In conflict with what stands",
  429: "Too many requests",
  503: "Not available at this moment",
} as const;

/** Problem documents of these statuses, for a route's `responses`. They are thrown as faults, never returned. */
export const problems = (...statuses: readonly (keyof typeof reasons)[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: reasons[status], content: { "application/problem+json": { schema: Problem } } },
    ]),
  );

export const CameraIdParam = z.object({
  id: z
    .string()
    .regex(/^\d{1,16}$/, "expected a camera's id, digits only")
    .transform(Number)
    .pipe(CameraId)
    .openapi({ param: { name: "id", in: "path", required: true }, type: "integer", minimum: 0, example: 1 }),
});
