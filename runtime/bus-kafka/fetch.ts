/** One fetch request without a group, to the brokers that lead the partitions asked for. */
import type { Cluster } from "kafkajs";
import { Fault } from "../errors.ts";
import { Batch, type RawRecord } from "./kafkajs.ts";
import type { KafkaTopic } from "./topic.ts";

const readCommitted = 1;
const responseBytes = 10 * 1_048_576;

export type FetchPlace = { readonly partition: number; readonly offset: number };
export type FetchLimits = {
  /** How long the broker may wait for a first record. */
  readonly maxWaitMs: number;
  /** Per partition; a first batch larger than this comes all the same. */
  readonly maxBytes: number;
};
export type FetchedBatch = {
  readonly partition: number;
  readonly messages: readonly RawRecord[];
  /** Where the next fetch goes on: control records and compacted ones are passed over. */
  readonly next: number;
  /** The end of the partition when it was read. */
  readonly end: number;
};

type Answer = {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly PartitionAnswer[] }[];
};
type PartitionAnswer = {
  readonly partition: number;
  readonly highWatermark: string;
  readonly messages: readonly { readonly offset: string }[];
};

/** From one broker, the leader of all `places`. */
export const fetchFrom = async (
  cluster: Cluster,
  nodeId: string,
  { name }: KafkaTopic,
  places: readonly FetchPlace[],
  { maxWaitMs, maxBytes }: FetchLimits,
): Promise<readonly FetchedBatch[]> => {
  const broker = await cluster.findBroker({ nodeId });
  const answer: Answer = await broker.fetch({
    isolationLevel: readCommitted,
    maxWaitTime: maxWaitMs,
    minBytes: 1,
    maxBytes: responseBytes,
    topics: [
      {
        topic: name,
        partitions: places.map(({ partition, offset }) => ({ partition, fetchOffset: String(offset), maxBytes })),
      },
    ],
  });
  return answer.responses.flatMap(({ topicName, partitions }) =>
    partitions.flatMap((data) => {
      const asked = places.find(({ partition }) => partition === data.partition);
      if (asked === undefined) return [];
      const batch = new Batch(topicName, String(asked.offset), data);
      const last = data.messages.at(-1);
      const next = last === undefined ? asked.offset : Math.max(asked.offset, Number(last.offset) + 1);
      return [{ partition: data.partition, messages: batch.messages, next, end: Number(data.highWatermark) }];
    }),
  );
};

/** The places by the broker that leads them; throws when one has no leader at the moment. */
export const leadersOf = (
  cluster: Cluster,
  { name }: KafkaTopic,
  partitions: readonly number[],
): ReadonlyMap<string, number[]> => {
  const leaders = new Map(Object.entries(cluster.findLeaderForPartitions(name, [...partitions])));
  const found = [...leaders.values()].reduce((sum, { length }) => sum + length, 0);
  if (found < partitions.length || leaders.has("-1"))
    throw new Fault("unavailable", `${name} has partitions without a leader`, { details: { reason: "no_leader" } });
  return leaders;
};

export const fetchOnce = async (
  cluster: Cluster,
  topic: KafkaTopic,
  places: readonly FetchPlace[],
  limits: FetchLimits,
): Promise<readonly FetchedBatch[]> => {
  const leaders = leadersOf(
    cluster,
    topic,
    places.map(({ partition }) => partition),
  );
  const answers = await Promise.all(
    [...leaders].map(([nodeId, partitions]) =>
      fetchFrom(
        cluster,
        nodeId,
        topic,
        places.filter(({ partition }) => partitions.includes(partition)),
        limits,
      ),
    ),
  );
  return answers.flat();
};

/** The partition whose offset is not in the log; null for any other error. */
export const asOutOfRange = (thrown: unknown): number | null => {
  for (let each: unknown = thrown, depth = 0; typeof each === "object" && each !== null && depth < 5; depth++) {
    const { type, partition, cause } = each as { type?: unknown; partition?: unknown; cause?: unknown }; // looked at one by one
    if (type === "OFFSET_OUT_OF_RANGE") return typeof partition === "number" ? partition : -1;
    each = cause;
  }
  return null;
};
