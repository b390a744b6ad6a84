/** The thread of one bare client: kafkajs or `@platformatic/kafka`, sending or consuming. */
import { Consumer, MessagesStreamModes, ProduceAcks, Producer } from "@platformatic/kafka";
import kafkajs from "kafkajs";
import snappy from "kafkajs-snappy";
import { systemClock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { BareAnswer, BareOrder } from "./bare.ts";
import { type BenchRecord, consumption, createCount, type Delivered, headersOf, inLanes, recordBytes } from "./records.ts";

declare const self: Worker; // in a worker `self` posts to its parent

type Opened = Extract<BareOrder, { type: "open" }>;
type Client = { readonly run: (size: number, group: string) => Promise<Delivered>; readonly close: () => Promise<void> };

const nowMs = (): number => systemClock.monotonicMs();
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
CompressionCodecs[CompressionTypes.Snappy] = snappy;

const timed = async (size: number, send: (records: readonly BenchRecord[]) => Promise<unknown>): Promise<Delivered> => {
  const startedMs = nowMs();
  await inLanes(size, send);
  return { perSecond: (size * 1_000) / (nowMs() - startedMs), bytes: size * recordBytes };
};

const kafkajsOf = ({ address }: Opened) => new Kafka({ clientId: "bare", brokers: [address], logLevel: logLevel.NOTHING });

const kafkajsSender = async (opened: Opened): Promise<Client> => {
  const { topic, hasHeaders } = opened;
  const compression = opened.compression === "snappy" ? CompressionTypes.Snappy : CompressionTypes.None;
  const producer = kafkajsOf(opened).producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
  await producer.connect();
  const messageOf = (record: BenchRecord) => ({
    key: record.key,
    value: record.value,
    ...(hasHeaders ? { headers: headersOf(record) } : {}),
  });
  return {
    run: (size) => timed(size, (records) => producer.send({ topic, acks: -1, compression, messages: records.map(messageOf) })),
    close: () => producer.disconnect(),
  };
};

const kafkajsConsumer = (opened: Opened): Client => ({
  async run(size, groupId) {
    const consumer = kafkajsOf(opened).consumer({
      groupId,
      sessionTimeout: consumption.sessionTimeoutMs,
      heartbeatInterval: consumption.heartbeatMs,
      maxBytesPerPartition: consumption.partitionBytes,
      maxBytes: consumption.responseBytes,
      maxWaitTimeInMs: consumption.maxWaitMs,
      minBytes: 1,
    });
    const count = createCount(size, nowMs);
    await consumer.connect();
    await consumer.subscribe({ topics: [opened.topic], fromBeginning: true });
    await consumer.run({
      autoCommitInterval: consumption.commitMs,
      async eachBatch({ batch }) {
        for (const { value } of batch.messages) count.take(value?.length ?? 0);
      },
    });
    const delivered = await count.done;
    await consumer.disconnect();
    return delivered;
  },
  async close() {},
});

const platformaticSender = (opened: Opened): Client => {
  const { topic, address, compression, hasHeaders } = opened;
  const producer = new Producer({ clientId: "bare", bootstrapBrokers: [address] });
  const messageOf = (record: BenchRecord) => ({
    topic,
    key: Buffer.from(record.key),
    value: record.value,
    ...(hasHeaders
      ? { headers: new Map(Object.entries(headersOf(record)).map(([name, each]) => [Buffer.from(name), Buffer.from(each)])) }
      : {}),
  });
  return {
    run: (size) =>
      timed(size, (records) =>
        producer.send({ messages: records.map(messageOf), acks: ProduceAcks.ALL, idempotent: true, compression }),
      ),
    close: () => producer.close(),
  };
};

const platformaticConsumer = ({ topic, address }: Opened): Client => ({
  async run(size, groupId) {
    const consumer = new Consumer({
      ...{ clientId: "bare", groupId, bootstrapBrokers: [address] },
      ...{ sessionTimeout: consumption.sessionTimeoutMs, heartbeatInterval: consumption.heartbeatMs },
      ...{ maxBytes: consumption.responseBytes, minBytes: 1, maxWaitTime: consumption.maxWaitMs },
    });
    const count = createCount(size, nowMs);
    const stream = await consumer.consume({
      topics: [topic],
      mode: MessagesStreamModes.EARLIEST,
      autocommit: consumption.commitMs,
    });
    stream.on("data", ({ value }) => count.take(value.length));
    const delivered = await count.done;
    await stream.close();
    await consumer.close(true);
    return delivered;
  },
  async close() {},
});

const openClient = async (opened: Opened): Promise<Client> => {
  if (opened.client === "kafkajs") return opened.does === "send" ? kafkajsSender(opened) : kafkajsConsumer(opened);
  return opened.does === "send" ? platformaticSender(opened) : platformaticConsumer(opened);
};

let client: Client | null = null;
const answer = (value: BareAnswer) => self.postMessage(value);

const obey = async (order: BareOrder): Promise<BareAnswer> => {
  if (order.type === "open") client = await openClient(order);
  else if (order.type === "close") await client?.close();
  else if (client) return { type: "done", delivered: await client.run(order.size, order.group) };
  return { type: "done" };
};

self.onmessage = ({ data }: MessageEvent<BareOrder>) => {
  obey(data).then(answer, (thrown) => answer({ type: "failed", reason: reasonOf(thrown) }));
};
