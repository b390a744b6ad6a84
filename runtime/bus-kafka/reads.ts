/** Reads without a group: one partition from an offset on, and where partitions begin and end. */
import type { BusRecord, TopicState } from "../bus.ts";
import type { ClusterView } from "./cluster.ts";
import { asOutOfRange, fetchOnce } from "./fetch.ts";
import { decodeRecord, type Wire } from "./records.ts";
import type { KafkaTopic } from "./topic.ts";

const readLimit = 1_000;
const readBytesMax = 32 * 1_048_576;
const fetchBytes = 1_048_576;

export type Reads = {
  readonly read: (topic: KafkaTopic, partition: number, offset: number, limit: number) => Promise<readonly BusRecord[]>;
  readonly offsetAt: (topic: KafkaTopic, partition: number, sinceMs: number) => Promise<number>;
  readonly states: (topic: KafkaTopic) => Promise<readonly TopicState[]>;
};

export const createReads = (cluster: ClusterView, wire: Wire): Reads => {
  type From = { readonly fromBeginning: boolean } | { readonly fromTimestamp: number };
  const offsets = (topic: KafkaTopic, partitions: readonly number[], from: From): Promise<ReadonlyMap<number, number>> =>
    cluster.ask(`offsets of ${topic.name}`, topic.name, async (client) => {
      const asked = { topic: topic.name, partitions: partitions.map((partition) => ({ partition })) };
      const [answer] = await client.fetchTopicsOffset([{ ...asked, ...from } as never]); // one of the two, which its type cannot say
      return new Map(answer?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  const endsOf = async (topic: KafkaTopic, partitions: readonly number[]) => {
    const [first, end] = await Promise.all([
      offsets(topic, partitions, { fromBeginning: true }),
      offsets(topic, partitions, { fromBeginning: false }),
    ]);
    return partitions.map((partition) => ({ partition, oldest: first.get(partition) ?? 0, next: end.get(partition) ?? 0 }));
  };

  const readFrom = async (topic: KafkaTopic, partition: number, from: number, limit: number): Promise<BusRecord[]> => {
    const records: BusRecord[] = [];
    let bytes = 0;
    let offset = from;
    let end = Number.MAX_SAFE_INTEGER;
    while (offset < end && records.length < limit && bytes < readBytesMax) {
      const [batch] = await cluster.ask(`read of ${topic.name}/${partition}`, topic.name, (client) =>
        fetchOnce(client, topic, [{ partition, offset }], { maxWaitMs: 0, maxBytes: limit === 1 ? 1 : fetchBytes }),
      );
      if (batch === undefined) break;
      end = Math.min(end, batch.end);
      if (batch.next <= offset) break;
      for (const raw of batch.messages) {
        if (records.length === limit || Number(raw.offset) >= end) break;
        const record = decodeRecord(raw, topic, partition, wire);
        records.push(record);
        bytes += record.bytes.length;
      }
      offset = batch.next;
    }
    return records;
  };

  return {
    async read(topic, partition, offset, limit) {
      const count = Math.min(limit, readLimit);
      try {
        return await readFrom(topic, partition, Math.max(0, offset), count);
      } catch (thrown) {
        if (asOutOfRange(thrown) === null) throw thrown;
        const [state] = await endsOf(topic, [partition]);
        return state === undefined || offset >= state.next ? [] : readFrom(topic, partition, state.oldest, count);
      }
    },

    async offsetAt(topic, partition, sinceMs) {
      const found = await offsets(topic, [partition], { fromTimestamp: Math.max(0, Math.floor(sinceMs)) });
      const offset = found.get(partition) ?? -1;
      if (offset >= 0) return offset;
      return (await endsOf(topic, [partition]))[0]?.next ?? 0;
    },

    async states(topic) {
      const partitions = Array.from({ length: topic.partitions }, (_, partition) => partition);
      return (await endsOf(topic, partitions)).map((state) => ({ topic: topic.definition.name, ...state }));
    },
  };
};
