/** `detection-results` as the traffic monitor's detection writes them and its task generator reads them. */
import { z } from "zod";
import { spatialOf } from "../../../actors/clusterer/spatial.ts";
import { type DetectionResult, PictureHash } from "../../../protocols/detection.ts";
import { Box, CameraId, MessageId, worstRisk } from "../../../protocols/ids.ts";
import { seedDetection } from "../../../protocols/seed-shape.ts";
import {
  Base64,
  boxAround,
  capturedAtOf,
  type Fields,
  groupKeyOf,
  hazardsAmong,
  levelOf,
  OriginalObject,
  objectOf,
  type Reading,
  type ReadObject,
  traceOf,
} from "./fields.ts";

const OriginalGroup = z.looseObject({
  groupIndex: z.int().min(1),
  objectCount: z.int().min(1).optional(),
  bbox: Box.optional(),
  groupBbox: Box.optional(),
  classes: z.array(z.string()).optional(),
  averageConfidence: z.number().optional(),
  memberIndices: z.array(z.int()).optional(),
  riskLevel: z.unknown().optional(),
  riskLevelRaw: z.unknown().optional(),
  riskTypes: z.unknown().optional(),
  alertDescription: z.unknown().optional(),
});

const OriginalImage = z.looseObject({
  groupIndex: z.int().min(1),
  objectCount: z.int().min(1).optional(),
  classes: z.array(z.string()).optional(),
  imageBase64: Base64.optional(),
  dataUri: Base64.optional(),
  hash: PictureHash.optional().catch(undefined),
});

const Original = z.looseObject({
  messageId: MessageId,
  cameraId: CameraId,
  timestamp: z.string().optional(),
  detectedObjects: z.array(OriginalObject),
  trafficGroups: z.array(OriginalGroup).default([]),
  groupImages: z.array(OriginalImage).default([]),
  imageWidth: z.int().positive(),
  imageHeight: z.int().positive(),
  detectionLatency: z.number().default(0),
  modelType: z.string().default("unknown"),
});

const evidenceMax = 300;

const groupOf = (group: z.infer<typeof OriginalGroup>, objects: readonly ReadObject[]) => {
  // As their generator has it: a group that names no members has all.
  const memberIndices = (group.memberIndices ?? objects.map((_, index) => index)).filter((index) => objects[index] !== undefined);
  const members = memberIndices.flatMap((index) => objects[index] ?? []);
  const bbox = group.bbox ?? group.groupBbox ?? boxAround(members);
  const memberTrackIds = members.map(({ trackId }) => trackId);
  const evidence = typeof group.alertDescription === "string" ? group.alertDescription.slice(0, evidenceMax) : "";
  return {
    groupKey: groupKeyOf(group.groupIndex),
    objectCount: Math.max(1, members.length),
    classes: [...new Set(members.map((member) => member.class))].sort(),
    averageConfidence: members.reduce((sum, { confidence }) => sum + confidence, 0) / Math.max(1, members.length),
    memberTrackIds,
    hazards: hazardsAmong(group.riskTypes).map((type) => ({ type, memberTrackIds, evidence })),
    spatial: spatialOf(members, bbox),
    ...group,
    bbox,
    memberIndices,
    riskLevel: levelOf(group.riskLevelRaw) ?? levelOf(group.riskLevel) ?? "none",
  };
};

/** Throws a `ZodError` for what their own programs do not write either. */
export const detectionFrom = (value: unknown, reading: Reading): Fields => {
  const record = Original.parse(value);
  const capturedAt = capturedAtOf(record, reading);
  const detectedObjects = record.detectedObjects.map(objectOf);
  const trafficGroups = record.trafficGroups.map((group) => groupOf(group, detectedObjects));
  const maxRiskLevel = worstRisk(trafficGroups.map(({ riskLevel }) => riskLevel));
  return {
    schemaVersion: 1,
    traceId: traceOf(record.messageId),
    ownerEpoch: 0,
    seq: 0,
    capturedAt,
    maxRiskLevel,
    hasDangerousDriving: maxRiskLevel !== "none",
    ...record,
    timestamp: record.timestamp ?? new Date(capturedAt).toISOString(),
    detectedObjects,
    trafficGroups,
    groupImages: record.groupImages.flatMap(({ groupIndex, objectCount, classes, imageBase64, dataUri, hash }) => {
      const image = imageBase64 ?? dataUri;
      const group = trafficGroups.find((each) => each.groupIndex === groupIndex);
      if (image === undefined || image.length === 0) return [];
      const count = objectCount ?? group?.objectCount ?? 1;
      const known = hash === undefined ? {} : { hash };
      return [{ groupIndex, objectCount: count, classes: classes ?? group?.classes ?? [], image, ...known }];
    }),
  };
};

/** Theirs carries each picture twice, as text and as a data URI; ours once, as their task generator reads it. */
export const detectionTo = (result: DetectionResult): Fields => {
  const { schemaVersion, traceId, ownerEpoch, seq, capturedAt, hasDangerousDriving, maxRiskLevel, imagesOmitted } = result;
  const shape = seedDetection({ ...result, groupImages: [] }, () => ({ evidenceId: "" }));
  return {
    ...shape,
    groupImages: result.groupImages.map(({ image, ...rest }) => ({ ...rest, imageBase64: image.toBase64() })),
    ...{ schemaVersion, traceId, ownerEpoch, seq, capturedAt, hasDangerousDriving, maxRiskLevel },
    ...(imagesOmitted === undefined ? {} : { imagesOmitted }),
  };
};
