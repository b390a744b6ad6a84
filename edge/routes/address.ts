import type { Context } from "hono";
import type { EdgeEnv } from "./routing.ts";

/** The peer's address; empty where there is no socket, as in tests. */
export const requestAddress = (c: Context<EdgeEnv>): string => c.env?.server?.requestIP(c.req.raw)?.address ?? "";
