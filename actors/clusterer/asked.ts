/**
 * For which groups a verdict was asked lately. The task generator decides, from the same predicates and the same capture times;
 * a group that it will refuse for its cooldown needs no picture. When a record with pictures never gets there, its groups wait
 * for one cooldown more.
 */
import { isCandidate, isCoolingDown, type Sighting } from "../../protocols/candidate.ts";
import type { TrafficGroup } from "../../protocols/detection.ts";

/** By group key, oldest first. */
export type Asked = Map<string, Sighting>;

export type AskedRules = { readonly minMembers: number; readonly cooldownMs: number };

/** The groups whose picture the task generator will want. */
export const worthAPicture = (
  asked: Asked,
  groups: readonly TrafficGroup[],
  capturedAt: number,
  { minMembers, cooldownMs }: AskedRules,
): TrafficGroup[] =>
  groups.filter((group) => {
    const last = asked.get(group.groupKey);
    if (!isCandidate(group, minMembers)) return false;
    return !last || !isCoolingDown({ capturedAt, riskLevel: group.riskLevel }, last, cooldownMs);
  });

/** Notes the groups that go out with a picture, and forgets those whose cooldown is over. */
export const noteAsked = (asked: Asked, groups: readonly TrafficGroup[], capturedAt: number, cooldownMs: number): void => {
  for (const { groupKey, riskLevel } of groups) {
    asked.delete(groupKey); // so that the newest stands last
    asked.set(groupKey, { capturedAt, riskLevel });
  }
  for (const [groupKey, last] of asked) {
    if (Math.abs(capturedAt - last.capturedAt) < cooldownMs) return;
    asked.delete(groupKey);
  }
};
