/** The reading half of a bus whose log is in this process: consumer groups and followers over push delivery. */
import type { BusRecord, Consumer, ConsumerEvents, Position } from "./bus.ts";
import type { Clock } from "./clock.ts";
import { type ConsumerGroup, createConsumerGroup } from "./consumer-group.ts";
import { Fault, reasonOf } from "./errors.ts";
import type { Log } from "./log.ts";
import { type Fetched, openPartitionReader, type PartitionReader } from "./partition-reader.ts";

/** What the log answers. Answers come in a later task than the question. */
export type LogPorts = {
  /** Throws `Fault("not_found")` for a topic that was not ensured. */
  readonly partitions: (topic: string) => number;
  readonly fetch: (topic: string, partition: number, offset: number, limit: number) => Promise<Fetched>;
  /** The end of each partition, by number. */
  readonly ends: (topic: string) => Promise<readonly number[]>;
  readonly committed: (topic: string, group: string, partition: number) => Promise<number>;
  readonly commit: (topic: string, group: string, partition: number, offset: number) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly defer: (run: () => void) => void;
};

/** `abandon` ends a reader as a crash would: nothing is revoked, nothing more is delivered. */
export type Reader = Consumer & { readonly abandon: () => void };

export type BusReaders = {
  readonly consume: (topic: string, group: string, events: ConsumerEvents) => Reader;
  readonly follow: (topic: string, from: Position | "end" | "earliest", record: ConsumerEvents["record"]) => Promise<Reader>;
  /** Whether anyone wants to see what is appended to the partition. */
  readonly has: (topic: string, partition: number) => boolean;
  /** The partition ends at `next`; `appended` are its newest records. */
  readonly grown: (topic: string, partition: number, next: number, appended: readonly BusRecord[]) => void;
  /** The groups with a member here. */
  readonly joined: () => readonly { readonly topic: string; readonly group: string }[];
};

/** Adds the reader to `readers` until it has stopped. */
export const keepReader = (readers: Set<Reader>, reader: Reader): Reader => {
  const kept = {
    ...reader,
    async stop() {
      await reader.stop();
      readers.delete(kept);
    },
  };
  readers.add(kept);
  return kept;
};

type Group = { readonly topic: string; readonly name: string; readonly group: ConsumerGroup; members: number };

export const createBusReaders = (ports: LogPorts): BusReaders => {
  const readers = new Map<string, Set<PartitionReader>>();
  const groups = new Map<string, Group>();
  const placeOf = (topic: string, partition: number) => `${topic}/${partition}`;

  const open = (topic: string, partition: number, from: number, group: string, record: ConsumerEvents["record"]) => {
    const place = placeOf(topic, partition);
    const reader = openPartitionReader(from, {
      fetch: (offset, limit) => ports.fetch(topic, partition, offset, limit),
      record,
      failed: (reason) => ports.log.warn("consumer.failed", { topic, group, partition, reason: reasonOf(reason) }),
      clock: ports.clock,
      defer: ports.defer,
    });
    const open = readers.get(place) ?? new Set();
    readers.set(place, open.add(reader));
    const stop = () => {
      open.delete(reader);
      reader.stop();
    };
    return { ...reader, stop };
  };

  const groupOf = (topic: string, name: string): Group => {
    const key = `${topic}/${name}`;
    const known = groups.get(key);
    if (known) return known;
    const group = createConsumerGroup({
      topic,
      group: name,
      partitions: ports.partitions(topic),
      committed: (partition) => ports.committed(topic, name, partition),
      commit: (partition, offset) => ports.commit(topic, name, partition, offset),
      open: (partition, from, record) => open(topic, partition, from, name, record),
      clock: ports.clock,
      log: ports.log,
    });
    const made = { topic, name, group, members: 0 };
    groups.set(key, made);
    return made;
  };

  return {
    consume(topic, group, events) {
      const joined = groupOf(topic, group);
      joined.members++;
      const consumer = joined.group.join(events);
      let counted = true;
      const left = () => {
        if (counted) joined.members--;
        counted = false;
      };
      ports.log.info("consumer.joined", { group, topics: [topic] });
      return {
        ...consumer,
        stop() {
          left();
          return consumer.stop();
        },
        abandon() {
          left();
          consumer.abandon();
        },
      };
    },

    async follow(topic, from, record) {
      ports.partitions(topic);
      const ends = await ports.ends(topic);
      const startOf = (end: number, partition: number) => {
        if (from === "end") return end;
        return from === "earliest" ? 0 : Math.min(from[partition] ?? 0, end);
      };
      const opened = ends.map((end, partition) => open(topic, partition, startOf(end, partition), "", record));
      const abandon = () => {
        for (const reader of opened) reader.stop();
      };
      return {
        pause: (partition) => opened[partition]?.pause(),
        resume: (partition) => opened[partition]?.resume(),
        async commit() {
          throw new Fault("conflict", `a follower of ${topic} has no group to commit for`);
        },
        async stop() {
          abandon();
        },
        abandon,
      };
    },

    has: (topic, partition) => (readers.get(placeOf(topic, partition))?.size ?? 0) > 0,

    grown(topic, partition, next, appended) {
      for (const reader of readers.get(placeOf(topic, partition)) ?? []) reader.grown(next, appended);
    },

    joined: () => [...groups.values()].filter(({ members }) => members > 0).map(({ topic, name }) => ({ topic, group: name })),
  };
};
