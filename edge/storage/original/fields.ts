/** What records of the traffic monitor's own programs lack or write their own way, and what stands for it (decision 0019). */
import { z } from "zod";
import { canonicalClass } from "../../../actors/detector/classes.ts";
import { type HazardType, hazardTypes } from "../../../protocols/detection.ts";
import { Box, type RiskLevel, riskLevels } from "../../../protocols/ids.ts";
import { levelsByColour } from "../../../protocols/seed-shape.ts";

/** A record as it is read: the fields of our message, still to be held against its schema. */
export type Fields = Readonly<Record<string, unknown>>;
export type Reading = {
  readonly appendedAtMs: number /** From capture to the end of an assessment. */;
  readonly deadlineMs: number;
};

/** A picture as text, with or without `data:image/jpeg;base64,` before it. */
export const Base64 = z.string().transform((text, context) => {
  try {
    return Uint8Array.fromBase64(text.startsWith("data:") ? text.slice(text.indexOf(",") + 1) : text);
  } catch {
    context.addIssue({ code: "custom", message: "expected base64" });
    return z.NEVER;
  }
});

/**
 * ISO 8601 in UTC, as Python writes it: with microseconds, and at times without its `Z`. Where it is no time, or one after the
 * broker had the record, the broker's stands.
 */
export const capturedAtOf = ({ timestamp }: { readonly timestamp?: string | undefined }, { appendedAtMs }: Reading): number => {
  const text = timestamp ?? "";
  const atMs = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
  return atMs >= 0 && atMs < appendedAtMs ? Math.floor(atMs) : appendedAtMs;
};

/** A UUID without its dashes is a trace id; any other id is none. */
export const traceOf = (id: string): string => {
  const digits = id.replaceAll("-", "").toLowerCase();
  return /^[0-9a-f]{32}$/.test(digits) ? digits : "";
};

/** Without tracks a group is known by its place in the list, which its tasks and results name, too. */
export const groupKeyOf = (groupIndex: number): string => `group-${groupIndex}`;

const isLevel = (value: unknown): value is RiskLevel => riskLevels.some((level) => level === value);
/** By name or by colour; null for what is neither. */
export const levelOf = (value: unknown): RiskLevel | null =>
  isLevel(value) ? value : typeof value === "string" ? (levelsByColour.get(value) ?? null) : null;

/** Those that have the name of one of ours. */
export const hazardsAmong = (riskTypes: unknown): HazardType[] =>
  Array.isArray(riskTypes) ? hazardTypes.filter((type) => riskTypes.includes(type)) : [];

export const confidenceOf = (value: number): number => Math.min(1, Math.max(0, value));

export const OriginalObject = z.looseObject({
  class: z.string(),
  confidence: z.number(),
  bbox: Box,
  objectId: z.unknown().optional(),
  trackId: z.int().min(0).optional(),
});
export type ReadObject = Fields & {
  readonly class: string;
  readonly bbox: z.infer<typeof Box>;
  readonly trackId: number;
  readonly confidence: number;
};

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** Objects without an id are numbered by their place. */
export const objectOf = (object: z.infer<typeof OriginalObject>, index: number): ReadObject => ({
  ...object,
  // Ours come with a track, and their classes are spelt as everywhere here.
  class: object.trackId === undefined ? canonicalClass(object.class).slice(0, 64) : object.class,
  confidence: confidenceOf(object.confidence),
  trackId: object.trackId ?? (isIndex(object.objectId) ? object.objectId : index),
});

type Boxed = { readonly bbox: z.infer<typeof Box> };
/** The box around all; of nothing, an empty one. */
export const boxAround = (items: readonly Boxed[]): z.infer<typeof Box> =>
  items.length === 0
    ? [0, 0, 0, 0]
    : [
        Math.min(...items.map(({ bbox }) => bbox[0])),
        Math.min(...items.map(({ bbox }) => bbox[1])),
        Math.max(...items.map(({ bbox }) => bbox[2])),
        Math.max(...items.map(({ bbox }) => bbox[3])),
      ];
