/** Puts what grouping, keys and rules found into the groups that are told. */
import type { DetectedObject, Hazard, TrafficGroup } from "../../protocols/detection.ts";
import { riskRank, worstRisk } from "../../protocols/ids.ts";
import { describeGroup, type Group, type GroupingOptions, groupObjects } from "./grouping.ts";
import type { Finding } from "./rules.ts";
import { spatialOf } from "./spatial.ts";

/** Of one frame. */
export const GROUPS_MAX = 500;

export type FoundGroup = { readonly group: Group; readonly findings: readonly Finding[] };

type Entry = { readonly group: Group; readonly members: ReadonlySet<number>; readonly findings: Finding[] };

/**
 * Groups by distance, in order of their first member; then, for each danger whose members are not together in one of them (a
 * wrong-way driver alone, a car still far from the person it heads for), a group of just these members.
 */
export const gather = (
  objects: readonly DetectedObject[],
  findings: readonly Finding[],
  options: GroupingOptions,
): readonly FoundGroup[] => {
  const found: Entry[] = [];
  const add = (group: Group): Entry => {
    const members = new Set(group.memberIndices.map((index) => objects[index]?.trackId ?? -1));
    const entry: Entry = { group, members, findings: [] };
    found.push(entry);
    return entry;
  };
  for (const group of groupObjects(objects, options).slice(0, GROUPS_MAX)) add(group);

  const indexOf = new Map(objects.map(({ trackId }, index) => [trackId, index]));
  for (const finding of findings) {
    const indices = finding.trackIds.flatMap((trackId) => indexOf.get(trackId) ?? []).sort((a, b) => a - b);
    // A member may be outside the regions of interest; then the danger is, too.
    if (indices.length < finding.trackIds.length) continue;
    const home = found.find(({ members }) => finding.trackIds.every((trackId) => members.has(trackId)));
    if (home) home.findings.push(finding);
    else if (found.length < GROUPS_MAX) add(describeGroup(objects, indices)).findings.push(finding);
  }
  return found;
};

/** What is told of a group. */
export const describe = (
  { group, findings }: FoundGroup,
  groupIndex: number,
  groupKey: string,
  objects: readonly DetectedObject[],
): TrafficGroup => {
  const members = group.memberIndices.flatMap((index) => objects[index] ?? []);
  return {
    groupIndex,
    groupKey,
    objectCount: members.length,
    bbox: [...group.bbox],
    classes: group.classes,
    averageConfidence: group.averageConfidence,
    memberIndices: group.memberIndices,
    memberTrackIds: members.map(({ trackId }) => trackId),
    riskLevel: worstRisk(findings.map(({ level }) => level)),
    hazards: findings.toSorted((a, b) => riskRank(b.level) - riskRank(a.level)).map(hazardOf),
    spatial: spatialOf(members, group.bbox),
  };
};

const hazardOf = ({ type, trackIds, evidence }: Finding): Hazard => ({ type, memberTrackIds: [...trackIds], evidence });
