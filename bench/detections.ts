/** Messages of 8 detected objects, as a junction's camera makes them; 0.8 KB on the wire. Ids, times and boxes differ from one to the next. */
import type { DetectionResult, LiveDetection } from "../protocols/detection.ts";
import { type Random, randomInt, traceId, uuidV7 } from "../runtime/random.ts";

const classes = ["car", "person", "truck", "bus", "bicycle"] as const;
const objectCount = 8;

const box = (random: Random): [number, number, number, number] => {
  const [x, y] = [random.next() * 1_000, random.next() * 600];
  return [x, y, x + random.next() * 200, y + random.next() * 100];
};

const fieldsOf = (random: Random, index: number) => {
  const capturedAt = 1_700_000_000_000 + index * 37;
  return {
    messageId: uuidV7(capturedAt, random),
    cameraId: index % 50,
    timestamp: new Date(capturedAt).toISOString(),
    capturedAt,
    imageWidth: 1280,
    imageHeight: 720,
    detectedObjects: Array.from({ length: objectCount }, (_, place) => ({
      class: classes[(index + place) % classes.length] ?? "car",
      confidence: random.next(),
      bbox: box(random),
      trackId: index + place,
      ...(place % 2 === 0 ? { speed: random.next() * 30 } : {}),
    })),
    trafficGroups: [
      {
        groupIndex: 1,
        groupKey: `g${index % 30}`,
        objectCount: 3,
        bbox: box(random),
        classes: ["car", "person"],
        averageConfidence: random.next(),
        memberIndices: [0, 1, 2],
        memberTrackIds: [index, index + 1, index + 2],
        riskLevel: "low" as const,
        hazards: [],
        spatial: {
          density: random.next(),
          avgSpacing: random.next() * 90,
          minSpacing: random.next(),
          vehicles: 2,
          pedestrians: 1,
        },
      },
    ],
    hasDangerousDriving: true,
    maxRiskLevel: "low" as const,
    detectionLatency: random.next(),
    modelType: "yolox-nano-416",
  };
};

export const live = (random: Random, index: number): LiveDetection => ({ type: "detection_result", ...fieldsOf(random, index) });

export const recorded =
  (imageBytes: number) =>
  (random: Random, index: number): DetectionResult => ({
    type: "detection.result",
    schemaVersion: 1,
    traceId: traceId(random),
    ownerEpoch: 1,
    seq: index,
    ...fieldsOf(random, index),
    groupImages:
      imageBytes === 0
        ? []
        : [
            {
              groupIndex: 1,
              objectCount: 3,
              classes: ["car", "person"],
              image: new Uint8Array(imageBytes).fill(randomInt(random, 256)),
            },
          ],
  });
