/** A task as the task generator makes it. */
import type { AssessmentTask } from "../../protocols/task.ts";

export const aTask = (overrides: Partial<AssessmentTask> = {}): AssessmentTask => {
  const capturedAt = overrides.capturedAt ?? 1_700_000_000_000;
  const taskId = overrides.taskId ?? "m1_group1";
  return {
    type: "assessment.task",
    schemaVersion: 1,
    traceId: "0".repeat(31).concat("1"),
    taskId,
    requestId: "m1",
    taskIdsOfRequest: [taskId],
    cameraId: 1,
    timestamp: new Date(capturedAt).toISOString(),
    capturedAt,
    deadlineAt: capturedAt + 10_000,
    groupIndex: 1,
    groupKey: "g1",
    image: new Uint8Array([255, 216, 255, 217]),
    detectedObjects: [
      { class: "car", confidence: 0.91, bbox: [100.4, 100, 200, 180], trackId: 7, speed: 42.25 },
      { class: "person", confidence: 0.7, bbox: [220, 110, 250, 190], trackId: 9 },
    ],
    groupMetadata: { objectCount: 2, classes: ["car", "person"], bbox: [100.4, 100, 250, 190] },
    spatial: { density: 1.4815, avgSpacing: 85.25, minSpacing: 85.25, vehicles: 1, pedestrians: 1, pedVehicleMinDist: 85.25 },
    riskLevel: "high",
    hazards: [{ type: "near-miss", memberTrackIds: [7, 9], evidence: "time to collision 1.2 s" }],
    ...overrides,
  };
};
