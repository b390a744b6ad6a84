/**
 * Which groups of a detection result get a task. A decision depends on the message's own capture time and on stored state
 * (rule 11), so that a record that is delivered again is decided as it was the first time. The one thing that is not
 * stored is age, which only grows: too old stays too old, and what was admitted stays admitted.
 */
import {
  type Asked,
  type CameraMemory,
  type CandidateRefusal,
  type CandidateRules,
  candidateDefaults,
  candidateRefusal,
  type GroupMemory,
  laterRefusal,
  memoryRefusal,
  repeatedBy,
  repeating,
  type Sight,
  withAsked,
} from "../../protocols/candidate.ts";
import type { DetectionResult, TrafficGroup } from "../../protocols/detection.ts";
import { taskIdOf } from "../../protocols/ids.ts";
import { isIncidentLevel } from "../../protocols/incident.ts";
import { lookOf } from "../../protocols/look.ts";

/** Closed list: the metric's labels and the lineage page share it. */
export type NoTaskReason = CandidateRefusal | "no_evidence" | "too_old" | "earlier_owner";

export type AdmissionRules = CandidateRules & {
  /** From capture, for records without a danger by the rules. */
  readonly maxAgeMs: number;
};

export const admissionDefaults: AdmissionRules = { ...candidateDefaults, maxAgeMs: 10_000 };

/** `asked` is to be remembered, when it is not yet. */
export type Decision = { readonly group: TrafficGroup; readonly taskId: string } & (
  | { readonly outcome: "task"; readonly asked: Asked }
  | { readonly outcome: "none"; readonly reason: NoTaskReason; readonly asked: Asked | null }
);

type Request = Pick<DetectionResult, "messageId" | "capturedAt" | "trafficGroups" | "detectedObjects"> & {
  readonly groupImages: readonly Pick<DetectionResult["groupImages"][number], "groupIndex" | "hash">[];
};

const known = (memory: CameraMemory, groupKey: string, taskId: string): Asked | undefined =>
  memory.get(groupKey)?.find((asked) => asked.taskId === taskId);

/**
 * One decision a group, in order. `ageMs`: since capture, at the time of deciding. `isSuperseded`: another process had taken the
 * camera over and sees the same.
 */
export const decide = (
  request: Request,
  memory: CameraMemory,
  rules: AdmissionRules,
  ageMs: number,
  isSuperseded = false,
): readonly Decision[] => {
  const { messageId, capturedAt, trafficGroups, detectedObjects } = request;
  const pictures = new Map(request.groupImages.map(({ groupIndex, hash }) => [groupIndex, hash ?? null]));
  // For all groups alike, since the tasks of a request name one another. A record with a danger is told of however late it is: its
  // tasks end as expired, and the incident is known. And when one task is out, the others are not left out for their age.
  const isBegun = trafficGroups.some(({ groupKey, groupIndex }) => {
    const asked = known(memory, groupKey, taskIdOf(messageId, groupIndex));
    return asked !== undefined && asked.repeats === undefined;
  });
  const isTooOld = ageMs > rules.maxAgeMs && !isBegun && !trafficGroups.some(({ riskLevel }) => isIncidentLevel(riskLevel));
  /** A key stands for one group of a frame; whoever writes it twice is not asked about twice. */
  const within = new Map<string, GroupMemory>();

  const decideOn = (group: TrafficGroup): Decision => {
    const taskId = taskIdOf(messageId, group.groupIndex);
    const none = (reason: NoTaskReason, asked: Asked | null = null): Decision => ({
      ...{ group, taskId, reason, asked },
      outcome: "none",
    });
    const before = known(memory, group.groupKey, taskId);
    if (before) return before.repeats === undefined ? { group, taskId, outcome: "task", asked: before } : none("same_picture");
    if (isSuperseded && !isBegun) return none("earlier_owner");
    const refused = candidateRefusal(group, rules);
    if (refused !== null) return none(refused);

    const members = group.memberIndices.flatMap((index) => detectedObjects[index] ?? []);
    const sight: Sight = { capturedAt, riskLevel: group.riskLevel, look: lookOf(group, members) };
    const ofGroup = within.get(group.groupKey) ?? memory.get(group.groupKey) ?? [];
    const covered = memoryRefusal(sight, ofGroup, rules);
    // Before the picture is asked for: the clusterer cuts none for a group that waits.
    if (covered !== null) return none(covered);
    const hash = pictures.get(group.groupIndex);
    if (hash === undefined) return none("no_evidence");
    const repeated = repeatedBy(sight, hash, memory, rules);
    if (repeated) return none("same_picture", repeating({ taskId }, sight, hash, repeated));
    if (isTooOld) return none("too_old");
    const coveredLater = laterRefusal(sight, ofGroup, rules);
    if (coveredLater !== null) return none(coveredLater);
    const asked: Asked = { taskId, ...sight, hash };
    within.set(group.groupKey, withAsked(ofGroup, asked));
    return { group, taskId, outcome: "task", asked };
  };
  return trafficGroups.map(decideOn);
};
