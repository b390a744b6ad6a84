/** Builders: a valid value in one line, with what matters to the test named. */
import type { DetectionResult, TrafficGroup } from "../../protocols/detection.ts";
import { resultIdOf } from "../../protocols/ids.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { AssessmentResult, Verdict } from "../../protocols/verdict.ts";

export const aGroup = (overrides: Partial<TrafficGroup> = {}): TrafficGroup => ({
  groupIndex: 1,
  groupKey: "g1",
  objectCount: 2,
  bbox: [100, 100, 300, 200],
  classes: ["car", "person"],
  averageConfidence: 0.8,
  memberIndices: [0, 1],
  memberTrackIds: [1, 2],
  riskLevel: "low",
  hazards: [],
  spatial: { density: 1, avgSpacing: 80, minSpacing: 80, vehicles: 1, pedestrians: 1, pedVehicleMinDist: 80 },
  ...overrides,
});

export const aDetectionResult = (overrides: Partial<DetectionResult> = {}): DetectionResult => {
  const trafficGroups = overrides.trafficGroups ?? [aGroup()];
  const capturedAt = overrides.capturedAt ?? 1_700_000_000_000;
  return {
    type: "detection.result",
    schemaVersion: 1,
    traceId: "0".repeat(31).concat("1"),
    ownerEpoch: 1,
    seq: 1,
    messageId: "m1",
    cameraId: 1,
    timestamp: new Date(capturedAt).toISOString(),
    capturedAt,
    imageWidth: 1280,
    imageHeight: 720,
    detectedObjects: [
      { class: "car", confidence: 0.9, bbox: [100, 100, 200, 180], trackId: 1 },
      { class: "person", confidence: 0.7, bbox: [220, 110, 250, 190], trackId: 2 },
    ],
    hasDangerousDriving: false,
    maxRiskLevel: "low",
    detectionLatency: 0.05,
    modelType: "test",
    groupImages: trafficGroups.map(({ groupIndex, objectCount, classes }) => ({
      groupIndex,
      objectCount,
      classes,
      image: new Uint8Array([255, 216, 255]),
    })),
    ...overrides,
    trafficGroups,
  };
};

export const aVerdict = (overrides: Partial<Verdict> = {}): Verdict => ({
  taskId: "m1_group1",
  groupIndex: 1,
  groupKey: "g1",
  status: "ok",
  verdict: "confirmed",
  riskLevel: "high",
  confidence: 0.9,
  assessedBy: "rules",
  description: "a car close to a person",
  riskTypes: ["near-miss"],
  ...overrides,
});

/** The result of a task, as the scheduler says it. */
export const aResult = (task: AssessmentTask, verdict: Partial<Verdict> = {}): AssessmentResult => ({
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
  results: [aVerdict({ taskId: task.taskId, groupIndex: task.groupIndex, groupKey: task.groupKey, ...verdict })],
  metadata: { llmLatency: null, llmModel: null, apiKeyId: null, retryCount: 0 },
});
