/**
 * The cost of encoding and decoding a message of 8 detected objects, against @msgpack/msgpack with reused instances.
 * Goal: both ways together in a fifth of the library's time. Not asked: other libraries, other formats, large pictures alone.
 */
import { Decoder, Encoder } from "@msgpack/msgpack";
import { type CodecOptions, createCodec } from "../protocols/codec.ts";
import { LiveDetection, DetectionResult as Recorded } from "../protocols/detection.ts";
import type { MessageDefinition, Tagged } from "../protocols/message.ts";
import { type Random, seededRandom } from "../runtime/random.ts";
import type { Bench } from "./bench.ts";
import { live, recorded } from "./detections.ts";
import { type Contest, timeOf, type Work } from "./harness.ts";
import type { Target } from "./report.ts";

/** Messages differ from one to the next, as they do in use. */
const variants = 64;

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
  goal?: Target,
): Record<"encode" | "decode" | "both" | "read", Bench["contests"][number]> => {
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
  const capturedAtOf = (message: object): number =>
    "capturedAt" in message && typeof message.capturedAt === "number" ? message.capturedAt : 0;

  const contest = (what: string, step: (variant: number) => number, plain: (variant: number) => number, target?: Target) => ({
    name: `${name}, ${what}`,
    open: (): Contest => ({
      unit: "ns",
      size: 1_500,
      rounds: 21,
      isPure: true,
      subject: { name: "codec", run: timeOf(work(step)) },
      versus: [{ name: "library", run: timeOf(work(plain)), ...(target ? { target } : {}) }],
    }),
  });
  return {
    encode: contest(
      "encode",
      (v) => sumOf(encode(messageOf(v))),
      (v) => sumOf(encodePlainly(messageOf(v))),
    ),
    decode: contest(
      "decode",
      (v) => capturedAtOf(decode(bytesOf(v))),
      (v) => capturedAtOf(decodePlainly(bytesOf(v))),
    ),
    both: contest(
      "both ways",
      (v) => capturedAtOf(decode(encode(messageOf(v)))),
      (v) => capturedAtOf(decodePlainly(encodePlainly(messageOf(v)))),
      goal,
    ),
    read: contest(
      "read",
      (v) => Number(read(bytesOf(v)).ok),
      (v) => Number(readPlainly(bytesOf(v)).success),
    ),
  };
};

export const codec = (): Bench => {
  const fifth = { of: "ratio", limit: 5 } as const;
  const composed = { construction: "composed" } as const;
  const viewers = contestsOf("LiveDetection", LiveDetection, live, {}, fifth);
  const records = contestsOf("DetectionResult", Recorded, recorded(0), {}, fifth);
  const pictured = contestsOf("DetectionResult with 24 KiB picture", Recorded, recorded(24 * 1024), {});
  const viewersComposed = contestsOf("LiveDetection without generated code", LiveDetection, live, composed);
  const contests = [
    viewers.encode,
    viewers.decode,
    viewers.both,
    viewers.read,
    records.encode,
    records.decode,
    records.both,
    records.read,
    pictured.both,
    viewersComposed.both,
    viewersComposed.read,
  ];
  return {
    name: "codec",
    notes: ["Against Encoder and Decoder of @msgpack/msgpack, made once. To read is to decode and validate, there by zod."],
    contests,
  };
};
