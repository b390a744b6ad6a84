/** Non-maximum suppression: of the boxes that cover the same object, the most confident stays. */
import type { Box } from "../../protocols/ids.ts";

/** A box that a head found, in pixels of the model input. */
export type Candidate = { readonly classIndex: number; readonly confidence: number; readonly box: Box };

/** Intersection over union; 0 for boxes without an area. */
export const iou = (a: Box, b: Box): number => {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  const union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return union > 0 ? shared / union : 0;
};

/** Suppression compares every pair of a group, so what a model floods it with is cut here. */
export const candidatesMax = 1_000;

/**
 * Greedy suppression within groups (by default a class is a group), most confident first. Of equal confidence the
 * earlier candidate wins, so the answer does not depend on the sort.
 */
export const suppress = (
  candidates: readonly Candidate[],
  options: { readonly iouThreshold: number; readonly max: number; readonly groupOf: (classIndex: number) => string | number },
): Candidate[] => {
  const ordered = candidates
    .map((candidate, index) => ({ candidate, index }))
    .sort((a, b) => b.candidate.confidence - a.candidate.confidence || a.index - b.index)
    .slice(0, candidatesMax);
  const kept: Candidate[] = [];
  const keptOfGroup = new Map<string | number, Candidate[]>();
  for (const { candidate } of ordered) {
    if (kept.length >= options.max) break;
    const group = options.groupOf(candidate.classIndex);
    const rivals = keptOfGroup.get(group) ?? [];
    if (rivals.some((rival) => iou(rival.box, candidate.box) > options.iouThreshold)) continue;
    kept.push(candidate);
    rivals.push(candidate);
    keptOfGroup.set(group, rivals);
  }
  return kept;
};
