/** The verdicts of one frame as they come in, and what viewers are told of them. */
import { type RiskLevel, worstRisk } from "../../protocols/ids.ts";
import type { AssessmentResult, RiskUpdate, Verdict } from "../../protocols/verdict.ts";

export type Request = {
  readonly messageId: string;
  readonly cameraId: number;
  readonly capturedAt: number;
  readonly deadlineAt: number;
  readonly taskIds: readonly string[];
  readonly verdicts: readonly Verdict[];
  readonly maxRiskLevel: RiskLevel;
  readonly llmLatency: number | null;
  readonly llmModel: string | null;
  readonly revision: number;
  readonly final: boolean;
};

/** The request that a first result belongs to. */
export const openRequest = ({ requestId, cameraId, capturedAt, deadlineAt, taskIdsOfRequest }: AssessmentResult): Request => ({
  messageId: requestId,
  cameraId,
  capturedAt,
  deadlineAt,
  taskIds: taskIdsOfRequest,
  verdicts: [],
  maxRiskLevel: "none",
  llmLatency: null,
  llmModel: null,
  revision: 0,
  final: false,
});

/** The request as it was when the update was published. */
export const requestOf = (update: RiskUpdate, deadlineMs: number): Request => ({
  messageId: update.messageId,
  cameraId: update.cameraId,
  capturedAt: update.capturedAt,
  deadlineAt: update.capturedAt + deadlineMs,
  taskIds: update.taskIdsOfRequest,
  verdicts: update.results,
  maxRiskLevel: update.maxRiskLevel,
  llmLatency: update.llmLatency ?? null,
  llmModel: update.llmModel ?? null,
  revision: update.revision,
  final: update.final,
});

export const hasResult = ({ verdicts }: Request, taskId: string): boolean =>
  verdicts.some((verdict) => verdict.taskId === taskId);

export const isComplete = ({ taskIds, verdicts }: Request): boolean =>
  taskIds.every((taskId) => verdicts.some((verdict) => verdict.taskId === taskId));

/** Whether a result is of a task that the request does not know of: other programs' results name only their own. */
export const isUnheardOf = ({ taskIds }: Request, taskId: string): boolean => !taskIds.includes(taskId);

/** One result more. A group without a verdict counts with its risk by rules: a failure never reads as "none". */
export const withResult = (request: Request, result: AssessmentResult): Request => {
  const levels = result.results.map(({ riskLevel }) => riskLevel ?? result.ruleRiskLevel);
  const verdicts = [...request.verdicts, ...result.results].sort((one, other) => one.groupIndex - other.groupIndex);
  const { llmLatency, llmModel } = result.metadata;
  const next: Request = {
    ...request,
    taskIds: isUnheardOf(request, result.taskId) ? [...request.taskIds, result.taskId] : request.taskIds,
    verdicts,
    maxRiskLevel: worstRisk([request.maxRiskLevel, ...levels]),
    llmLatency: llmLatency === null ? request.llmLatency : Math.max(llmLatency, request.llmLatency ?? 0),
    llmModel: request.llmModel ?? llmModel,
    revision: request.revision + 1,
  };
  return { ...next, final: isComplete(next) };
};

/** The last word at the deadline, when results are missing. */
export const closedUnfinished = (request: Request): Request => ({ ...request, revision: request.revision + 1, final: true });

/** `id` is deterministic: an update written again after a crash is recognised. */
export const updateOf = (request: Request, id: string): RiskUpdate => ({
  type: "risk_update",
  id,
  messageId: request.messageId,
  cameraId: request.cameraId,
  capturedAt: request.capturedAt,
  revision: request.revision,
  final: request.final,
  complete: isComplete(request),
  hasDangerousDriving: request.maxRiskLevel !== "none",
  maxRiskLevel: request.maxRiskLevel,
  results: [...request.verdicts],
  taskIdsOfRequest: [...request.taskIds],
  ...(request.llmLatency === null ? {} : { llmLatency: request.llmLatency }),
  ...(request.llmModel === null ? {} : { llmModel: request.llmModel }),
});
