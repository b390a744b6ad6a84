/** `assessment-tasks` as the traffic monitor's task generator writes them and its scheduler reads them. */
import { z } from "zod";
import { spatialOf } from "../../../actors/clusterer/spatial.ts";
import { Box, CameraId, MessageId, TaskId } from "../../../protocols/ids.ts";
import type { AssessmentTask } from "../../../protocols/task.ts";
import {
  Base64,
  boxAround,
  capturedAtOf,
  type Fields,
  groupKeyOf,
  OriginalObject,
  objectOf,
  type Reading,
  traceOf,
} from "./fields.ts";

const Original = z.looseObject({
  taskId: TaskId,
  requestId: MessageId,
  cameraId: CameraId,
  timestamp: z.string().optional(),
  groupIndex: z.int().min(1),
  groupImageBase64: Base64.optional(),
  detectedObjects: z.array(OriginalObject).default([]),
  groupMetadata: z
    .looseObject({
      objectCount: z.int().optional(),
      classes: z.array(z.string()).optional(),
      bbox: z.union([Box, z.tuple([])], "expected a box of four numbers, or none").optional(),
    })
    .default({}),
});

/** Throws a `ZodError` for what their own programs do not write either. */
export const taskFrom = (value: unknown, reading: Reading): Fields => {
  const record = Original.parse(value);
  const { taskId, requestId, groupIndex, groupMetadata } = record;
  const capturedAt = typeof record.capturedAt === "number" ? record.capturedAt : capturedAtOf(record, reading);
  const detectedObjects = record.detectedObjects.map(objectOf);
  const bbox = groupMetadata.bbox?.length === 4 ? groupMetadata.bbox : boxAround(detectedObjects);
  const classes = groupMetadata.classes ?? [];
  return {
    schemaVersion: 1,
    traceId: traceOf(requestId),
    // Of the request's other tasks a record of theirs does not tell.
    taskIdsOfRequest: [taskId],
    capturedAt,
    deadlineAt: capturedAt + reading.deadlineMs,
    groupKey: groupKeyOf(groupIndex),
    spatial: spatialOf(detectedObjects, bbox),
    riskLevel: "none",
    hazards: [],
    ...record,
    timestamp: record.timestamp ?? new Date(capturedAt).toISOString(),
    detectedObjects,
    image: record.groupImageBase64 ?? new Uint8Array(0),
    groupMetadata: {
      objectCount: groupMetadata.objectCount ?? detectedObjects.length,
      classes: classes.length > 0 ? classes : [...new Set(detectedObjects.map((object) => object.class))].sort(),
      bbox,
    },
  };
};

export const taskTo = ({ type: _type, image, ...task }: AssessmentTask): Fields => ({
  ...task,
  // Levels of single objects were planned there and are always 0.
  detectedObjects: task.detectedObjects.map((object) => ({ ...object, level: 0 })),
  messageId: task.taskId,
  groupImageBase64: image.toBase64(),
  groupImageUrl: "",
});
