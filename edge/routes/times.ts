/** Times in queries: epoch milliseconds or ISO 8601. */
import { z } from "@hono/zod-openapi";
import { TimestampMs } from "../../protocols/ids.ts";

const zone = /(?:Z|[+-]\d\d:?\d\d)$/i;

const readTime = (text: string): number => {
  if (/^\d{1,16}$/.test(text)) return Number(text);
  // Without a zone it would mean one time here and another there; a date alone is UTC by the standard.
  const isWhole = /^\d{4}-\d\d-\d\d$/.test(text) || (/^\d{4}-\d\d-\d\dT/.test(text) && zone.test(text));
  return isWhole ? Date.parse(text) : Number.NaN;
};

export const TimeQuery = z
  .string()
  .max(40)
  .transform(readTime)
  .pipe(z.number("expected epoch milliseconds, or ISO 8601 with a time zone").pipe(TimestampMs))
  .openapi({ type: "string", example: "2026-05-01T12:00:00Z" });

/** Camera ids by comma. */
export const CamerasQuery = z
  .string()
  .max(8_000)
  .regex(/^\d{1,16}(,\d{1,16})*$/, "expected cameras' ids by comma")
  .transform((text) => new Set(text.split(",").map(Number)))
  .openapi({ type: "string", example: "1,2,3" });
