/** From raw outputs to detections of the original frame. Pure. */

import type { Detection } from "../../protocols/frame.ts";
import type { Box } from "../../protocols/ids.ts";
import { allowsClass, canonicalClass, suppressionGroup } from "./classes.ts";
import { type Family, families } from "./family.ts";
import type { Tensor } from "./heads/head.ts";
import { type Candidate, suppress } from "./suppress.ts";

/** How to read a model's answers. Plain data: it travels to the workers. */
export type ReadingPlan = {
  readonly family: Family;
  readonly inputSize: number;
  /** Canonical names, by the model's class index. */
  readonly classes: readonly string[];
  readonly wanted: readonly number[];
  readonly confidenceThreshold: number;
  readonly iouThreshold: number;
  readonly detectionsMax: number;
};

/** Where a frame lies in the model input, and how large it is. */
export type FrameGeometry = {
  /** Model input pixels per original pixel. */
  readonly inputScale: number;
  readonly imageWidth: number;
  readonly imageHeight: number;
};

export const defaultReading = { confidenceThreshold: 0.35, iouThreshold: 0.5, detectionsMax: 200 } as const;

export const readingPlan = (
  model: { readonly family: Family; readonly classes: readonly string[] },
  inputSize: number,
  allowedClasses: readonly string[],
  limits: Pick<ReadingPlan, "confidenceThreshold" | "iouThreshold" | "detectionsMax"> = defaultReading,
): ReadingPlan => {
  const allows = allowsClass(allowedClasses);
  return {
    family: model.family,
    inputSize,
    classes: model.classes.map(canonicalClass),
    wanted: model.classes.flatMap((name, index) => (allows(name) ? [index] : [])),
    ...limits,
  };
};

const toFrame = (candidate: Candidate, geometry: FrameGeometry): Box => {
  const { inputScale, imageWidth, imageHeight } = geometry;
  const x = (value: number) => Math.min(imageWidth, Math.max(0, value / inputScale));
  const y = (value: number) => Math.min(imageHeight, Math.max(0, value / inputScale));
  const [x1, y1, x2, y2] = candidate.box;
  return [x(x1), y(y1), x(x2), y(y2)];
};

/** A box that has less than a pixel inside the frame lies in the letterbox's margin. */
const isVisible = ([x1, y1, x2, y2]: Box): boolean => x2 - x1 >= 1 && y2 - y1 >= 1;

export const readDetections = (outputs: readonly Tensor[], plan: ReadingPlan, geometry: FrameGeometry): Detection[] => {
  const candidates = families[plan.family].head(outputs, {
    inputSize: plan.inputSize,
    classCount: plan.classes.length,
    wanted: plan.wanted,
    threshold: plan.confidenceThreshold,
  });
  const nameOf = (classIndex: number): string => plan.classes[classIndex] ?? "";
  const finite = candidates.filter(({ box, confidence }) => Number.isFinite(confidence) && box.every(Number.isFinite));
  const kept = suppress(finite, {
    iouThreshold: plan.iouThreshold,
    max: plan.detectionsMax,
    groupOf: (classIndex) => suppressionGroup(nameOf(classIndex)),
  });
  return kept.flatMap((candidate) => {
    const bbox = toFrame(candidate, geometry);
    if (!isVisible(bbox)) return [];
    return [{ class: nameOf(candidate.classIndex), confidence: Math.min(1, candidate.confidence), bbox: [...bbox] }];
  });
};
