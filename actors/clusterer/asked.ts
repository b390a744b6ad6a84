/**
 * For which groups a verdict was asked lately. The task generator decides, from the same predicates and the same capture times;
 * a group that it will refuse needs no picture. When a record with pictures never gets there, its groups wait until they change
 * or their refresh is over.
 */
import {
  type CandidateRules,
  candidateRefusal,
  type GroupMemory,
  memoryRefusal,
  remember,
  repeatedBy,
  repeating,
  type Sight,
} from "../../protocols/candidate.ts";
import type { DetectedObject, TrafficGroup } from "../../protocols/detection.ts";
import { lookOf } from "../../protocols/look.ts";

/** By group key, the newest last. */
export type AskedGroups = Map<string, GroupMemory>;

export type Candidate = { readonly group: TrafficGroup; readonly sight: Sight };

/** Of one camera. */
const groupsMax = 256;

/** The groups whose picture the task generator will want. */
export const worthAPicture = (
  asked: AskedGroups,
  groups: readonly TrafficGroup[],
  objects: readonly DetectedObject[],
  capturedAt: number,
  rules: CandidateRules,
): Candidate[] =>
  groups.flatMap((group) => {
    if (candidateRefusal(group, rules) !== null) return [];
    const members = group.memberIndices.flatMap((index) => objects[index] ?? []);
    const sight = { capturedAt, riskLevel: group.riskLevel, look: lookOf(group, members) };
    return memoryRefusal(sight, asked.get(group.groupKey) ?? [], rules) === null ? [{ group, sight }] : [];
  });

/** Notes a group that goes out with a picture. */
export const noteAsked = (
  asked: AskedGroups,
  { group, sight }: Candidate,
  taskId: string,
  hash: string | null,
  rules: CandidateRules,
): void => {
  const of = repeatedBy(sight, hash, asked, rules);
  const noted = of ? repeating({ taskId }, sight, hash, of) : { taskId, ...sight, hash };
  remember(asked, group.groupKey, noted, { keepMs: Math.max(rules.refreshMs, rules.cooldownMs), groupsMax });
};
