/** task-generator → scheduler (topic `assessment-tasks`): groups worth a verdict. */
import { z } from "zod";
import { DetectedObject, Hazard, PictureHash, Spatial } from "./detection.ts";
import { Box, CameraId, MessageId, RiskLevel, TaskId, TimestampMs } from "./ids.ts";
import { Bytes, type Infer, message } from "./message.ts";

export const AssessmentTask = message("assessment.task", "One group to be assessed before its deadline.", {
  schemaVersion: z.literal(1),
  traceId: z.string(),
  taskId: TaskId,
  requestId: MessageId.describe("messageId of the detection result it came from"),
  taskIdsOfRequest: z.array(TaskId).min(1),
  cameraId: CameraId,
  timestamp: z.string(),
  capturedAt: TimestampMs,
  deadlineAt: TimestampMs,
  groupIndex: z.int().min(1),
  groupKey: z.string(),
  image: Bytes.describe("JPEG evidence; empty when it was left out"),
  imageHash: PictureHash.optional(),
  detectedObjects: z.array(DetectedObject),
  groupMetadata: z.object({ objectCount: z.int(), classes: z.array(z.string()), bbox: Box }),
  spatial: Spatial,
  riskLevel: RiskLevel.describe("Risk now, by rules"),
  hazards: z.array(Hazard),
});
export type AssessmentTask = Infer<typeof AssessmentTask>;

/** An empty picture says that it was left out; null when it is empty already. */
export const withoutImage = (task: AssessmentTask): AssessmentTask | null =>
  task.image.length === 0 ? null : { ...task, image: new Uint8Array(0) };
