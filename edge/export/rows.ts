/** What was seen, one row for each road user and frame, as JSON or CSV (RFC 4180). Pure. */
import type { DetectedObject, DetectionResult, TrafficGroup } from "../../protocols/detection.ts";
import { riskRank } from "../../protocols/ids.ts";

export const columns = [
  "camera",
  "frame",
  "time",
  "track",
  "class",
  "confidence",
  "x1",
  "y1",
  "x2",
  "y2",
  "speed",
  "group",
  "risk",
] as const;

export type Row = {
  readonly camera: number;
  /** Counts the frames of one owner of the camera. */
  readonly frame: number;
  readonly time: string;
  readonly track: number;
  readonly class: string;
  readonly confidence: number;
  readonly box: readonly number[];
  readonly speed?: number;
  readonly group: string | null;
  /** Risk by rules, at that moment, of the group; `none` for who is in no group. */
  readonly risk: TrafficGroup["riskLevel"];
};

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

const rowOf = ({ cameraId, seq, timestamp }: DetectionResult, object: DetectedObject, group: TrafficGroup | undefined): Row => ({
  camera: cameraId,
  frame: seq,
  time: timestamp,
  track: object.trackId,
  class: object.class,
  confidence: rounded(object.confidence, 4),
  box: object.bbox.map((side) => rounded(side, 1)),
  ...(object.speed === undefined ? {} : { speed: rounded(object.speed, 2) }),
  group: group?.groupKey ?? null,
  risk: group?.riskLevel ?? "none",
});

/** Who is in several groups stands with the one of the highest risk. */
export const rowsOf = (result: DetectionResult): Row[] => {
  const groupOf = new Map<number, TrafficGroup>();
  for (const group of result.trafficGroups) {
    for (const index of group.memberIndices) {
      const known = groupOf.get(index);
      if (!known || riskRank(group.riskLevel) > riskRank(known.riskLevel)) groupOf.set(index, group);
    }
  }
  return result.detectedObjects.map((object, index) => rowOf(result, object, groupOf.get(index)));
};

/** A text that a spreadsheet would take for a formula is told to be text. */
const cell = (value: string | number | null | undefined): string => {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

export const csvLine = (values: readonly (string | number | null | undefined)[]): string => `${values.map(cell).join(",")}\r\n`;

export const csvOf = ({ camera, frame, time, track, class: name, confidence, box, speed, group, risk }: Row): string =>
  csvLine([camera, frame, time, track, name, confidence, ...box, speed, group, risk]);
