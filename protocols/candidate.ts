/**
 * Which groups are worth a picture and a verdict. The clusterer asks before it cuts evidence, the task generator before it
 * makes a task; the same predicates, so that no task lacks its picture and no picture goes unused.
 */
import type { TrafficGroup } from "./detection.ts";
import { type RiskLevel, riskRank } from "./ids.ts";

export type CandidateFields = Pick<TrafficGroup, "objectCount"> & {
  readonly spatial: Pick<TrafficGroup["spatial"], "vehicles" | "pedestrians">;
};

/** Why a group is not worth a verdict; also the `reason` under which it is counted. */
export type CandidateRefusal = "too_few_members" | "no_conflict";

/** `null` when the group is a candidate: it has `minMembers` or more, and two vehicles, or a person and a vehicle, among them. */
export const candidateRefusal = (group: CandidateFields, minMembers: number): CandidateRefusal | null => {
  if (group.objectCount < minMembers) return "too_few_members";
  const { vehicles, pedestrians } = group.spatial;
  // People alone, and objects that are no road users, cannot be in a traffic conflict with one another.
  return vehicles >= 2 || (vehicles >= 1 && pedestrians >= 1) ? null : "no_conflict";
};

export const isCandidate = (group: CandidateFields, minMembers: number): boolean => candidateRefusal(group, minMembers) === null;

/** A sighting of a group that a verdict was asked for. */
export type Sighting = { readonly capturedAt: number; readonly riskLevel: RiskLevel };

/** Whether a group waits, because a verdict was asked for at `last`. What got worse does not wait. */
export const isCoolingDown = (sighting: Sighting, last: Sighting, cooldownMs: number): boolean =>
  last.capturedAt <= sighting.capturedAt &&
  sighting.capturedAt - last.capturedAt < cooldownMs &&
  riskRank(sighting.riskLevel) <= riskRank(last.riskLevel);
