/**
 * What the Kafka driver costs beside the client it is made of. Goal: 0.9 of bare kafkajs, both ways, for the same records on
 * the same broker. And how far another client would go: `@platformatic/kafka` (decision 0015).
 */
import type { Bench } from "./bench.ts";
import type { Contest, Contestant } from "./harness.ts";
import { bare } from "./kafka/bare.ts";
import { type BenchBroker, startBenchBroker } from "./kafka/broker.ts";
import { type Compression, fill, openBus, ownConsumer, ownSender, topicOf } from "./kafka/own.ts";
import { consumption, recordBytes, together, underWay } from "./kafka/records.ts";

const target = { of: "ratio", limit: 0.9 } as const;
const sendRounds = { rounds: 11, warmUps: 2 };
/** Each is longer: it must be many times what one fetch brings. */
const consumeRounds = { rounds: 7, warmUps: 1 };

type Shape = { readonly partitions: number; readonly compression: Compression };

let topicsMade = 0;

/** Opens our driver on a topic of its own; the subject gives all back, since it is closed first. */
const setUp = async (broker: Promise<BenchBroker>, { partitions, compression }: Shape) => {
  const { address } = await broker;
  const bus = openBus(address, compression);
  const name = `bench-${++topicsMade}`;
  await bus.ensure([topicOf(name, partitions)]);
  let filled: Promise<void> | null = null;
  const before = (size: number) => {
    filled ??= fill(bus, name, size);
    return filled;
  };
  const bareOptions = { address, topic: name, compression, before } as const;
  const closing = (contestant: Contestant): Contestant => ({ ...contestant, close: () => bus.close() });
  return { bus, name, before, bareOptions, closing };
};

const sending = (broker: Promise<BenchBroker>, shape: Shape, size: number) => async (): Promise<Contest> => {
  const { bus, name, bareOptions, closing } = await setUp(broker, shape);
  const options = { ...bareOptions, does: "send", before: async () => {} } as const;
  const peer = { ...options, hasHeaders: true } as const;
  return {
    ...{ unit: "records/s", size, ...sendRounds, isSameForAll: true },
    subject: closing(ownSender(bus, name, recordBytes)),
    versus: [
      { ...(await bare({ ...peer, name: "bare kafkajs", client: "kafkajs" })), target },
      await bare({ ...options, name: "the same without headers", client: "kafkajs", hasHeaders: false }),
      ...(shape.compression === "none"
        ? [await bare({ ...peer, name: "bare @platformatic/kafka", client: "platformatic" })]
        : []),
    ],
  };
};

const consuming = (broker: Promise<BenchBroker>, shape: Shape, size: number) => async (): Promise<Contest> => {
  const { bus, name, before, bareOptions, closing } = await setUp(broker, shape);
  const options = { ...bareOptions, does: "consume", hasHeaders: true } as const;
  return {
    ...{ unit: "records/s", size, ...consumeRounds, isSameForAll: true },
    subject: closing(ownConsumer(bus, name, before)),
    versus: [
      { ...(await bare({ ...options, name: "bare kafkajs, eachBatch", client: "kafkajs" })), target },
      ...(shape.compression === "none"
        ? [await bare({ ...options, name: "bare @platformatic/kafka", client: "platformatic" })]
        : []),
    ],
  };
};

export const kafka = (): Bench => {
  let broker: Promise<BenchBroker> | null = null;
  const started = () => {
    broker ??= startBenchBroker();
    return broker;
  };
  const one = { partitions: 1, compression: "snappy" } as const;
  const many = { partitions: 16, compression: "snappy" } as const;
  const plain = { partitions: 4, compression: "none" } as const;
  const sizes = { send: 20_000, consume: 100_000 };
  return {
    name: "kafka",
    notes: [
      `A real broker, one node on loopback. Records of ${recordBytes} bytes that do not compress, with the seven headers that ours have, acks all,`,
      `idempotent. Sent ${together} a call, ${underWay} calls under way; consumed by a new group, timed from its first record to its last, with a`,
      `commit each ${consumption.commitMs} ms. Bare kafkajs runs as it comes, in a thread of its own, and knows no linger: it sends each call`,
      "at once. Uncompressed the other client is measured too, which has no snappy of its own. CPU is of the whole process.",
    ],
    contests: [
      { name: "send, one partition", open: () => sending(started(), one, sizes.send)() },
      { name: "send, 16 partitions", open: () => sending(started(), many, sizes.send)() },
      { name: "consume, one partition", open: () => consuming(started(), one, sizes.consume)() },
      { name: "consume, 16 partitions", open: () => consuming(started(), many, sizes.consume)() },
      { name: "send uncompressed, 4 partitions", open: () => sending(started(), plain, sizes.send)() },
      { name: "consume uncompressed, 4 partitions", open: () => consuming(started(), plain, sizes.consume)() },
    ],
    async close() {
      await (await broker)?.close();
    },
  };
};
