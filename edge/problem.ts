/** Whatever was thrown, as a problem document (RFC 9457). The only place where errors become HTTP. */

import { z } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { Fault, type FaultCode } from "../runtime/errors.ts";

export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe("Stable; shared with the WebSocket's `error`"),
    field: z.string().optional().describe("The field that does not fit"),
  })
  .openapi("Problem");
export type Problem = z.infer<typeof Problem>;

const titles: Readonly<Record<FaultCode, string>> = {
  bad_json: "The body is not JSON",
  unknown_type: "Unknown kind of message",
  invalid_field: "A field does not fit",
  unknown_camera: "No such camera",
  source_refused: "The address may not be opened",
  too_large: "The body is too large",
  rate_limited: "Too many requests",
  unauthorized: "A token is needed",
  forbidden: "Not allowed",
  not_found: "Not found",
  conflict: "In conflict with what stands",
  camera_limit: "Too many cameras",
  unavailable: "Not available at this moment",
  internal: "Internal error",
};

/** The fault behind whatever was thrown; null when it is none that a client may be told about. */
export const faultOf = (thrown: unknown): Fault | null => {
  if (thrown instanceof Fault) return thrown;
  if (thrown instanceof HTTPException && thrown.status === 400) return new Fault("bad_json", thrown.message);
  if (thrown instanceof HTTPException && thrown.status === 415)
    return new Fault("invalid_field", "content-type: send the body as application/json", { details: { field: "content-type" } });
  return null;
};

export const problemOf = (fault: Fault): Problem => {
  const field = fault.details.field;
  return {
    type: `urn:vedette:problem:${fault.code}`,
    title: titles[fault.code],
    status: fault.status,
    detail: fault.message,
    code: fault.code,
    ...(typeof field === "string" ? { field } : {}),
  };
};

/** The path stands, the method does not; `allowed` is told in words and as `Allow`. */
export const methodNotAllowed = (what: string, allowed: readonly string[]): Response => {
  const allow = allowed.join(", ");
  const problem = problemOf(new Fault("not_found", `nothing is at ${what}; this path takes ${allow}`));
  const headers = { "content-type": "application/problem+json", allow };
  return Response.json({ ...problem, title: "Method not allowed", status: 405 }, { status: 405, headers });
};

export const problemResponse = (fault: Fault, headers: Record<string, string> = {}): Response =>
  Response.json(problemOf(fault), { status: fault.status, headers: { "content-type": "application/problem+json", ...headers } });

/** The first thing a schema has against its input, as a fault that names the field. */
export const invalidField = (error: z.ZodError | z.core.$ZodError, where = ""): Fault => {
  const issue = error.issues[0];
  const path = [where, ...(issue?.path ?? [])].filter((part) => part !== "").join(".");
  const keys = issue?.code === "unrecognized_keys" ? issue.keys.join(", ") : "";
  const field = keys || path || "body";
  return new Fault("invalid_field", `${field}: ${issue?.message ?? "does not fit"}`, { details: { field } });
};
