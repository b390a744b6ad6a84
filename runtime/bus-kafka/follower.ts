/** Follows the partitions of a topic without a group: one long fetch per leading broker, over and over. */
import type { Cluster } from "kafkajs";
import type { BusRecord, Consumer, ConsumerEvents } from "../bus.ts";
import { delay } from "../clock.ts";
import { Fault, reasonOf } from "../errors.ts";
import { openPartitionReader, type PartitionReader } from "../partition-reader.ts";
import { type Channel, createChannel } from "./channel.ts";
import { type ClusterPorts, openCluster } from "./cluster.ts";
import { asOutOfRange, type FetchLimits, fetchFrom, leadersOf } from "./fetch.ts";
import { decodeRecord, type Wire } from "./records.ts";
import type { KafkaTopic } from "./topic.ts";

export type FollowerPorts = ClusterPorts & {
  readonly wire: Wire;
  readonly limits: FetchLimits;
  /** Where a partition begins and ends. */
  readonly range: (partition: number) => Promise<{ readonly oldest: number; readonly next: number }>;
};

type Followed = { readonly partition: number; readonly reader: PartitionReader; readonly channel: Channel; offset: number };

const retryMs = { first: 100, cap: 5_000 };

export const followTopic = (
  topic: KafkaTopic,
  starts: readonly number[],
  record: ConsumerEvents["record"],
  ports: FollowerPorts,
): Consumer => {
  // A long fetch holds up whatever else goes over its connection.
  const view = openCluster(ports);
  const doing = `follow of ${topic.name}`;
  let stopped = false;
  let wake = Promise.withResolvers<void>();
  const changed = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };

  const followed: readonly Followed[] = starts.map((offset, partition) => {
    const channel = createChannel(changed);
    const reader = openPartitionReader(offset, {
      fetch: () => channel.take(),
      record,
      failed: (reason) =>
        ports.log.warn("consumer.failed", { topic: topic.definition.name, group: "", partition, reason: reasonOf(reason) }),
      clock: ports.clock,
      defer: setImmediate,
    });
    return { partition, channel, reader, offset };
  });

  /** From one broker until it fails or no longer leads. */
  const followLeader = async (cluster: Cluster, nodeId: string, partitions: readonly number[], isOver: () => boolean) => {
    const led = followed.filter(({ partition }) => partitions.includes(partition));
    while (!isOver()) {
      const wanted = led.filter(({ channel }) => !channel.isFull());
      if (wanted.length === 0) {
        await wake.promise;
        continue;
      }
      const batches = await fetchFrom(cluster, nodeId, topic, wanted, ports.limits);
      for (const { partition, messages, next } of batches) {
        const target = wanted.find((each) => each.partition === partition);
        if (target === undefined || isOver()) continue;
        target.offset = next;
        target.channel.push(messages.map((raw): BusRecord => decodeRecord(raw, topic, partition, ports.wire)));
      }
    }
  };

  const followAll = (cluster: Cluster): Promise<void> => {
    let over = false;
    const isOver = () => over || stopped;
    const leaders = leadersOf(
      cluster,
      topic,
      followed.map(({ partition }) => partition),
    );
    const loops = [...leaders].map(([nodeId, partitions]) => followLeader(cluster, nodeId, partitions, isOver));
    return Promise.race(loops).finally(() => {
      over = true;
      changed();
      for (const loop of loops) loop.catch(() => {}); // the first reason is enough
    });
  };

  /** A place that is pruned means the earliest record, one beyond the end means the end. */
  const moveIntoRange = async (partition: number) => {
    const target = followed[partition];
    if (target === undefined) return;
    const { oldest, next } = await ports.range(partition);
    target.offset = target.offset < oldest ? oldest : next;
  };

  const run = async () => {
    for (let failures = 0; !stopped; ) {
      const offsetsBefore = followed.map(({ offset }) => offset).join();
      try {
        const cluster = await view.ask(doing, topic.name, async (connected) => {
          await connected.refreshMetadata();
          return connected;
        });
        await Promise.race([followAll(cluster), stopping.promise]);
      } catch (thrown) {
        if (stopped) return;
        view.failed(doing, thrown);
        const partition = asOutOfRange(thrown);
        if (partition !== null) await moveIntoRange(partition).catch(() => {}); // asked again with the next failure
        failures = offsetsBefore === followed.map(({ offset }) => offset).join() ? failures + 1 : 0;
        await delay(ports.clock, Math.min(retryMs.cap, retryMs.first * 2 ** failures));
        await Promise.race([ports.outage.over(), stopping.promise]);
      }
    }
  };
  const stopping = Promise.withResolvers<void>();
  void run();

  return {
    pause: (partition) => followed[partition]?.reader.pause(),
    resume: (partition) => followed[partition]?.reader.resume(),
    async commit() {
      throw new Fault("conflict", `a follower of ${topic.definition.name} has no group to commit for`);
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      for (const { reader } of followed) reader.stop();
      stopping.resolve();
      changed();
      await view.close();
    },
  };
};
