/** clusterer → task-generator (topic `detection-results`) and clusterer → edge (live, without images). */
import { z } from "zod";
import { Box, CameraId, MessageId, RiskLevel, TimestampMs } from "./ids.ts";
import { Bytes, type Infer, message } from "./message.ts";

/** Closed list: prompts, rules, metrics and the dashboard share it. */
export const hazardTypes = ["tailgating", "near-miss", "wrong-way", "stalled", "congestion"] as const;
export const HazardType = z.enum(hazardTypes);
export type HazardType = (typeof hazardTypes)[number];

export const Hazard = z.object({
  type: HazardType,
  memberTrackIds: z.array(z.int()),
  evidence: z.string().max(300).describe("The measured figures behind it, e.g. `time to collision 1.2 s`"),
});
export type Hazard = z.infer<typeof Hazard>;

export const DetectedObject = z.object({
  class: z.string().max(64),
  confidence: z.number().min(0).max(1),
  bbox: Box,
  trackId: z.int().min(0),
  speed: z.number().optional().describe("Pixels per second; metres per second when the camera is calibrated"),
});
export type DetectedObject = z.infer<typeof DetectedObject>;

export const Spatial = z.object({
  density: z.number().describe("Members per 10,000 square pixels of the group's box"),
  avgSpacing: z.number().describe("Mean pairwise centre distance, pixels"),
  minSpacing: z.number(),
  vehicles: z.int().min(0),
  pedestrians: z.int().min(0),
  pedVehicleMinDist: z.number().optional(),
});
export type Spatial = z.infer<typeof Spatial>;

export const TrafficGroup = z.object({
  groupIndex: z.int().min(1).describe("Ordinal within this frame; not stable over time"),
  groupKey: z.string().min(1).max(64).describe("Stable while the members stay together"),
  objectCount: z.int().min(1),
  bbox: Box,
  classes: z.array(z.string()),
  averageConfidence: z.number(),
  memberIndices: z.array(z.int().min(0)),
  memberTrackIds: z.array(z.int().min(0)),
  riskLevel: RiskLevel.describe("Risk now, by rules"),
  hazards: z.array(Hazard),
  spatial: Spatial,
});
export type TrafficGroup = z.infer<typeof TrafficGroup>;

const result = {
  messageId: MessageId,
  cameraId: CameraId,
  timestamp: z.string().describe("ISO 8601 of capturedAt"),
  capturedAt: TimestampMs,
  imageWidth: z.int().positive(),
  imageHeight: z.int().positive(),
  detectedObjects: z.array(DetectedObject).max(1000),
  trafficGroups: z.array(TrafficGroup).max(500),
  hasDangerousDriving: z.boolean(),
  maxRiskLevel: RiskLevel,
  detectionLatency: z.number().describe("Seconds from capture to detection"),
  modelType: z.string(),
};

export const PictureHash = z
  .string()
  .regex(/^[0-9a-f]{16}$/, "expected 16 hexadecimal digits")
  .describe("Difference hash of the picture, 64 bits: pictures of the same sight differ in few");

export const GroupImage = z.object({
  groupIndex: z.int().min(1),
  objectCount: z.int().min(1),
  classes: z.array(z.string()),
  image: Bytes.describe("JPEG of the group's box with a margin"),
  hash: PictureHash.optional(),
});
export type GroupImage = z.infer<typeof GroupImage>;

export const DetectionResult = message("detection.result", "One processed frame: objects, groups, risk now, evidence.", {
  schemaVersion: z.literal(1),
  traceId: z.string(),
  ownerEpoch: z.int().min(0),
  seq: z.int().min(0),
  ...result,
  groupImages: z.array(GroupImage),
  imagesOmitted: z.int().min(1).optional().describe("Evidence pictures left out to stay under the size limit"),
});
export type DetectionResult = Infer<typeof DetectionResult>;

/** Leaves out the largest evidence picture and counts it; null when there is none left. */
export const withoutLargestImage = (result: DetectionResult): DetectionResult | null => {
  const [largest] = [...result.groupImages].sort((left, right) => right.image.length - left.image.length);
  if (largest === undefined) return null;
  const groupImages = result.groupImages.filter((each) => each !== largest);
  return { ...result, groupImages, imagesOmitted: (result.imagesOmitted ?? 0) + 1 };
};

/** The same frame as viewers see it: the body of the WebSocket message of this name. */
export const LiveDetection = message("detection_result", "One processed frame, for viewers.", {
  ...result,
  frame: Bytes.optional().describe("JPEG of the frame, for clients that asked for frames"),
});
export type LiveDetection = Infer<typeof LiveDetection>;
