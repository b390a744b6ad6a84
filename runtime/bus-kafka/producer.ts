/**
 * Appends to Kafka: collects records for `lingerMs` or `batchBytes`, sends one request at a time, and resolves an append
 * when all its records are acknowledged.
 */
import type { CompressionTypes as Compression, Producer, RecordMetadata, TopicMessages } from "kafkajs";
import type { Appended, Outgoing } from "../bus.ts";
import type { Cancel, Clock } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { Log } from "../log.ts";
import { createClient, type KafkaAccess } from "./client.ts";
import { asFault } from "./faults.ts";
import { CompressionTypes } from "./kafkajs.ts";
import { type Outage, withinTime } from "./outage.ts";
import type { Encoded } from "./records.ts";
import type { KafkaTopic } from "./topic.ts";

export type ProducerOptions = {
  readonly access: KafkaAccess;
  readonly compression: "none" | "gzip" | "snappy" | "zstd";
  readonly acks: "all" | -1 | 0 | 1;
  readonly idempotent: boolean;
  readonly lingerMs: number;
  readonly batchBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly outage: Outage;
};

export type KafkaProducer = {
  readonly append: (
    records: readonly { readonly record: Outgoing; readonly topic: KafkaTopic; readonly encoded: Encoded }[],
  ) => Promise<readonly Appended[]>;
  /** Ends when nothing waits any more. */
  readonly close: () => Promise<void>;
};

const queueBytesMax = 64 * 1_048_576;
const flightBytesMax = 4 * 1_048_576;
const flightRecordsMax = 5_000;
/** Room that compression may need beyond the size of what it compresses. */
const batchShare = 0.9;
const compressions: Readonly<Record<ProducerOptions["compression"], Compression>> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  zstd: CompressionTypes.ZSTD,
};

type Call = {
  readonly places: Appended[];
  left: number;
  failed: boolean;
  readonly resolve: (places: readonly Appended[]) => void;
  readonly reject: (fault: Fault) => void;
};
type Item = {
  readonly call: Call;
  readonly index: number;
  readonly topic: KafkaTopic;
  readonly encoded: Encoded;
  readonly atMs: number;
};

export const createProducer = (options: ProducerOptions): KafkaProducer => {
  const { access, clock, outage } = options;
  let queue: Item[] = [];
  let queueBytes = 0;
  let flying = false;
  let producer: Promise<Producer> | null = null;
  let cancelLinger: Cancel = () => {};
  let idle = Promise.withResolvers<void>();

  const connect = async (): Promise<Producer> => {
    const made = createClient(access, options.log).producer({
      idempotent: options.idempotent,
      // kafkajs makes no idempotent producer that may not try again.
      retry: { retries: options.idempotent ? Math.max(1, access.retriesMax) : access.retriesMax },
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0, // every record comes with its partition
    });
    try {
      await made.connect();
      return made;
    } catch (thrown) {
      void made.disconnect().catch(() => {});
      throw thrown;
    }
  };

  /**
   * After a failure it is not known what the broker stored. kafkajs would give the next batch the sequence numbers of the
   * failed one, and the broker would acknowledge it as a repetition without storing it: a new producer id rules that out.
   */
  const renew = () => {
    const old = producer;
    producer = null;
    void old?.then((made) => made.disconnect()).catch(() => {});
  };

  /** The longest beginning of the queue that fits into a batch per partition. */
  const nextFlight = (): Item[] => {
    const sizes = new Map<string, number>();
    let total = 0;
    let count = 0;
    for (const { topic, encoded } of queue) {
      const place = `${topic.name}/${encoded.message.partition}`;
      const size = (sizes.get(place) ?? 0) + encoded.sizeBytes;
      total += encoded.sizeBytes;
      const isOver = size > topic.batchBytes * batchShare && size > encoded.sizeBytes;
      if (count > 0 && (isOver || total > flightBytesMax || count === flightRecordsMax)) break;
      sizes.set(place, size);
      count++;
    }
    return queue.splice(0, count);
  };

  const send = async (flight: readonly Item[]): Promise<RecordMetadata[]> => {
    const messages = new Map<string, Encoded["message"][]>();
    for (const { topic, encoded } of flight) {
      const of = messages.get(topic.name) ?? [];
      messages.set(topic.name, of);
      of.push(encoded.message);
    }
    const topicMessages: TopicMessages[] = [...messages].map(([topic, of]) => ({ topic, messages: of }));
    producer ??= connect();
    const sending = producer.then((made) =>
      made.sendBatch({
        topicMessages,
        acks: options.acks === "all" ? -1 : options.acks,
        timeout: access.requestTimeoutMs,
        compression: compressions[options.compression],
      }),
    );
    const limitMs = 2 * access.requestTimeoutMs;
    return withinTime(
      clock,
      limitMs,
      sending,
      () => new Fault("unavailable", `no acknowledgement within ${limitMs} ms`, { details: { reason: "timeout" } }),
    );
  };

  const settle = (flight: readonly Item[], answers: readonly RecordMetadata[]) => {
    const next = new Map<string, number>();
    for (const { topicName, partition, baseOffset } of answers) next.set(`${topicName}/${partition}`, Number(baseOffset ?? -1));
    for (const { call, index, topic, encoded } of flight) {
      const { partition } = encoded.message;
      const place = `${topic.name}/${partition}`;
      const offset = next.get(place) ?? -1;
      if (offset >= 0) next.set(place, offset + 1);
      call.places[index] = { topic: topic.definition.name, partition, offset, duplicate: false };
      if (--call.left === 0 && !call.failed) call.resolve(call.places);
    }
  };

  /** What waits fails with an outage rather than one request after the other: its senders try again. */
  const fail = (flight: readonly Item[], fault: Fault) => {
    const failed = fault.retryable ? [...flight, ...queue] : flight;
    const calls = new Set(failed.map(({ call }) => call));
    for (const call of calls) {
      call.failed = true;
      call.reject(fault);
    }
    for (const { call, encoded } of queue) if (calls.has(call)) queueBytes -= encoded.sizeBytes;
    queue = queue.filter(({ call }) => !calls.has(call));
  };

  const fly = async () => {
    flying = true;
    const flight = nextFlight();
    try {
      settle(flight, await send(flight));
      outage.worked();
    } catch (thrown) {
      renew();
      const fault = asFault(thrown, "append");
      outage.failed(fault);
      fail(flight, fault);
    }
    for (const { encoded } of flight) queueBytes -= encoded.sizeBytes;
    flying = false;
    pump();
  };

  const pump = () => {
    if (flying) return;
    cancelLinger();
    const [first] = queue;
    if (!first) return idle.resolve();
    const waitMs = queueBytes >= options.batchBytes ? 0 : options.lingerMs - (clock.monotonicMs() - first.atMs);
    if (waitMs <= 0) void fly();
    else cancelLinger = clock.after(waitMs, pump);
  };

  return {
    async append(records) {
      outage.refuse();
      const bytes = records.reduce((sum, { encoded }) => sum + encoded.sizeBytes, 0);
      if (queueBytes > 0 && queueBytes + bytes > queueBytesMax)
        throw new Fault("unavailable", `append: the queue is full: ${queueBytes} bytes wait for the broker`, {
          details: { reason: "queue_full", bytes: queueBytes },
        });
      return new Promise((resolve, reject) => {
        const call: Call = { places: [], left: records.length, failed: false, resolve, reject };
        if (queue.length === 0 && !flying) idle = Promise.withResolvers();
        const atMs = clock.monotonicMs();
        for (const [index, { topic, encoded }] of records.entries()) queue.push({ call, index, topic, encoded, atMs });
        queueBytes += bytes;
        pump();
      });
    },
    async close() {
      if (queue.length > 0 || flying) await idle.promise;
      cancelLinger();
      const open = producer;
      producer = null;
      await open?.then((made) => made.disconnect()).catch(() => {});
    },
  };
};
