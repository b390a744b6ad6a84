/**
 * A bus that takes records while the one behind it is away (design rule 13): those that come from outside, not from a record of
 * another topic, since nothing else keeps them. They wait in a durable spool, and are acknowledged when they are in it. While
 * something of a partition waits, what comes for it goes behind; one batch of it is on its way at a time. So the order per key
 * holds; what was on the bus and not acknowledged may come to it twice, under one id.
 */
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Appended, Bus, Outgoing } from "./bus.ts";
import { isAway, whenUp } from "./bus-outage.ts";
import type { Cancel, Clock } from "./clock.ts";
import { Fault, reasonOf } from "./errors.ts";
import type { Log } from "./log.ts";
import { partitionOf } from "./partition.ts";
import type { SpoolRow, SpoolSize, SpoolStore } from "./spool.ts";

/** A record that is not acknowledged for so long waits in the spool instead; it may then be on the bus, too. */
const patienceMs = 5_000;
const batchRecords = 256;
const batchBytes = 1_048_576;
const retryMs = 1_000;

export type SpoolPorts = {
  readonly store: SpoolStore;
  /** Whether a topic's records come from outside. */
  readonly isSpooled: (topic: string) => boolean;
  /** Let go before others when room is short. */
  readonly isMinor: (record: Outgoing) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** The bus will never take these. */
  readonly dropped: (type: string, reason: string) => void;
  /** What waits has changed. */
  readonly measured: (size: SpoolSize) => void;
};

type Lane = {
  readonly name: string;
  /** Appends to the spool that are not durable yet. */
  readonly writing: Set<Promise<void>>;
  /** How many appends there were. */
  appends: number;
  draining: Promise<void> | null;
  /** So many of the next records go one by one: the bus will not take one of them. */
  alone: number;
  cancel: Cancel;
};

/** Closes `bus` and the store with it. */
export const spooled = (bus: Bus, ports: SpoolPorts): Bus => {
  const { store, isSpooled, isMinor, clock, log, dropped, measured } = ports;
  const topics = new Map<string, TopicDefinition<never>>();
  /** Those in which something waits. */
  const lanes = new Map<string, Lane>();
  let filledAtMs = clock.monotonicMs();
  /** Before its topics are known the bus refuses their records for good. */
  let isEnsured = false;
  let isFailing = false;
  let closed: Promise<void> | null = null;

  const laneOf = ({ topic, key }: Outgoing): string | null => {
    const definition = topics.get(topic);
    return definition ? `${topic}/${partitionOf(key, definition.partitions)}` : null;
  };
  const placeOf = ({ topic, key }: Outgoing): Appended => ({
    topic,
    partition: partitionOf(key, topics.get(topic)?.partitions ?? 1),
    offset: -1, // not on the bus yet
    duplicate: false,
  });

  const opened = (name: string): Lane => {
    const known = lanes.get(name);
    if (known) return known;
    if (lanes.size === 0) filledAtMs = clock.monotonicMs();
    const lane: Lane = { name, writing: new Set(), appends: 0, draining: null, alone: 0, cancel() {} };
    lanes.set(name, lane);
    return lane;
  };
  const emptied = (lane: Lane) => {
    lanes.delete(lane.name);
    if (lanes.size === 0) log.info("bus.spool-empty", { tookMs: Math.round(clock.monotonicMs() - filledAtMs) });
  };

  const keep = async (records: readonly Outgoing[]): Promise<readonly Appended[]> => {
    const named = records.map((record) => ({ ...record, lane: laneOf(record) ?? "", isMinor: isMinor(record) }));
    const into = [...new Set(named.map(({ lane }) => lane))].map(opened);
    const write = store.append(named);
    for (const lane of into) {
      lane.appends++;
      lane.writing.add(write);
    }
    try {
      await write;
    } finally {
      for (const lane of into) {
        lane.writing.delete(write);
        pump(lane);
      }
      measured(store.size());
    }
    return records.map(placeOf);
  };

  const pump = (lane: Lane) => {
    if (closed !== null || !isEnsured || lane.draining !== null) return;
    lane.cancel();
    if (bus.health().status !== "up") return later(lane);
    lane.draining = drain(lane)
      .catch((thrown) => {
        failed(thrown);
        later(lane);
      })
      .finally(() => {
        lane.draining = null;
      });
  };
  /** A bus that is away has said so itself; another reason is told of once until something is taken again. */
  const failed = (thrown: unknown) => {
    if (isFailing || closed !== null || bus.health().status !== "up") return;
    isFailing = true;
    log.warn("bus.append-failed", { driver: "spool", reason: reasonOf(thrown) });
  };
  const later = (lane: Lane) => {
    if (closed === null) lane.cancel = whenUp(bus, clock, retryMs, () => pump(lane));
  };

  const drain = async (lane: Lane): Promise<void> => {
    while (closed === null) {
      const { appends } = lane;
      const rows = await store.read(lane.name, lane.alone > 0 ? 1 : batchRecords, batchBytes);
      if (rows.length > 0) await deliver(lane, rows);
      else if (lane.writing.size > 0) await Promise.allSettled(lane.writing);
      else if (lane.appends === appends) return emptied(lane);
    }
  };

  const deliver = async (lane: Lane, rows: readonly SpoolRow[]): Promise<void> => {
    const through = rows.at(-1)?.seq ?? 0;
    try {
      await bus.append(rows.map(({ seq: _, ...record }) => record));
    } catch (thrown) {
      if (!isOfRecord(thrown)) throw thrown;
      if (rows.length > 1) {
        lane.alone = rows.length; // alone each shows whether it is the one
        return;
      }
      for (const { type } of rows) dropped(type, thrown instanceof Fault ? thrown.code : "error");
    }
    isFailing = false;
    if (lane.alone > 0) lane.alone--;
    await store.remove(lane.name, through);
    measured(store.size());
  };

  /** As the bus has them, unless it does not answer in time. */
  const direct = async (records: readonly Outgoing[]): Promise<readonly Appended[]> => {
    const copies = records.map((record) => ({ ...record, bytes: record.bytes.slice() }));
    const { promise, reject } = Promise.withResolvers<never>();
    const cancel = clock.after(patienceMs, () => reject(new Fault("unavailable", `no acknowledgement within ${patienceMs} ms`)));
    try {
      return await Promise.race([bus.append(copies), promise]);
    } catch (thrown) {
      if (!isAway(thrown) || closed !== null) throw thrown;
      return await track(keep(copies));
    } finally {
      cancel();
    }
  };

  /** Those that the spool still writes when the bus is closed. */
  const keeping = new Set<Promise<unknown>>();
  const track = <Answer>(work: Promise<Answer>): Promise<Answer> => {
    keeping.add(work);
    const done = () => void keeping.delete(work);
    work.then(done, done);
    return work;
  };

  const refuseIfClosed = () => {
    if (closed !== null) throw new Fault("unavailable", "the bus is closed");
  };

  const close = async () => {
    for (const lane of lanes.values()) lane.cancel();
    await bus.close();
    await Promise.allSettled([...lanes.values()].map(({ draining }) => draining));
    await Promise.allSettled(keeping);
    await store.close();
  };

  for (const name of store.lanes) opened(name);
  measured(store.size());

  return {
    ...bus,

    async ensure(definitions) {
      await bus.ensure(definitions);
      for (const definition of definitions) if (isSpooled(definition.name)) topics.set(definition.name, definition);
      isEnsured = true;
      for (const lane of lanes.values()) pump(lane);
    },

    async append(records) {
      refuseIfClosed();
      const sent = records.map((record, index) => ({ record, index, lane: laneOf(record) }));
      const parts = [
        { go: bus.append, of: sent.filter(({ lane }) => lane === null) },
        { go: direct, of: sent.filter(({ lane }) => lane !== null && !lanes.has(lane)) },
        {
          go: (behind: readonly Outgoing[]) => track(keep(behind)),
          of: sent.filter(({ lane }) => lane !== null && lanes.has(lane)),
        },
      ].filter(({ of }) => of.length > 0);
      const [only] = parts;
      if (only === undefined) return [];
      if (parts.length === 1) return only.go(records);
      const places: Appended[] = [];
      const put = async ({ go, of }: (typeof parts)[number]) => {
        const answers = await go(of.map(({ record }) => record));
        for (const [at, { index, record }] of of.entries()) places[index] = answers[at] ?? placeOf(record);
      };
      await Promise.all(parts.map(put));
      return places;
    },

    health() {
      const { status, detail, waits } = bus.health();
      const { records, bytes } = store.size();
      return {
        status,
        waits,
        detail: records === 0 ? detail : `${detail}; ${records} records (${bytes} bytes) wait in the spool`,
      };
    },

    close() {
      closed ??= close();
      return closed;
    },
  };
};

/** The record itself cannot be taken. Everything else, such as a right that is missing, may be mended. */
const isOfRecord = (thrown: unknown): boolean =>
  thrown instanceof Fault && (thrown.code === "too_large" || thrown.code === "invalid_field");
