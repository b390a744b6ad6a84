/**
 * kafkajs, mended at import. Everything of ours takes it from here.
 *
 * Its request queue re-arms a timer for ever, with a negative delay: about a thousand timers a second for each idle
 * connection (tulios/kafkajs 1751, 1704, 1556). And a member of a group joins again without a word to the program, which
 * then cannot finish and commit what it holds; here an assigner may say what comes before. And most of its time for a record
 * with headers goes into small buffers: `record-codec.ts` and `batch-codec.ts` take that part over. And with all
 * its partitions paused a member rests whatever happens: see `rest.ts`.
 */
import { createRequire } from "node:module";
import { zstdCompress, zstdDecompress } from "node:zlib";
import type { Assigner } from "kafkajs";
import { systemClock } from "../clock.ts";
import { type BatchPorts, batchDecoder, lighterBatch } from "./batch-codec.ts";
import { encodeKafkaRecord } from "./record-codec.ts";
import { mendRest } from "./rest.ts";
import { snappyCodec } from "./snappy.ts";

/** The fields of kafkajs's RequestQueue that the mend reads. */
type RequestQueue = { readonly pending: readonly unknown[]; readonly throttledUntil: number };
type Schedule = (this: RequestQueue) => void;

type OffsetsToCommit = {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
  }[];
};
/** The part of kafkajs's ConsumerGroup that a group of ours uses. Its own commit says nothing when it did nothing. */
export type Membership = {
  readonly commitOffsets: (offsets: OffsetsToCommit) => Promise<void>;
  /** Of the last joining that came to its end; null before the first. */
  readonly generationId: number | null;
  /** By what name the group knows the member; null where it is to be given one. */
  memberId: string | null;
};
type JoiningGroup = Membership & { readonly assigners: readonly (Assigner & Partial<HookedAssigner>)[] };
type Join = (this: JoiningGroup) => Promise<void>;

/** An assigner that is told before its member joins, while its partitions can still be committed. */
export type HookedAssigner = Assigner & { readonly joining: (membership: Membership) => Promise<void> };

/** One batch of one partition, as kafkajs hands it on: without control records and aborted transactions. */
export type RawRecord = {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | string | null | (Buffer | string | null)[] | undefined>>;
};
export type RawBatch = {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: string;
  readonly messages: readonly RawRecord[];
  readonly rawMessages: readonly unknown[];
  readonly lastOffset: () => string;
};
type BatchConstructor = new (topic: string, fetchedOffset: string, partition: object) => RawBatch;

const inside = createRequire(import.meta.url);

/** Puts `ours` in the place of a module, before any other has taken it. */
const replaceModule = <Original>(path: string, ours: (original: Original) => unknown): void => {
  const name = inside.resolve(path);
  const original = inside(name);
  if (typeof original !== "function") throw new Error(`${path} is no function to be replaced`);
  const module = inside.cache[name];
  if (module === undefined) throw new Error(`${path} cannot be replaced here`);
  module.exports = ours(original);
};
const { lookupCodecByAttributes } = inside("kafkajs/src/protocol/message/compression/index.js") as {
  lookupCodecByAttributes: BatchPorts["codecOf"];
};
const { KafkaJSPartialMessageError } = inside("kafkajs/src/errors.js") as {
  KafkaJSPartialMessageError: new (text: string) => Error;
};
const decodeBatch = batchDecoder({
  codecOf: lookupCodecByAttributes,
  partial: (text) => new KafkaJSPartialMessageError(text),
});
replaceModule("kafkajs/src/protocol/recordBatch/record/v0/index.js", () => encodeKafkaRecord);
replaceModule("kafkajs/src/protocol/recordBatch/v0/decoder.js", () => decodeBatch);
replaceModule("kafkajs/src/consumer/batch.js", lighterBatch);

const kafkajs = inside("kafkajs") as typeof import("kafkajs");
const queues = inside("kafkajs/src/network/requestQueue/index.js") as {
  prototype: { scheduleCheckPendingRequests?: Schedule };
};
const groups = inside("kafkajs/src/consumer/consumerGroup.js") as {
  prototype: { joinAndSync?: Join } & Parameters<typeof mendRest>[0];
};

const mendRequestQueue = (): void => {
  const schedule = queues.prototype.scheduleCheckPendingRequests;
  if (typeof schedule !== "function") throw new Error("kafkajs has no RequestQueue.scheduleCheckPendingRequests to mend");
  queues.prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0 || this.throttledUntil > systemClock.nowMs()) schedule.call(this);
  };
};

const tellBeforeJoining = (): void => {
  const join = groups.prototype.joinAndSync;
  if (typeof join !== "function") throw new Error("kafkajs has no ConsumerGroup.joinAndSync to mend");
  groups.prototype.joinAndSync = async function () {
    for (const assigner of this.assigners) await assigner.joining?.(this);
    await join.call(this);
  };
};

const addCodecs = (): void => {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { readonly buffer: Buffer }) => call(zstdCompress, buffer),
    decompress: (buffer: Buffer) => call(zstdDecompress, buffer),
  });
};
type Zstd = (input: Buffer, done: (error: Error | null, output: Buffer) => void) => void;
const call = (zstd: Zstd, input: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => zstd(input, (error, output) => (error ? reject(error) : resolve(output))));

mendRequestQueue();
tellBeforeJoining();
mendRest(groups.prototype);
addCodecs();

/** What a fetch without a group answers, made into a batch as for a member of a group. */
export const Batch = inside("kafkajs/src/consumer/batch.js") as BatchConstructor;

export const { Kafka, logLevel, AssignerProtocol, CompressionTypes } = kafkajs;
