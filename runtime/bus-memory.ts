/**
 * The bus in memory, for tests, simulation and trials without a disk. A broker outlives its buses, so a process may crash
 * and come back to the same log; every answer and delivery goes through `defer`, so a simulator orders them.
 */
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Appended, Bus, Outgoing, Position } from "./bus.ts";
import { createTopicLog, type TopicLog } from "./bus-memory/topic-log.ts";
import { type BusReaders, createBusReaders, keepReader, type Reader } from "./bus-readers.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./errors.ts";
import { type Log, silentLog } from "./log.ts";
import { refuseOversized } from "./record-limits.ts";

const retainEveryMs = 1_000;
const readLimit = 1_000;

export type MemoryBrokerOptions = {
  readonly clock: Clock;
  readonly log?: Log;
  /** Runs a step later; `clock.after(0, …)` when not given. */
  readonly defer?: (run: () => void) => void;
  /** Appends are refused from here on; 256 MiB when not given. From nine tenths on what is committed goes, oldest first. */
  readonly maxBytes?: number;
};

export type MemoryBus = Bus & {
  /** Ends as `kill -9` does: appends not stored are lost, nothing settles, nothing is revoked or delivered any more. */
  readonly crash: () => void;
};

export type MemoryBroker = {
  /** One more process on the broker. */
  readonly open: () => MemoryBus;
  /** Everything fails with `Fault("unavailable")`, even an append that was stored and not yet acknowledged. */
  readonly away: () => void;
  readonly back: () => void;
};

export const createMemoryBroker = (options: MemoryBrokerOptions): MemoryBroker => {
  const log = options.log ?? silentLog;
  const defer = options.defer ?? ((run: () => void) => void options.clock.after(0, run));
  let isAway = false;
  const storage = createStorage(options.clock, options.maxBytes ?? 256 * 1_048_576);

  const later = <Answer>(answer: () => Answer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      defer(() => {
        try {
          if (isAway) throw new Fault("unavailable", "the broker is away");
          resolve(answer());
        } catch (thrown) {
          reject(thrown);
        }
      });
    });

  const readers = createBusReaders({
    partitions: (topic) => storage.topic(topic).definition.partitions,
    fetch: (topic, partition, offset, limit) => later(() => storage.topic(topic).read(partition, offset, limit)),
    ends: (topic) => later(() => storage.topic(topic).ends()),
    committed: (topic, group, partition) => later(() => storage.committed(topic, group)[partition] ?? 0),
    commit: (topic, group, partition, offset) => later(() => storage.commit(topic, group, partition, offset)),
    clock: options.clock,
    log,
    defer,
  });

  return {
    open: () => openBus({ storage, readers, log, defer, later, isAway: () => isAway }),
    away() {
      if (!isAway) log.warn("bus.away", { driver: "memory" });
      isAway = true;
    },
    back() {
      if (isAway) log.info("bus.back", { driver: "memory" });
      isAway = false;
    },
  };
};

/** What is left of a broker when every process is gone. */
type Storage = ReturnType<typeof createStorage>;

const createStorage = (clock: Clock, maxBytes: number) => {
  const topics = new Map<string, TopicLog>();
  /** Offsets by topic, then group. A group counts from the moment it is named. */
  const groups = new Map<string, Map<string, number[]>>();
  let retainedAtMs = Number.NEGATIVE_INFINITY;

  const topic = (name: string): TopicLog => {
    const found = topics.get(name);
    if (!found) throw new Fault("not_found", `topic ${name} is unknown to the bus: ensure it first`);
    return found;
  };
  const know = (name: string, group: string): number[] => {
    const known = groups.get(name) ?? new Map<string, number[]>();
    groups.set(name, known);
    const offsets = known.get(group) ?? Array<number>(topic(name).definition.partitions).fill(0);
    known.set(group, offsets);
    return offsets;
  };
  const floorOf = (name: string) => (partition: number) =>
    Math.min(Number.POSITIVE_INFINITY, ...[...(groups.get(name)?.values() ?? [])].map((offsets) => offsets[partition] ?? 0));
  const sizeBytes = () => [...topics.values()].reduce((sum, each) => sum + each.sizeBytes(), 0);

  const retain = () => {
    const nowMs = clock.nowMs();
    if (sizeBytes() >= 0.9 * maxBytes) shrink();
    if (nowMs - retainedAtMs < retainEveryMs && nowMs >= retainedAtMs) return;
    retainedAtMs = nowMs;
    for (const [name, each] of topics) each.expire(nowMs, floorOf(name));
  };
  const shrink = () => {
    while (sizeBytes() >= 0.9 * maxBytes) {
      const [oldest] = [...topics]
        .map(([name, each]) => ({ name, each, atMs: each.oldestAtMs(floorOf(name)) ?? Number.POSITIVE_INFINITY }))
        .filter(({ atMs }) => atMs < Number.POSITIVE_INFINITY)
        .sort((left, right) => left.atMs - right.atMs);
      if (!oldest) return;
      oldest.each.dropOldest(floorOf(oldest.name));
    }
  };

  return {
    topic(name: string): TopicLog {
      retain();
      return topic(name);
    },
    ensure(definition: TopicDefinition<never>): boolean {
      if (topics.has(definition.name)) return false;
      topics.set(definition.name, createTopicLog(definition));
      if (definition.group !== null) know(definition.name, definition.group);
      return true;
    },
    know,
    committed: (name: string, group: string): readonly number[] =>
      groups.get(name)?.get(group) ?? Array<number>(topic(name).definition.partitions).fill(0),
    commit(name: string, group: string, partition: number, offset: number): void {
      const offsets = know(name, group);
      offsets[partition] = Math.max(offsets[partition] ?? 0, offset);
    },
    full(): string | null {
      retain();
      return sizeBytes() >= maxBytes ? `full: ${sizeBytes()} of ${maxBytes} bytes hold records that are not processed` : null;
    },
    append: (records: readonly Outgoing[]): readonly Appended[] =>
      records.map((record) => topic(record.topic).append(record, clock.nowMs())),
  };
};

type BusPorts = {
  readonly storage: Storage;
  readonly readers: BusReaders;
  readonly log: Log;
  readonly defer: (run: () => void) => void;
  readonly later: <Answer>(answer: () => Answer) => Promise<Answer>;
  readonly isAway: () => boolean;
};

type Call = {
  readonly records: readonly Outgoing[];
  readonly resolve: (appended: readonly Appended[]) => void;
  readonly reject: (reason: Fault) => void;
};

const openBus = ({ storage, readers, log, defer, later, isAway }: BusPorts): MemoryBus => {
  const consumers = new Set<Reader>();
  let state: "open" | "closing" | "crashed" = "open";
  /** Appends not yet stored, in order of the calls, whatever the order of the deferred steps. */
  let queue: Call[] = [];
  let open = 0;
  let drained = Promise.withResolvers<void>();

  const refuseIfClosed = () => {
    if (state !== "open") throw new Fault("unavailable", "the bus is closed");
  };
  const settle = (call: Call, appended: readonly Appended[] | Fault) => {
    if (state === "crashed") return;
    if (appended instanceof Fault) call.reject(appended);
    else call.resolve(appended);
    if (--open === 0) drained.resolve();
  };
  const storeNext = () => {
    const call = queue.shift();
    if (!call) return;
    const refusal = isAway() ? "the broker is away" : storage.full();
    if (refusal !== null) return settle(call, new Fault("unavailable", refusal));
    const appended = storage.append(call.records);
    for (const { topic, partition, first } of firstsOf(appended)) {
      const { records, next } = storage.topic(topic).read(partition, first, Number.POSITIVE_INFINITY);
      readers.grown(topic, partition, next, records);
    }
    defer(() => settle(call, isAway() ? new Fault("unavailable", "the broker went away before it answered") : appended));
  };

  return {
    driver: "memory",

    async ensure(topics) {
      refuseIfClosed();
      const made = topics.filter((topic) => storage.ensure(topic)).map(({ name }) => name);
      if (made.length > 0) log.info("bus.ready", { driver: "memory", topics: made });
    },

    async append(records) {
      refuseIfClosed();
      for (const record of records) refuseOversized(record, storage.topic(record.topic).definition.maxBytes);
      if (records.length === 0) return [];
      // A record's bytes are often a view into a larger buffer that is used again.
      const copies = records.map((record) => ({ ...record, bytes: record.bytes.slice() }));
      if (open++ === 0) drained = Promise.withResolvers();
      return new Promise((resolve, reject) => {
        queue.push({ records: copies, resolve, reject });
        defer(storeNext);
      });
    },

    async consume(topic, group, events) {
      refuseIfClosed();
      storage.know(topic, group);
      return keepReader(consumers, readers.consume(topic, group, events));
    },

    async follow(topic, from, record) {
      refuseIfClosed();
      return keepReader(consumers, await readers.follow(topic, from, record));
    },

    read: (topic, partition, offset, limit) =>
      later(() => storage.topic(topic).read(partition, offset, Math.min(limit, readLimit)).records),
    offsetAt: (topic, partition, sinceMs) => later(() => storage.topic(topic).offsetAt(partition, sinceMs)),
    states: (topic) => later(() => storage.topic(topic).states()),
    committed: (topic, group) => later((): Position => ({ ...storage.committed(topic, group) })),

    health() {
      const detail = state !== "open" ? "closed" : isAway() ? "the broker is away" : storage.full();
      return detail === null ? { status: "up", detail: "in memory" } : { status: "away", detail };
    },

    async close() {
      if (state === "crashed") return;
      state = "closing";
      if (open > 0) await drained.promise;
      await Promise.all([...consumers].map((consumer) => consumer.stop()));
    },

    crash() {
      state = "crashed";
      queue = [];
      for (const consumer of consumers) consumer.abandon();
      consumers.clear();
    },
  };
};

/** The first fresh offset of each partition of one call. */
const firstsOf = (appended: readonly Appended[]) => {
  const firsts = new Map<string, { topic: string; partition: number; first: number }>();
  for (const { topic, partition, offset, duplicate } of appended) {
    const place = `${topic}/${partition}`;
    if (!duplicate && !firsts.has(place)) firsts.set(place, { topic, partition, first: offset });
  }
  return firsts.values();
};
