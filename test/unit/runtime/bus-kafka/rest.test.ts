/** The rest of a member with nothing to fetch, on kafkajs's own class: it fails when a version keeps its fetch elsewhere. */
import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import "../../../../runtime/bus-kafka/kafkajs.ts";
import { within } from "../../../support/wait.ts";

const ConsumerGroup = createRequire(import.meta.url)("kafkajs/src/consumer/consumerGroup.js");
const log = { info() {}, debug() {}, namespace: () => log };
const partition = [{ topic: "t", partitions: [0] }];

/** A member that has one partition, led by broker 1, and rests for `maxWaitTimeInMs`. */
const build = (maxWaitTimeInMs: number) => {
  const asked: unknown[] = [];
  let refreshed = 0;
  const broker = {
    async fetch({ topics }: { topics: { partitions: { partition: number }[] }[] }) {
      asked.push(topics.flatMap(({ partitions }) => partitions.map((each) => each.partition)));
      return { responses: [] };
    },
  };
  const cluster = {
    refreshMetadataIfNecessary: async () => void refreshed++,
    findTopicPartitionMetadata: () => [{ partitionId: 0, leader: 1 }],
    findBroker: async () => broker,
  };
  const group = new ConsumerGroup({ logger: log, cluster, topics: ["t"], maxWaitTimeInMs });
  group.subscriptionState.assign(partition);
  group.offsetManager = { resolveOffsets() {}, committedOffsets: () => ({ t: { 0: "5" } }), nextOffset: () => "5" };
  return { group, asked, refreshed: () => refreshed };
};

test("a rest ends when a partition is resumed, and that is fetched", async () => {
  const { group, asked } = build(60_000);
  group.pause(partition);
  let isDone = false;
  const fetched = group.fetch(1).then(() => (isDone = true));
  await new Promise((resolve) => setImmediate(resolve)); // kafkajs has begun its own rest by then
  expect([isDone, asked]).toEqual([false, []]);
  group.resume(partition);
  await within(2_000, "the fetch", () => isDone);
  await fetched;
  expect(asked).toEqual([[0]]);
});

test("a rest that nothing ends is over in time, asks for nothing, and looks at the metadata as a fetch does", async () => {
  const { group, asked, refreshed } = build(20);
  group.pause(partition);
  expect(await group.fetch(1)).toEqual([]);
  expect([asked, refreshed()]).toEqual([[], 1]);
});

test("what has a partition to fetch does not rest, and a topic that changed meanwhile is noticed after a rest", async () => {
  const { group, asked } = build(60_000);
  await group.fetch(1);
  expect(asked).toEqual([[0]]);

  const changed = build(20).group;
  const told: unknown[] = [];
  changed.partitionsPerSubscribedTopic = new Map([["t", []]]);
  changed.recoverFromFetch = async (thrown: Error) => void told.push(thrown.name);
  changed.pause(partition);
  expect(await changed.fetch(1)).toEqual([]);
  expect(told).toEqual(["KafkaJSStaleTopicMetadataAssignment"]);
});
