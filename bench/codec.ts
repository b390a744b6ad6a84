/**
 * The cost of encoding and decoding a message of 8 detected objects, against @msgpack/msgpack with reused instances.
 * Goal: both ways together in a fifth of the library's time. Not asked: other libraries, other formats, large pictures alone.
 */
import { parseArgs } from "node:util";
import { Decoder, Encoder } from "@msgpack/msgpack";
import { type CodecOptions, createCodec } from "../protocols/codec.ts";
import { type DetectionResult, LiveDetection, DetectionResult as Recorded } from "../protocols/detection.ts";
import type { MessageDefinition, Tagged } from "../protocols/message.ts";
import { type Random, randomInt, seededRandom, traceId, uuidV7 } from "../runtime/random.ts";
import { type Contest, measureAll, show, usualEffort, type Work } from "./harness.ts";

const classes = ["car", "person", "truck", "bus", "bicycle"] as const;
const objectCount = 8;
/** Ids, times and boxes differ from message to message, as they do in use. */
const variants = 64;

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

const live = (random: Random, index: number): LiveDetection => ({ type: "detection_result", ...fieldsOf(random, index) });

const recorded =
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

/** Calls `step` with each of the variants in turn and adds up what it says. */
const work =
  (step: (variant: number) => number): Work =>
  (operations) => {
    let hash = 0;
    for (let operation = 0; operation < operations; operation++) hash = (Math.imul(hash, 31) + step(operation % variants)) | 0;
    return hash >>> 0;
  };

const contestsOf = (
  name: string,
  definition: MessageDefinition,
  make: (random: Random, index: number) => Tagged,
  options: CodecOptions,
): Record<"encode" | "decode" | "both" | "read", Contest> => {
  const random = seededRandom(8);
  const { type } = definition;
  const messages = Array.from({ length: variants }, (_, index) => make(random, index));
  const codec = createCodec([definition], options);
  const encoder = new Encoder({ initialBufferSize: 128 * 1024, ignoreUndefined: true });
  const decoder = new Decoder();

  const encode = (message: Tagged) => codec.encode(message);
  const encodePlainly = ({ type: _, ...fields }: Tagged) => encoder.encode(fields);
  const decode = (bytes: Uint8Array) => codec.decode(type, bytes);
  const decodePlainly = (bytes: Uint8Array) => Object.assign(decoder.decode(bytes) as object, { type }); // a map
  const read = (bytes: Uint8Array) => codec.read(type, bytes);
  const readPlainly = (bytes: Uint8Array) => definition.schema.safeParse(decoder.decode(bytes));

  const encoded = messages.map(encode);
  const bytesOf = (variant: number): Uint8Array => encoded[variant] ?? new Uint8Array();
  const messageOf = (variant: number): Tagged => messages[variant] ?? { type };
  const sumOf = (bytes: Uint8Array): number => bytes.length + (bytes[bytes.length >> 1] ?? 0);
  const timeOf = (message: object): number =>
    "capturedAt" in message && typeof message.capturedAt === "number" ? message.capturedAt : 0;

  const contest = (what: string, step: (variant: number) => number, plain: (variant: number) => number): Contest => ({
    name: `${name}, ${what}`,
    subject: work(step),
    versus: { name: "library", work: work(plain) },
  });
  return {
    encode: contest(
      "encode",
      (v) => sumOf(encode(messageOf(v))),
      (v) => sumOf(encodePlainly(messageOf(v))),
    ),
    decode: contest(
      "decode",
      (v) => timeOf(decode(bytesOf(v))),
      (v) => timeOf(decodePlainly(bytesOf(v))),
    ),
    both: contest(
      "both ways",
      (v) => timeOf(decode(encode(messageOf(v)))),
      (v) => timeOf(decodePlainly(encodePlainly(messageOf(v)))),
    ),
    read: contest(
      "read",
      (v) => Number(read(bytesOf(v)).ok),
      (v) => Number(readPlainly(bytesOf(v)).success),
    ),
  };
};

export const contests = (): readonly Contest[] => {
  const [bothWays, composed] = [{ target: 5 }, { construction: "composed" }] as const;
  const viewers = contestsOf("LiveDetection", LiveDetection, live, {});
  const records = contestsOf("DetectionResult", Recorded, recorded(0), {});
  const pictured = contestsOf("DetectionResult with 24 KiB picture", Recorded, recorded(24 * 1024), {});
  const viewersComposed = contestsOf("LiveDetection without generated code", LiveDetection, live, composed);
  return [
    viewers.encode,
    viewers.decode,
    { ...viewers.both, ...bothWays },
    viewers.read,
    records.encode,
    records.decode,
    { ...records.both, ...bothWays },
    records.read,
    pictured.both,
    viewersComposed.both,
    viewersComposed.read,
  ];
};

if (import.meta.main) {
  const { values } = parseArgs({ options: { report: { type: "string" } } });
  show(measureAll("codec", contests(), usualEffort), values.report);
}
