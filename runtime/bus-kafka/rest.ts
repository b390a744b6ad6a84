/**
 * A member whose partitions of a broker are all paused has nothing to ask it for, and kafkajs then rests for the time of a
 * long fetch, whatever happens. So a new owner would begin that much later: its partitions are paused until it has accepted
 * them. Here the rest ends when a partition is resumed.
 */
import { systemClock } from "../clock.ts";

type TopicPartitions = { readonly topic: string; readonly partitions: readonly number[] };
/** The part of kafkajs's ConsumerGroup that is used. */
export type FetchingGroup = {
  readonly maxWaitTime: number;
  readonly cluster: { readonly refreshMetadataIfNecessary: () => Promise<void> };
  readonly assigned: () => readonly TopicPartitions[];
  readonly isPaused: (topic: string, partition: number) => boolean;
  readonly filterPartitionsByNode: (nodeId: number, of: readonly TopicPartitions[]) => readonly TopicPartitions[];
  readonly checkForStaleAssignment: () => void;
  readonly recoverFromFetch: (thrown: unknown) => Promise<void>;
};
type Fetch = (this: FetchingGroup, nodeId: number) => Promise<unknown[]>;
type Resume = (this: FetchingGroup, partitions: readonly TopicPartitions[]) => void;
type Prototype = { fetch?: Fetch; resume?: Resume };

const isAllPaused = (group: FetchingGroup, nodeId: number): boolean => {
  try {
    const led = group.filterPartitionsByNode(nodeId, group.assigned()).filter(({ partitions }) => partitions.length > 0);
    return led.length > 0 && led.every(({ topic, partitions }) => partitions.every((each) => group.isPaused(topic, each)));
  } catch {
    return false; // its metadata is not right, which the fetch itself finds out and mends
  }
};

export const mendRest = (prototype: Prototype): void => {
  const { fetch, resume } = prototype;
  if (typeof fetch !== "function" || typeof resume !== "function")
    throw new Error("kafkajs has no ConsumerGroup.fetch and .resume to mend");
  const resting = new WeakMap<FetchingGroup, Set<() => void>>();

  /** Whether it was roused. */
  const rest = (group: FetchingGroup): Promise<boolean> =>
    new Promise((resolve) => {
      const rousers = resting.get(group) ?? new Set();
      resting.set(group, rousers);
      const end = (isRoused: boolean) => {
        rousers.delete(rouse);
        cancel();
        resolve(isRoused);
      };
      const rouse = () => end(true);
      const cancel = systemClock.after(group.maxWaitTime, () => end(false));
      rousers.add(rouse);
    });

  prototype.fetch = async function (nodeId) {
    if (!isAllPaused(this, nodeId) || (await rest(this))) return fetch.call(this, nodeId);
    try {
      // What a fetch of nothing does before it rests.
      await this.cluster.refreshMetadataIfNecessary();
      this.checkForStaleAssignment();
    } catch (thrown) {
      await this.recoverFromFetch(thrown);
    }
    return [];
  };
  prototype.resume = function (partitions) {
    resume.call(this, partitions);
    for (const rouse of [...(resting.get(this) ?? [])]) rouse();
  };
};
