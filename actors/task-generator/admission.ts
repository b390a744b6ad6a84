/**
 * Which groups are worth a verdict. A decision depends on the message's own capture time and on stored state alone
 * (rule 11), so that a record that is delivered again is decided as it was the first time.
 */
import { type CandidateRefusal, candidateRefusal, isCoolingDown, type Sighting } from "../../protocols/candidate.ts";
import type { TrafficGroup } from "../../protocols/detection.ts";

/** Closed list: the metric's labels and the lineage page share it. */
export type NoTaskReason = CandidateRefusal | "no_evidence" | "cooldown";

export type Admission = Sighting & { readonly taskId: string };

/** Admissions kept per group: enough to repeat the decisions of every record that may still be delivered again. */
export const admissionsKept = 16;

export type AdmissionRules = { readonly minMembers: number; readonly cooldownMs: number };

/** Null when the group gets a task. `earlier` is sorted by capture time. */
export const refusal = (
  group: TrafficGroup,
  taskId: string,
  capturedAt: number,
  hasEvidence: boolean,
  earlier: readonly Admission[],
  rules: AdmissionRules,
): NoTaskReason | null => {
  if (earlier.some((admission) => admission.taskId === taskId)) return null; // decided before; the record came again
  const reason = candidateRefusal(group, rules.minMembers);
  if (reason !== null) return reason;
  const last = earlier.findLast((admission) => admission.capturedAt <= capturedAt);
  // Before the picture is asked for: the clusterer cuts none for a group that waits.
  if (last && isCoolingDown({ capturedAt, riskLevel: group.riskLevel }, last, rules.cooldownMs)) return "cooldown";
  return hasEvidence ? null : "no_evidence";
};

/** `earlier` with the admission in its place; the oldest go first when there are too many. */
export const withAdmission = (earlier: readonly Admission[], admission: Admission): readonly Admission[] => {
  if (earlier.some(({ taskId }) => taskId === admission.taskId)) return earlier;
  const sorted = [...earlier, admission].sort((one, other) => one.capturedAt - other.capturedAt);
  return sorted.slice(-admissionsKept);
};
