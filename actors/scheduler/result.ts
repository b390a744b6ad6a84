/** How a task ends, in the shape of the topic `risk-assessment-results`. */
import { resultIdOf } from "../../protocols/ids.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { AssessmentResult, AssessmentStatus, Verdict } from "../../protocols/verdict.ts";
import { parseAnswer } from "./answer.ts";

export type Effort = {
  /** Seconds over all calls; null when none was made. */
  readonly llmLatency: number | null;
  readonly llmModel: string | null;
  readonly apiKeyId: string | null;
  readonly calls: number;
};
export const noEffort: Effort = { llmLatency: null, llmModel: null, apiKeyId: null, calls: 0 };

export const resultOf = (task: AssessmentTask, verdict: Verdict, effort: Effort, error?: string): AssessmentResult => ({
  type: "assessment.result",
  schemaVersion: 1,
  traceId: task.traceId,
  messageId: resultIdOf(task.taskId),
  taskId: task.taskId,
  requestId: task.requestId,
  taskIdsOfRequest: task.taskIdsOfRequest,
  cameraId: task.cameraId,
  timestamp: task.timestamp,
  capturedAt: task.capturedAt,
  deadlineAt: task.deadlineAt,
  groupIndex: task.groupIndex,
  ruleRiskLevel: task.riskLevel,
  results: [verdict],
  metadata: {
    llmLatency: effort.llmLatency,
    llmModel: effort.llmModel,
    apiKeyId: effort.apiKeyId,
    retryCount: Math.max(0, effort.calls - 1),
  },
  ...(error === undefined ? {} : { error: error.slice(0, 300) }),
});

/** A task without a verdict: its status says why, and no risk is claimed. */
export const withoutVerdict = (
  task: AssessmentTask,
  status: Exclude<AssessmentStatus, "ok" | "degraded">,
  assessedBy: string,
  description: string,
): Verdict => ({
  taskId: task.taskId,
  groupIndex: task.groupIndex,
  groupKey: task.groupKey,
  status,
  verdict: null,
  riskLevel: null,
  confidence: null,
  assessedBy,
  description: description.slice(0, 2_000),
  riskTypes: [],
});

/** The verdict in a model's text; `parse_error` when there is none, never "none" of garbage. */
export const verdictOfText = (
  task: AssessmentTask,
  text: string,
  model: string,
): { readonly verdict: Verdict; readonly error?: string } => {
  const trackIds = new Set(task.detectedObjects.map(({ trackId }) => trackId));
  const parsed = parseAnswer(text, { groupIndex: task.groupIndex, trackIds });
  if (!parsed.ok) return { verdict: withoutVerdict(task, "parse_error", model, parsed.excerpt), error: parsed.reason };
  const { taskId, groupIndex, groupKey } = task;
  return { verdict: { taskId, groupIndex, groupKey, status: "ok", assessedBy: model, ...parsed.assessment } };
};
