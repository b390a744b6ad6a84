/**
 * A frame and its verdicts as the traffic monitor's own programs know them (JSON by its field names): for what is written
 * to Redis, where dashboards and scripts of that system read. Fields of ours stand beside theirs; theirs keep their meaning.
 */
import type { DetectionResult, GroupImage, TrafficGroup } from "./detection.ts";
import { type RiskLevel, riskLevels } from "./ids.ts";
import type { RiskUpdate, Verdict } from "./verdict.ts";

/** How a group's box is coloured there. */
const colours: Readonly<Record<RiskLevel, string>> = { none: "gray", low: "yellow", medium: "orange", high: "blue" };

/** The level that a colour there stands for. */
export const levelsByColour: ReadonlyMap<string, RiskLevel> = new Map(riskLevels.map((level) => [colours[level], level]));

/** The reference to a picture: its id, and the picture itself when that is wanted. */
export type PictureOf = (image: Uint8Array) => { readonly evidenceId: string; readonly imageBase64?: string };

const groupOf = (group: TrafficGroup) => ({
  ...group,
  riskLevel: colours[group.riskLevel],
  riskLevelRaw: group.riskLevel,
  memberCount: group.objectCount,
  avgConfidence: group.averageConfidence,
  groupBbox: group.bbox,
});

const imageOf = ({ imageWidth, imageHeight, trafficGroups }: DetectionResult, image: GroupImage, pictureOf: PictureOf) => {
  const { groupIndex, objectCount, classes } = image;
  const group = trafficGroups.find((each) => each.groupIndex === groupIndex);
  return {
    ...{ groupIndex, objectCount, classes, imageWidth, imageHeight },
    ...(group === undefined
      ? {}
      : {
          bbox: group.bbox,
          memberIndices: group.memberIndices,
          riskLevel: colours[group.riskLevel],
          riskLevelRaw: group.riskLevel,
        }),
    ...pictureOf(image.image),
  };
};

/** What stands under `detection:{messageId}`. */
export const seedDetection = (result: DetectionResult, pictureOf: PictureOf) => ({
  messageId: result.messageId,
  cameraId: result.cameraId,
  timestamp: result.timestamp,
  frameTimestamp: result.capturedAt / 1000,
  // Levels of single objects were planned there and are always 0.
  detectedObjects: result.detectedObjects.map((object) => ({ ...object, level: 0 })),
  trafficGroups: result.trafficGroups.map(groupOf),
  groupImages: result.groupImages.map((image) => imageOf(result, image, pictureOf)),
  imageWidth: result.imageWidth,
  imageHeight: result.imageHeight,
  detectionLatency: result.detectionLatency,
  modelType: result.modelType,
});

/** A failed assessment keeps `riskLevel: null` and says why by `status`: it is not "none". */
const groupResultOf = ({ dangerObjectCount, triggerObjectIds, ...verdict }: Verdict) => ({
  ...verdict,
  dangerObjectCount: dangerObjectCount ?? null,
  triggerObjectIds: triggerObjectIds ?? [],
});

/** What stands under `camera:{id}:latest`, in `alerts:{id}`, and goes out on `camera:{id}`; `detection` is null when it is not there any more. */
export const seedMerged = (detection: Readonly<Record<string, unknown>> | null, update: RiskUpdate) => {
  const { messageId, cameraId, capturedAt, revision, final, complete, hasDangerousDriving, maxRiskLevel } = update;
  const results = { allGroupResults: update.results.map(groupResultOf), resultCount: update.results.length };
  const groups = detection?.trafficGroups;
  const frame =
    detection === null
      ? {
          ...{ messageId, cameraId, timestamp: new Date(capturedAt).toISOString() },
          riskAssessment: { ...results, warning: "Detection data not found, showing partial results" },
        }
      : {
          ...detection,
          riskAssessment: { ...results, groupCount: Array.isArray(groups) ? groups.length : update.taskIdsOfRequest.length },
        };
  return {
    ...frame,
    ...{ revision, final, complete, hasDangerousDriving, maxRiskLevel },
    llmLatency: update.llmLatency ?? null,
    llmModel: update.llmModel ?? null,
  };
};
