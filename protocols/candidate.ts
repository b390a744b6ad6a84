/**
 * Which groups are worth a verdict, and so a picture. The clusterer asks before it cuts evidence, the task generator before it
 * makes a task: the same predicates over the same kind of memory, so that no task lacks its picture and few pictures go unused.
 * Everything follows from capture times and what is remembered, never from the time of asking.
 */
import { z } from "zod";
import type { TrafficGroup } from "./detection.ts";
import { RiskLevel, riskRank, TaskId, TimestampMs } from "./ids.ts";
import { isIncidentLevel } from "./incident.ts";
import { changeOf, hashDistance, Look, overlapOf } from "./look.ts";

/** Who may be in conflict: `conflict` wants two vehicles, or a person and a vehicle; `vehicle` one vehicle; `any` nothing. */
export const prefilters = ["conflict", "vehicle", "any"] as const;
export type Prefilter = (typeof prefilters)[number];

export type CandidateRules = {
  readonly minMembers: number;
  readonly prefilter: Prefilter;
  readonly cooldownMs: number;
  /** A group that looks as it did when it was asked about is asked about again after so long. */
  readonly refreshMs: number;
  /** The same while the rules hold it for a danger. */
  readonly dangerRefreshMs: number;
  /** From this change score on a group looks different; 0 makes every sight a different one. */
  readonly changeLeast: number;
  /** Pictures that differ in at most so many of 64 bits show the same; -1 compares none. */
  readonly pictureBits: number;
};

export const candidateDefaults: CandidateRules = {
  minMembers: 2,
  prefilter: "conflict",
  cooldownMs: 3_000,
  refreshMs: 60_000,
  dangerRefreshMs: 10_000,
  changeLeast: 0.3,
  pictureBits: 5,
};

/** Why a group is not worth a verdict; also the `reason` under which it is counted. */
export type CandidateRefusal = "too_few_members" | "no_conflict" | "cooldown" | "unchanged" | "same_picture";

/** A sighting that a verdict was asked for, or that had the same picture as one. */
export const Asked = z.object({
  taskId: TaskId,
  capturedAt: TimestampMs,
  riskLevel: RiskLevel,
  look: Look,
  hash: z.string().nullable(),
  /** When it shows what an earlier one shows: capture time of the one that was asked about. */
  repeats: TimestampMs.optional(),
});
export type Asked = z.infer<typeof Asked>;

/** What is remembered of one group, by capture time, and of a camera's groups by their key, the newest last. */
export type GroupMemory = readonly Asked[];
export type CameraMemory = ReadonlyMap<string, GroupMemory>;

export type Sight = {
  readonly capturedAt: number;
  readonly riskLevel: RiskLevel;
  readonly look: Look;
};
export type SightedGroup = Pick<TrafficGroup, "objectCount" | "riskLevel"> & {
  readonly spatial: Pick<TrafficGroup["spatial"], "vehicles" | "pedestrians">;
};

/** `null` when the group is a candidate. What the rules hold for a danger is one, also a wrong-way driver alone. */
export const candidateRefusal = (
  { objectCount, riskLevel, spatial }: SightedGroup,
  { minMembers, prefilter }: Pick<CandidateRules, "minMembers" | "prefilter">,
): "too_few_members" | "no_conflict" | null => {
  if (isIncidentLevel(riskLevel)) return null;
  if (objectCount < minMembers) return "too_few_members";
  const { vehicles, pedestrians } = spatial;
  if (prefilter === "any" || (prefilter === "vehicle" && vehicles >= 1)) return null;
  // People alone, and objects that are no road users, cannot be in a traffic conflict with one another.
  return vehicles >= 2 || (vehicles >= 1 && pedestrians >= 1) ? null : "no_conflict";
};

const paidAt = ({ capturedAt, repeats }: Asked): number => repeats ?? capturedAt;

/** Whether what was asked tells all that is dangerous now: as high a risk, and every kind of danger. */
const covers = (asked: readonly Asked[], { riskLevel, look }: Sight): boolean => {
  if (!asked.some((each) => riskRank(each.riskLevel) >= riskRank(riskLevel))) return false;
  if (!isIncidentLevel(riskLevel)) return true;
  const kinds = new Set(asked.flatMap((each) => each.look.hazards.map(({ type }) => type)));
  return look.hazards.every(({ type }) => kinds.has(type));
};

const refreshOf = ({ refreshMs, dangerRefreshMs }: CandidateRules, { riskLevel }: Sight): number =>
  isIncidentLevel(riskLevel) ? dangerRefreshMs : refreshMs;

/** Whether a group waits, because a verdict was asked for a moment before or after. What got worse does not wait. */
const isCoolingDown = (sight: Sight, memory: GroupMemory, cooldownMs: number): boolean => {
  const near = memory.filter(({ capturedAt }) => Math.abs(capturedAt - sight.capturedAt) < cooldownMs);
  return near.length > 0 && covers(near, sight);
};

/** Any sight that was asked about within the refresh counts, so that a member that comes and goes is paid for once. */
const isUnchanged = (sight: Sight, memory: GroupMemory, rules: CandidateRules): boolean => {
  const refreshMs = refreshOf(rules, sight);
  const isSame = (each: Asked) =>
    Math.abs(sight.capturedAt - paidAt(each)) < refreshMs &&
    covers([each], sight) &&
    changeOf(each.look, sight.look, true) < rules.changeLeast;
  return memory.findLast(isSame) !== undefined; // most often the newest
};

type MemoryRefusal = "cooldown" | "unchanged" | null;
const refusalBy = (sight: Sight, memory: GroupMemory, rules: CandidateRules): MemoryRefusal => {
  if (memory.length === 0) return null;
  if (isCoolingDown(sight, memory, rules.cooldownMs)) return "cooldown";
  return isUnchanged(sight, memory, rules) ? "unchanged" : null;
};

/** Why a candidate needs no verdict after those that were asked for before it. */
export const memoryRefusal = (sight: Sight, memory: GroupMemory, rules: CandidateRules): MemoryRefusal =>
  refusalBy(
    sight,
    memory.filter(({ capturedAt }) => capturedAt <= sight.capturedAt),
    rules,
  );

/** The same by those captured after it: a record that failed is delivered again behind them. */
export const laterRefusal = (sight: Sight, memory: GroupMemory, rules: CandidateRules): MemoryRefusal =>
  refusalBy(
    sight,
    memory.filter(({ capturedAt }) => capturedAt > sight.capturedAt),
    rules,
  );

/** Two boxes of one scene overlap by at least so much, as intersection over union. */
const sameBox = 0.5;

/**
 * What was asked about and shows the same, whatever ids the tracker has given meanwhile: as many of each kind at the same place
 * and a picture whose hash is near; of several the one that was paid for last.
 */
export const repeatedBy = (sight: Sight, hash: string | null, memory: CameraMemory, rules: CandidateRules): Asked | null => {
  if (hash === null || rules.pictureBits < 0) return null;
  const refreshMs = refreshOf(rules, sight);
  const isSame = (each: Asked) =>
    each.capturedAt < sight.capturedAt &&
    sight.capturedAt - paidAt(each) < refreshMs &&
    each.hash !== null &&
    covers([each], sight) &&
    overlapOf(each.look.box, sight.look.box) >= sameBox &&
    changeOf(each.look, sight.look, false) < rules.changeLeast &&
    hashDistance(each.hash, hash) <= rules.pictureBits;
  let newest: Asked | null = null;
  for (const asked of memory.values()) {
    for (const each of asked) if (isSame(each) && (newest === null || paidAt(each) > paidAt(newest))) newest = each;
  }
  return newest;
};

export const repeating = ({ taskId }: Pick<Asked, "taskId">, sight: Sight, hash: string | null, of: Asked): Asked => ({
  ...{ taskId, capturedAt: sight.capturedAt, riskLevel: sight.riskLevel, look: sight.look, hash },
  repeats: paidAt(of),
});

/** Kept per group: enough to repeat the decisions of every record that may still be delivered again. */
export const askedKept = 16;

/** `memory` with one more in its place; the oldest go first when there are too many. */
export const withAsked = (memory: GroupMemory, asked: Asked): GroupMemory => {
  if (memory.some(({ taskId }) => taskId === asked.taskId)) return memory;
  return [...memory, asked].sort((one, other) => one.capturedAt - other.capturedAt).slice(-askedKept);
};

/** Puts it in, its group last, and forgets groups that nothing was asked about for `keepMs`, also the oldest beyond `groupsMax`. */
export const remember = (
  memory: Map<string, GroupMemory>,
  groupKey: string,
  asked: Asked,
  { keepMs, groupsMax }: { readonly keepMs: number; readonly groupsMax: number },
): void => {
  const known = withAsked(memory.get(groupKey) ?? [], asked);
  memory.delete(groupKey);
  memory.set(groupKey, known);
  for (const [key, each] of memory) {
    const isPast = Math.abs(asked.capturedAt - (each.at(-1)?.capturedAt ?? 0)) >= keepMs;
    if (!isPast && memory.size <= groupsMax) return;
    memory.delete(key);
  }
};
