/**
 * The bus: durable topics behind one port. Drivers: `bus-memory.ts`, `bus-sqlite.ts` (embedded log), Kafka.
 * All drivers keep one contract, `test/support/bus-contract.ts`.
 */
import type { TopicDefinition } from "../protocols/topic.ts";

export type Outgoing = {
  readonly topic: string;
  readonly key: string;
  /** Unique within the topic: appending an id again stores nothing and reports the first place. */
  readonly id: string;
  readonly type: string;
  readonly trace: string;
  readonly bytes: Uint8Array;
};

export type Place = { readonly topic: string; readonly partition: number; readonly offset: number };
export type Appended = Place & { readonly duplicate: boolean };
export type BusRecord = Outgoing &
  Place & {
    /** Never goes back within a partition. */
    readonly appendedAtMs: number;
    /** Why the driver could not understand the value, where another program wrote it in a form of its own. */
    readonly unreadable?: string;
  };

/** Where a reader stands: the next offset per partition. Partitions not named start at the earliest record. */
export type Position = Readonly<Record<number, number>>;

export type Consumer = {
  readonly pause: (partition: number) => void;
  readonly resume: (partition: number) => void;
  /**
   * Records below `offset` are done. Resolves when that is durable. A lower offset than the committed one changes nothing.
   * Rejects with `Fault("conflict")` for a partition that is not this consumer's; allowed until `revoked` has resolved.
   */
  readonly commit: (partition: number, offset: number) => Promise<void>;
  /** Leaves: nothing more is delivered, and each partition still held is revoked before it resolves. */
  readonly stop: () => Promise<void>;
};

export type ConsumerEvents = {
  /** A partition is now ours; deliveries of it start at `committed` after this returns. */
  readonly assigned: (partition: number, committed: number) => void | Promise<void>;
  /** The partition is no longer ours; finish or abandon its deliveries before this resolves. */
  readonly revoked: (partition: number) => void | Promise<void>;
  /**
   * All that this member holds, told each time the group has shared out anew, after what it says was revoked and assigned.
   * `broken` are those of them that another member may have held since this was told last. With the group out of reach
   * nothing is told.
   */
  readonly assignment?: (partitions: readonly number[], broken: readonly number[]) => void;
  /** One record, in order within its partition. After `pause` at most one batch (256) more may arrive. A throw repeats the record later. */
  readonly record: (record: BusRecord) => void;
};

export type TopicState = { readonly topic: string; readonly partition: number; readonly oldest: number; readonly next: number };

export type BusHealth = {
  readonly status: "up" | "away";
  readonly detail: string;
  /** Of each group with a member here that reads nothing yet: why. */
  readonly waits?: readonly string[] | undefined;
};

export type Bus = {
  readonly driver: "memory" | "sqlite" | "kafka";
  /** Creates missing topics; safe to call again. Must be called before a topic is used. */
  readonly ensure: (topics: readonly TopicDefinition<never>[]) => Promise<void>;
  /**
   * Resolves when every record is durable, in the order given; records of one call for one partition are stored together or not at all.
   * Rejects with `Fault("unavailable")` when the bus is away or full, `Fault("too_large")` when a record exceeds its topic's limit.
   */
  readonly append: (records: readonly Outgoing[]) => Promise<readonly Appended[]>;
  /** Joins `group`; a new group starts at the earliest record. No event comes before it resolves. */
  readonly consume: (topic: string, group: string, events: ConsumerEvents) => Promise<Consumer>;
  /**
   * Follows all partitions without a group; from the given offsets, else from the end as it is when this resolves.
   * A place that is pruned already means the earliest record, a place beyond the end means the end.
   */
  readonly follow: (topic: string, from: Position | "end" | "earliest", record: (record: BusRecord) => void) => Promise<Consumer>;
  /** Records of one partition from `offset` on, at most `limit` (1,000) and those stored when called; fewer when they pass 32 MiB together, none only at the end. */
  readonly read: (topic: string, partition: number, offset: number, limit: number) => Promise<readonly BusRecord[]>;
  /** The first offset of a partition whose record was appended at or after `sinceMs`; the end when there is none. */
  readonly offsetAt: (topic: string, partition: number, sinceMs: number) => Promise<number>;
  readonly states: (topic: string) => Promise<readonly TopicState[]>;
  /** The committed offset per partition of a group; 0 where none was committed. */
  readonly committed: (topic: string, group: string) => Promise<Position>;
  readonly health: () => BusHealth;
  /** Appends in progress end first. */
  readonly close: () => Promise<void>;
};
