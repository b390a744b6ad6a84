/** `risk-assessment-results` as the traffic monitor's scheduler writes them and its aggregator reads them. */
import { z } from "zod";
import { CameraId, MessageId, resultIdOf, TaskId, taskIdOf } from "../../../protocols/ids.ts";
import type { AssessmentResult, Verdict } from "../../../protocols/verdict.ts";
import {
  Base64,
  capturedAtOf,
  confidenceOf,
  type Fields,
  groupKeyOf,
  hazardsAmong,
  levelOf,
  type Reading,
  traceOf,
} from "./fields.ts";

const Original = z.looseObject({
  requestId: MessageId,
  taskId: TaskId.optional(),
  cameraId: CameraId,
  timestamp: z.string().optional(),
  groupIndex: z.int().min(1),
  results: z.array(z.looseObject({})),
  metadata: z.looseObject({}).default({}),
  error: z.string().nullish(),
  outcome: z.looseObject({}).optional(),
  evidenceBase64: Base64.optional(),
});
type Original = z.infer<typeof Original>;

const textMax = { description: 2_000, riskType: 80, error: 300 };
const riskTypesMax = 10;

const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === "string") : []);
const numberOf = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);
const countOf = (value: unknown): number | null => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null);

/** A failed assessment is an empty list there; a level that is none of the four was never checked there. */
const failedStatus = (original: Original): "error" | "parse_error" =>
  original.results.length === 0 && original.error ? "error" : "parse_error";

const verdictOf = (original: Original, taskId: string): Fields => {
  const { groupIndex, outcome, metadata } = original;
  const found: Fields = outcome ?? original.results[0] ?? {};
  const level = levelOf(found.riskLevel);
  const confidence = numberOf(found.confidence);
  const count = countOf(found.dangerObjectCount);
  const triggers = Array.isArray(found.triggerObjectIds) ? found.triggerObjectIds.filter((id) => Number.isSafeInteger(id)) : [];
  const { dangerObjectCount: _count, triggerObjectIds: _triggers, ...own } = found;
  const isUnread = level === null && own.status === undefined;
  return {
    groupKey: groupKeyOf(groupIndex),
    status: level === null ? failedStatus(original) : "ok",
    verdict: level === null ? null : level === "none" ? "rejected" : "confirmed",
    assessedBy: textOf(metadata.llmModel) ?? "unknown",
    ...own,
    taskId,
    groupIndex,
    riskLevel: level,
    confidence: confidence === null || isUnread ? null : confidenceOf(confidence),
    description: (textOf(found.description) ?? "").slice(0, textMax.description),
    riskTypes: textsOf(found.riskTypes)
      .slice(0, riskTypesMax)
      .map((each) => each.slice(0, textMax.riskType)),
    ...(count === null ? {} : { dangerObjectCount: count }),
    ...(triggers.length === 0 && (own.status === undefined || !Array.isArray(found.triggerObjectIds))
      ? {}
      : { triggerObjectIds: triggers }),
  };
};

/** Throws a `ZodError` for what their own programs do not write either. */
export const resultFrom = (value: unknown, reading: Reading): Fields => {
  const record = Original.parse(value);
  const { requestId, groupIndex, metadata, outcome } = record;
  const { error, evidenceBase64, ...kept } = record;
  const taskId = record.taskId ?? taskIdOf(requestId, groupIndex);
  const capturedAt = typeof record.capturedAt === "number" ? record.capturedAt : capturedAtOf(record, reading);
  const verdict = verdictOf(record, taskId);
  const hazards = hazardsAmong(verdict.riskTypes);
  return {
    schemaVersion: 1,
    traceId: traceOf(requestId),
    // Of the request's other tasks a record of theirs does not tell.
    taskIdsOfRequest: [taskId],
    capturedAt,
    deadlineAt: capturedAt + reading.deadlineMs,
    ruleRiskLevel: "none",
    ...(record.schemaVersion === undefined && hazards.length > 0 ? { hazards } : {}),
    ...kept,
    taskId,
    // Theirs is another each time the record is written; this one is the same, so that a repetition is recognised.
    messageId: resultIdOf(taskId),
    timestamp: record.timestamp ?? new Date(capturedAt).toISOString(),
    results: [verdict],
    metadata: {
      llmLatency: numberOf(metadata.llmLatency),
      llmModel: textOf(metadata.llmModel),
      apiKeyId: textOf(metadata.apiKeyId),
      retryCount: countOf(metadata.retryCount) ?? 0,
    },
    // One that has no reason of its own is written with its status.
    ...(error && error !== outcome?.status ? { error: error.slice(0, textMax.error) } : {}),
    ...(evidenceBase64 ? { evidence: evidenceBase64 } : {}),
  };
};

const theirs = ({ dangerObjectCount, triggerObjectIds, ...verdict }: Verdict): Fields => ({
  ...verdict,
  dangerObjectCount: dangerObjectCount ?? null,
  triggerObjectIds: triggerObjectIds ?? [],
});

/** Their aggregator takes each entry of `results` for an assessment, so one that failed is no entry: it stands in `outcome`. */
export const resultTo = ({ type: _type, results, evidence, ...result }: AssessmentResult): Fields => {
  const assessed = results.filter(({ riskLevel }) => riskLevel !== null);
  const [failed] = results.filter(({ riskLevel }) => riskLevel === null);
  return {
    ...result,
    results: assessed.map(theirs),
    ...(failed === undefined ? {} : { outcome: failed, error: result.error ?? failed.status }),
    ...(evidence === undefined ? {} : { evidenceBase64: evidence.toBase64() }),
  };
};
