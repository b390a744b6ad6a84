/** scheduler → aggregator (topic `risk-assessment-results`) and aggregator → edge (`risk_update`, topic `incidents`). */
import { z } from "zod";
import { HazardType } from "./detection.ts";
import { CameraId, MessageId, RiskLevel, TaskId, TimestampMs } from "./ids.ts";
import { Bytes, type Infer, message } from "./message.ts";

export const AssessmentStatus = z.enum(["ok", "parse_error", "error", "expired", "degraded"]);
export type AssessmentStatus = z.infer<typeof AssessmentStatus>;

/** What is known of one group after assessment. A failure is said by `status`; its riskLevel is null, never "none". */
export const Verdict = z.object({
  taskId: TaskId,
  groupIndex: z.int().min(1),
  groupKey: z.string(),
  status: AssessmentStatus,
  verdict: z.enum(["confirmed", "rejected", "uncertain"]).nullable(),
  riskLevel: RiskLevel.nullable(),
  confidence: z.number().min(0).max(1).nullable(),
  assessedBy: z.string().describe("`rules`, or the model's name"),
  description: z.string().max(2000),
  riskTypes: z.array(z.string().max(80)).max(10),
  dangerObjectCount: z.int().min(0).optional(),
  triggerObjectIds: z.array(z.int()).optional(),
  tamper: z
    .boolean()
    .optional()
    .describe(
      "The picture holds text that gives orders or names the risk, and the model's verdict contradicts what was measured",
    ),
  pictureText: z.array(z.string().max(120)).max(5).optional().describe("That text; beside `tamper` alone"),
});
export type Verdict = z.infer<typeof Verdict>;

export const AssessmentResult = message("assessment.result", "The outcome of one task: a verdict, or why there is none.", {
  schemaVersion: z.literal(1),
  traceId: z.string(),
  messageId: z.string().describe("`{taskId}_result`"),
  taskId: TaskId,
  requestId: MessageId,
  taskIdsOfRequest: z.array(TaskId).min(1),
  cameraId: CameraId,
  timestamp: z.string(),
  capturedAt: TimestampMs,
  deadlineAt: TimestampMs,
  groupIndex: z.int().min(1),
  ruleRiskLevel: RiskLevel.describe("Risk now, by rules: what stands when there is no verdict"),
  results: z.array(Verdict).length(1),
  metadata: z.object({
    llmLatency: z.number().nullable().describe("Seconds, all attempts"),
    llmModel: z.string().nullable(),
    apiKeyId: z.string().nullable(),
    retryCount: z.int().min(0),
  }),
  error: z.string().max(300).optional(),
  hazards: z.array(HazardType).max(8).optional().describe("By the rules, the worst first"),
  evidence: Bytes.optional().describe("The group's picture, when the result tells of a danger"),
});
export type AssessmentResult = Infer<typeof AssessmentResult>;

/** Within the scheduler alone: a mailbox holds it before the result is written. */
export const TaskAssessed = message("task.assessed", "An assessment has ended.", {
  ...AssessmentResult.schema.shape,
  imageBytes: z.int().min(0).describe("Of the task's picture, which was kept until then"),
});
export type TaskAssessed = Infer<typeof TaskAssessed>;

export const RiskUpdate = message("risk_update", "What is known of one frame's groups; the last revision is final.", {
  id: z.string(),
  messageId: MessageId,
  cameraId: CameraId,
  capturedAt: TimestampMs,
  revision: z.int().min(1),
  final: z.boolean(),
  complete: z.boolean().describe("Every task of the frame has its result"),
  hasDangerousDriving: z.boolean(),
  maxRiskLevel: RiskLevel,
  results: z.array(Verdict),
  taskIdsOfRequest: z.array(TaskId),
  llmLatency: z.number().optional(),
  llmModel: z.string().optional(),
});
export type RiskUpdate = Infer<typeof RiskUpdate>;
