/**
 * How well a detection fits a track. Overlap of the predicted box comes first, as in ByteTrack. At 2 fps a car moves more than
 * its own length between frames and does not overlap even a good prediction; there the distance of the centres decides, inside
 * a gate. The gate is the filter's own uncertainty (the Mahalanobis gate of DeepSORT: Wojke et al. 2017), and a cap in object
 * sizes; using both overlap and gated distance in one cost is ours. (C-BIoU, Yang et al. 2023, reaches the same end by
 * enlarging boxes.)
 */
import type { Box } from "../../protocols/ids.ts";
import { type BoxFilter, centreSurprise, sizeOf } from "./kalman.ts";

/** A track as it is expected in this frame, and a box as it was seen: what every pair is compared by, worked out once. */
export type Expected = {
  readonly filter: BoxFilter;
  readonly predicted: Box;
  /** Of the predicted box. */
  readonly size: number;
};
export type Seen = { readonly bbox: Box; readonly centreX: number; readonly centreY: number; readonly size: number };

export const seenOf = (bbox: Box): Seen => ({
  bbox,
  centreX: (bbox[0] + bbox[2]) / 2,
  centreY: (bbox[1] + bbox[3]) / 2,
  size: sizeOf(bbox[2] - bbox[0], bbox[3] - bbox[1]),
});

/** Overlap below this says nothing: ByteTrack's matching threshold (cost 0.8). */
export const MIN_IOU = 0.2;
/** 99 % of the right detections lie inside: chi-square, two degrees of freedom. */
const SURPRISE_MAX = 9.21;
/** Cap of the gate in object sizes: a car at 80 km/h seen every 0.5 s. Beyond it a mix-up is likelier than a match. */
const DISTANCE_MAX = 4;
/** One object does not change its size so much between two frames, even when it turns. */
const SIZE_RATIO_MAX = 2;
/** The price of leaving a track without a detection, and with it the worst price of a match. */
export const ALONE_COST = 1;

export const iou = (a: Box, b: Box): number => {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  const areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]);
  return shared / (areas - shared);
};

/** Cost by overlap alone, or `null`. */
export const overlapCost = (predicted: Box, seen: Box, minIou: number): number | null => {
  const overlap = iou(predicted, seen);
  return overlap >= minIou ? 1 - overlap : null;
};

/**
 * Cost in [0, ALONE_COST), or `null` when the two cannot be the same object. Any overlap of MIN_IOU costs less than any
 * match by distance.
 */
export const affinityCost = ({ filter, predicted, size }: Expected, seen: Seen): number | null => {
  const byOverlap = overlapCost(predicted, seen.bbox, MIN_IOU);
  if (byOverlap !== null) return byOverlap;
  const larger = Math.max(size, seen.size);
  const [dx, dy] = [seen.centreX - filter.x.value, seen.centreY - filter.y.value];
  const square = dx * dx + dy * dy;
  // Most pairs of a frame end here.
  if (square >= (DISTANCE_MAX * larger) ** 2 || larger > SIZE_RATIO_MAX * Math.min(size, seen.size)) return null;
  if (centreSurprise(filter, size, seen.centreX, seen.centreY) > SURPRISE_MAX) return null;
  const overlapMax = 1 - MIN_IOU;
  return overlapMax + (ALONE_COST - overlapMax) * (Math.sqrt(square) / larger / DISTANCE_MAX);
};
