/** A detection result that any task generator makes a task of: vehicles and a person, close together, with a picture. */
import type { DetectionResult } from "../../../protocols/detection.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { encodeJpeg } from "../../../runtime/jpeg.ts";
import { type Random, traceId, uuidV7 } from "../../../runtime/random.ts";

const [width, height] = [640, 360];
const [boxWidth, boxHeight, gap] = [60, 40, 10];

const greyPicture = (): Uint8Array => encodeJpeg(new Uint8Array(64 * 48 * 3).fill(128), 64, 48, 75);

/** `members` are so many that the group is worth a verdict. Each has a group of its own, so that no cooldown holds it back. */
export const sampleDetection = (
  cameraId: number,
  seq: number,
  members: number,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): DetectionResult => {
  const capturedAt = clock.nowMs();
  const messageId = uuidV7(capturedAt, random);
  const detectedObjects = Array.from({ length: members }, (_, index) => {
    const left = (index % 8) * (boxWidth + gap);
    const top = Math.floor(index / 8) * (boxHeight + gap);
    return {
      class: index === 0 ? "person" : "car",
      confidence: 0.9,
      bbox: [left, top, left + boxWidth, top + boxHeight] as [number, number, number, number], // what the schema infers
      trackId: seq * 1_000 + index,
    };
  });
  const memberTrackIds = detectedObjects.map(({ trackId }) => trackId);
  return {
    type: "detection.result",
    schemaVersion: 1,
    traceId: traceId(random),
    ...{ ownerEpoch: 0, seq, messageId, cameraId, capturedAt, timestamp: new Date(capturedAt).toISOString() },
    ...{ imageWidth: width, imageHeight: height, detectedObjects, detectionLatency: 0, modelType: "drive" },
    ...{ hasDangerousDriving: true, maxRiskLevel: "high" },
    trafficGroups: [
      {
        ...{ groupIndex: 1, groupKey: `drive-${messageId}`, objectCount: members, averageConfidence: 0.9 },
        bbox: [0, 0, width, height],
        classes: ["person", "car"],
        memberIndices: detectedObjects.map((_, index) => index),
        memberTrackIds,
        riskLevel: "high",
        hazards: [{ type: "near-miss", memberTrackIds: memberTrackIds.slice(0, 2), evidence: "vedette drive: no real scene" }],
        spatial: { density: 1, avgSpacing: boxWidth + gap, minSpacing: gap, vehicles: members - 1, pedestrians: 1 },
      },
    ],
    groupImages: [{ groupIndex: 1, objectCount: members, classes: ["person", "car"], image: greyPicture() }],
  };
};
