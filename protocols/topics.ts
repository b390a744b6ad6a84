/** The table of the system: every joint that is durable, in the order of the data's way. */
import { CameraRecord } from "./camera.ts";
import { DetectionResult, withoutLargestImage } from "./detection.ts";
import { Incident, incidentRecordId } from "./incident.ts";
import { AssessmentTask, withoutImage } from "./task.ts";
import { topic } from "./topic.ts";
import { AssessmentResult, RiskUpdate } from "./verdict.ts";

const hourMs = 3_600_000;
const byCamera = (message: { readonly cameraId: number }): string => String(message.cameraId);

export const topics = {
  cameras: topic({
    name: "cameras",
    doc: "The cameras to watch, by id.",
    messages: [CameraRecord],
    partitions: 64,
    retentionMs: null,
    maxBytes: 65_536,
    group: "vedette-eyes",
    keyOf: (camera) => String(camera.id),
    idOf: (camera) => `${camera.id}@${camera.ownerEpoch}`,
  }),
  detections: topic({
    name: "detection-results",
    doc: "What was seen in each processed frame.",
    messages: [DetectionResult],
    partitions: 16,
    retentionMs: hourMs,
    maxBytes: 1_048_576,
    group: "simple-task-generator",
    keyOf: byCamera,
    idOf: (result) => result.messageId,
    lighter: withoutLargestImage,
  }),
  tasks: topic({
    name: "assessment-tasks",
    doc: "Groups worth a verdict.",
    messages: [AssessmentTask],
    partitions: 16,
    retentionMs: 2 * hourMs,
    maxBytes: 1_048_576,
    group: "llm-task-scheduler",
    keyOf: byCamera,
    idOf: (task) => task.taskId,
    lighter: withoutImage,
  }),
  results: topic({
    name: "risk-assessment-results",
    doc: "Verdicts, one per task.",
    messages: [AssessmentResult],
    partitions: 16,
    retentionMs: 24 * hourMs,
    maxBytes: 1_048_576,
    group: "result-aggregator",
    keyOf: byCamera,
    idOf: (result) => result.messageId,
  }),
  incidents: topic({
    name: "incidents",
    doc: "What viewers are told: merged verdicts, and incidents as they open and close.",
    messages: [RiskUpdate, Incident],
    partitions: 16,
    retentionMs: 7 * 24 * hourMs,
    maxBytes: 1_048_576,
    group: null,
    keyOf: byCamera,
    idOf: (told) => (told.type === "incident" ? incidentRecordId(told) : told.id),
  }),
} as const;
