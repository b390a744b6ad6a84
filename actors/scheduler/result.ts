/** The record of a task's outcome, and the form in which a paid one is kept until it is published. */
import { resultIdOf } from "../../protocols/ids.ts";
import { isIncidentLevel } from "../../protocols/incident.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import { AssessmentResult, type AssessmentStatus, type Verdict } from "../../protocols/verdict.ts";
import { type ParsedAnswer, parseAnswer } from "./answer.ts";
import type { Ended } from "./line.ts";
import { assessByRules, type Language } from "./rules.ts";
import { weighed } from "./tamper.ts";

const errorMax = 300;
const noCalls = { llmLatency: null, llmModel: null, apiKeyId: null, retryCount: 0 };

const record = (
  task: AssessmentTask,
  verdict: Verdict,
  metadata: AssessmentResult["metadata"],
  error: string | null = null,
): AssessmentResult => ({
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
  metadata,
  ...(error ? { error: error.slice(0, errorMax).toWellFormed() } : {}),
  ...(task.hazards.length > 0 ? { hazards: [...new Set(task.hazards.map(({ type }) => type))] } : {}),
});

/** A result that tells of a danger takes the picture along, so that whoever keeps incidents needs no other source. */
export const withEvidence = (result: AssessmentResult, image: Uint8Array): AssessmentResult => {
  const level = result.results[0]?.riskLevel ?? result.ruleRiskLevel;
  return isIncidentLevel(level) && image.byteLength > 0 ? { ...result, evidence: image } : result;
};

const without = (task: AssessmentTask, status: AssessmentStatus, assessedBy: string): Verdict => ({
  taskId: task.taskId,
  groupIndex: task.groupIndex,
  groupKey: task.groupKey,
  status,
  verdict: null,
  riskLevel: null,
  confidence: null,
  assessedBy,
  description: "",
  riskTypes: [],
});

/** Where no model is configured. Follows from the task alone, but for the time: a late verdict is not shown as new. */
export const resultByRules = (task: AssessmentTask, language: Language, nowMs: number): AssessmentResult =>
  nowMs < task.deadlineAt
    ? record(task, assessByRules(task, language, "ok"), noCalls)
    : record(task, without(task, "expired", "rules"), noCalls, "the deadline passed before an assessment");

export const readAnswer = ({ groupIndex, detectedObjects }: AssessmentTask, text: string): ParsedAnswer =>
  parseAnswer(text, { groupIndex, trackIds: new Set(detectedObjects.map(({ trackId }) => trackId)) });

/** `model` names who was to assess, for tasks that no call was made for; `read` is the answer, when it has been read already. */
export const resultOf = (
  task: AssessmentTask,
  ended: Ended,
  language: Language,
  model: string,
  read: ParsedAnswer | null = null,
): AssessmentResult => {
  const { calls, durationMs, keyId, reason } = ended;
  const assessedBy = ended.model ?? model;
  const metadata =
    calls === 0
      ? noCalls
      : { llmLatency: Math.round(durationMs) / 1_000, llmModel: ended.model, apiKeyId: keyId, retryCount: calls - 1 };
  switch (ended.end) {
    case "answered": {
      const parsed = read ?? readAnswer(task, ended.text);
      if (!parsed.ok)
        return record(task, without(task, "parse_error", assessedBy), metadata, `${parsed.reason}: ${parsed.excerpt}`);
      return record(task, { ...without(task, "ok", assessedBy), ...weighed(task, parsed) }, metadata);
    }
    case "bad-answer":
      return record(task, without(task, "parse_error", assessedBy), metadata, reason);
    case "refused":
      return record(task, without(task, "error", assessedBy), metadata, reason);
    case "expired":
      return record(task, without(task, "expired", assessedBy), metadata, reason);
    case "no-quota":
      return record(task, assessByRules(task, language, "degraded"), metadata, reason);
  }
};

/** Whether the result would come out otherwise if the task were done again: only such are kept. */
export const isWorthKeeping = ({ metadata, results }: AssessmentResult): boolean =>
  metadata.llmModel !== null || results[0]?.status === "degraded";

export const answerKey = (taskId: string): string => `answer:${taskId}`;
export const encodeAnswer = (result: AssessmentResult): Uint8Array => new TextEncoder().encode(JSON.stringify(result));

/** The very record that was kept, field for field; null when the bytes are not the answer to this task. */
export const decodeAnswer = (bytes: Uint8Array, taskId: string): AssessmentResult | null => {
  try {
    const kept: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const isAnswer = AssessmentResult.schema.safeParse(kept).success;
    const result = kept as AssessmentResult; // just checked, apart from its type
    return isAnswer && result.type === "assessment.result" && result.taskId === taskId ? result : null;
  } catch {
    return null; // not ours to repair: the task is assessed again
  }
};
