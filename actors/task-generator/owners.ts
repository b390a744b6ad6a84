/**
 * Which owner of each camera is the last, by the records that came (design rule 15). A process that slept through the take-over
 * of its cameras goes on writing until it hears of it: what it saw since was seen by the later owner, too.
 */
import type { DetectionResult } from "../../protocols/detection.ts";

/** The owner with the highest epoch, and when its first and its last record was captured. */
type Owner = { readonly epoch: number; readonly sinceMs: number; readonly lastMs: number };
/** By camera; the one that was heard of last stands last. */
export type Owners = Map<number, Owner>;

/** A later owner that is silent for so long is gone, or its clock was ahead. */
const silentMs = 10_000;
const camerasMax = 10_000;

type Seen = Pick<DetectionResult, "cameraId" | "ownerEpoch" | "capturedAt">;

/** Takes note of the record, and says whether its owner had been followed by another when it was captured. */
export const isSuperseded = (owners: Owners, { cameraId, ownerEpoch, capturedAt }: Seen): boolean => {
  const last = owners.get(cameraId);
  if (last && ownerEpoch < last.epoch && capturedAt - last.lastMs <= silentMs) return capturedAt > last.sinceMs;
  const isSame = last?.epoch === ownerEpoch;
  owners.delete(cameraId);
  owners.set(cameraId, {
    epoch: ownerEpoch,
    sinceMs: isSame ? Math.min(last.sinceMs, capturedAt) : capturedAt,
    lastMs: isSame ? Math.max(last.lastMs, capturedAt) : capturedAt,
  });
  if (owners.size > camerasMax) owners.delete(owners.keys().next().value ?? cameraId);
  return false;
};
