/** Our driver as the system opens it, sending and consuming. */
import { message } from "../../protocols/message.ts";
import { type TopicDefinition, topic } from "../../protocols/topic.ts";
import type { Bus, Outgoing } from "../../runtime/bus.ts";
import { openKafkaBus } from "../../runtime/bus-kafka.ts";
import { every, systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { type Contestant, rateOf } from "../harness.ts";
import { type BenchRecord, consumption, createCount, inLanes } from "./records.ts";

export type Compression = "none" | "snappy";

export const topicOf = (name: string, partitions: number): TopicDefinition<never> =>
  topic({
    ...{ name, doc: "Records of one kind.", messages: [message("bench.record", "A record.", {})], partitions },
    ...{ retentionMs: 3_600_000, maxBytes: 1_048_576, group: null, keyOf: () => "", idOf: () => "" },
  });

/** With what the configuration has where nothing is configured. */
export const openBus = (address: string, compression: Compression): Bus =>
  openKafkaBus({
    access: {
      ...{ bootstrapServers: [address], clientId: "bench", addressMap: {}, ssl: false, sasl: null },
      ...{ connectTimeoutMs: 5_000, requestTimeoutMs: 30_000, retriesMax: 3, retryBackoffMs: 100 },
    },
    ...{ topics: {}, createTopics: true, replication: 1 },
    producer: { compression, acks: "all", idempotent: true, lingerMs: 10, batchBytes: 32_768 },
    group: {
      ...{ sessionTimeoutMs: consumption.sessionTimeoutMs, heartbeatMs: consumption.heartbeatMs },
      ...{ fetchBytes: consumption.partitionBytes, fetchMaxWaitMs: consumption.maxWaitMs },
    },
    ...{ writes: null, reads: [], clock: systemClock, log: silentLog },
  });

const outgoing =
  (name: string) =>
  ({ key, id, trace, value }: BenchRecord): Outgoing => ({ topic: name, key, id, type: "bench.record", trace, bytes: value });

export const fill = (bus: Bus, name: string, size: number): Promise<void> =>
  inLanes(size, (records) => bus.append(records.map(outgoing(name))));

export const ownSender = (bus: Bus, name: string, bytes: number): Contestant => ({
  name: "our driver",
  run: rateOf(async (size) => {
    await fill(bus, name, size);
    return size * bytes;
  }),
});

/** Takes records and commits what it has taken, as often as the way in of a stage does. */
export const ownConsumer = (bus: Bus, name: string, before: (size: number) => Promise<void>): Contestant => {
  let runs = 0;
  return {
    name: "our driver",
    async run(size) {
      await before(size);
      const count = createCount(size, () => systemClock.monotonicMs());
      const next = new Map<number, number>();
      const commit = async () => {
        const due = [...next];
        next.clear();
        await Promise.all(due.map(([partition, offset]) => consumer.commit(partition, offset)));
      };
      const consumer = await bus.consume(name, `${name}-own-${++runs}`, {
        assigned() {},
        revoked() {},
        record({ partition, offset, bytes }) {
          next.set(partition, offset + 1);
          count.take(bytes.length);
        },
      });
      const cancel = every(systemClock, consumption.commitMs, () => void commit().catch(() => {})); // the last one is waited for
      const { perSecond, bytes } = await count.done;
      cancel();
      await commit();
      await consumer.stop();
      return { values: [perSecond], hash: bytes };
    },
  };
};
