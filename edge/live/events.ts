/**
 * What must not be lost on its way to viewers: the records of the topic `incidents`. Each edge follows all partitions by itself
 * and commits nothing. The newest ones stay at hand, so that a client that comes back is served without asking the bus.
 */
import { createCodec } from "../../protocols/codec.ts";
import type { Incident } from "../../protocols/incident.ts";
import { topics } from "../../protocols/topics.ts";
import type { RiskUpdate } from "../../protocols/verdict.ts";
import type { StreamType } from "../../protocols/websocket.ts";
import type { Bus, BusRecord, Consumer, Position } from "../../runtime/bus.ts";
import { whenUp } from "../../runtime/bus-outage.ts";
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import { formatCursor } from "./cursor.ts";
import { framed, once, type Wire } from "./wire.ts";

export type LiveEvent = {
  readonly type: StreamType;
  readonly cameraId: number;
  readonly partition: number;
  readonly offset: number;
  readonly appendedAtMs: number;
  /** Unique: a record that comes twice is told once. */
  readonly id: string;
  /** Null where it tells of an incident. */
  readonly update: RiskUpdate | null;
  /** What it takes in memory, about. */
  readonly bytes: number;
  /** The whole frame, with the cursor behind this event. */
  readonly wire: Wire;
};

export type Replay = {
  readonly events: readonly LiveEvent[];
  /** Events that will not be brought: too many, or -1 for beyond retention. */
  readonly missed: number;
  /** What is not among them and comes later is behind this one. */
  readonly cursor: string;
  /** Some of it is there already, and is brought by a replay from the cursor. */
  readonly more: boolean;
};

export type LiveEvents = {
  /** Follows the topic; without the bus it goes on trying. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly cursor: () => string;
  /**
   * Events after `from`, oldest first, about `replayMax` at a time. Asks the bus only for what is no longer at hand. Before the
   * topic is followed it is not known what those are: it waits.
   */
  readonly replay: (from: Position) => Replay | Promise<Replay>;
  readonly latest: (cameraId: number) => RiskUpdate | null;
  readonly find: (messageId: string) => LiveEvent | null;
  /** Why the topic is not followed; null when it is. */
  readonly trouble: () => string | null;
};

export type LiveEventsPorts = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly publish: (event: LiveEvent) => void;
};

const topic = topics.incidents;
const keptMax = 2_000;
const keptMaxBytes = 16 * 1024 * 1024;
const camerasMax = 10_000;
export const replayMax = 500;
/** A client that lacks more of one partition gets the newest of them. */
const backMax = 2_000;
/** Records per partition that are read again at start, so that the first viewers see what was said last. */
const preload = 32;
const retryMinMs = 1_000;
const retryMaxMs = 30_000;

/** The newest events, by count and bytes, and the position from which they are complete. */
const createRing = () => {
  let events: LiveEvent[] = [];
  let bytes = 0;
  const ids = new Set<string>();
  const floor: Record<number, number> = {};
  return {
    floor,
    has: (id: string) => ids.has(id),
    push(event: LiveEvent) {
      events.push(event);
      ids.add(event.id);
      bytes += event.bytes;
      if (events.length <= keptMax && bytes <= keptMaxBytes) return;
      // A quarter at once, so that a full ring does not move its entries with each event.
      const gone = events.splice(0, Math.ceil(events.length / 4));
      for (const old of gone) {
        bytes -= old.bytes;
        ids.delete(old.id);
        floor[old.partition] = old.offset + 1;
      }
    },
    after: (from: Position) => events.filter(({ partition, offset }) => offset >= (from[partition] ?? 0)),
    find: (messageId: string) => events.findLast(({ update }) => update?.messageId === messageId) ?? null,
    clear() {
      events = [];
    },
  };
};

/** One read of the bus may bring less than it was asked for. */
const readRange = async (bus: Bus, name: string, partition: number, begin: number, end: number): Promise<BusRecord[]> => {
  const records: BusRecord[] = [];
  for (let offset = begin; offset < end; ) {
    const batch = await bus.read(name, partition, offset, end - offset);
    const last = batch.at(-1);
    if (!last) break; // taken by retention meanwhile
    records.push(...batch.filter((record) => record.offset < end));
    offset = last.offset + 1;
  }
  return records;
};

export const createLiveEvents = ({ bus, clock, log, metrics, publish }: LiveEventsPorts): LiveEvents => {
  const codec = createCodec(topic.messages);
  const ring = createRing();
  const position: Record<number, number> = {};
  const latest = new Map<number, RiskUpdate>();
  /** Records below are from before the start: shown on request, but not measured. */
  let startedAt: Position = {};
  let consumer: Consumer | null = null;
  let trouble: string | null = "the events are not followed yet";
  const following = Promise.withResolvers<void>();
  let stopped = false;
  let cancelRetry: Cancel = () => {};

  const read = (record: BusRecord, cursor: string): LiveEvent | null => {
    const decoded = codec.read(record.type, record.bytes);
    if (!decoded.ok) {
      metrics.dropped.inc({ actor: "live", type: "event", reason: decoded.failure.code });
      return null;
    }
    const message = decoded.message as RiskUpdate | Incident; // the codec knows no other message
    const { type, ...data } = message;
    const { partition, offset, appendedAtMs } = record;
    const body = record.bytes.slice(); // what is read is a view on the bytes of a whole batch
    const wire: Wire = {
      json: once(() => JSON.stringify({ type, data: { ...data, cursor } })),
      msgpack: once(() => framed(type, body, { cursor })),
    };
    const { cameraId } = message;
    const update = message.type === "risk_update" ? message : null;
    const id = topic.idOf(message);
    return { type, id, cameraId, partition, offset, appendedAtMs, update, bytes: 4 * body.byteLength, wire };
  };

  const noteUpdate = (update: RiskUpdate, isNew: boolean): void => {
    const { cameraId, capturedAt } = update;
    const before = latest.get(cameraId);
    if (!before || before.capturedAt <= capturedAt) latest.set(cameraId, update);
    if (latest.size > camerasMax) latest.delete(latest.keys().next().value ?? 0);
    if (isNew) metrics.captureToVerdict.observe(Math.max(0, clock.nowMs() - capturedAt) / 1000);
  };

  const take = (record: BusRecord): void => {
    position[record.partition] = record.offset + 1;
    const event = read(record, formatCursor(position));
    if (!event || ring.has(event.id)) return;
    ring.push(event);
    if (event.update) noteUpdate(event.update, record.offset >= (startedAt[record.partition] ?? 0));
    publish(event);
  };

  const follow = async (): Promise<void> => {
    const from: Record<number, number> = {};
    const ends: Record<number, number> = {};
    for (const { partition, oldest, next } of await bus.states(topic.name)) {
      from[partition] = Math.max(oldest, next - preload);
      ends[partition] = next;
    }
    startedAt = ends;
    Object.assign(position, from);
    Object.assign(ring.floor, from);
    consumer = await bus.follow(topic.name, from, take);
    trouble = null;
    following.resolve();
  };
  const attempt = async (retryInMs: number): Promise<void> => {
    try {
      await follow();
    } catch (thrown) {
      if (stopped) return;
      trouble = reasonOf(thrown);
      if (bus.health().status === "up") log.warn("request.failed", { topic: topic.name, reason: trouble, retryInMs });
      cancelRetry = whenUp(bus, clock, retryInMs, () => void attempt(Math.min(retryInMs * 2, retryMaxMs)));
    }
  };

  /** What lies between `from` and `floor`, from the bus: a page of it, each partition in its order. */
  const readOlder = async (from: Position, floor: Position) => {
    let missed = 0;
    let lost = false;
    let isWhole = true;
    const reached: Record<number, number> = { ...from };
    const records: BusRecord[] = [];
    const states = await bus.states(topic.name);
    const wanted = states.filter(({ partition }) => (from[partition] ?? 0) < (floor[partition] ?? 0));
    const share = Math.max(1, Math.floor(replayMax / Math.max(1, wanted.length)));
    for (const { partition, oldest } of wanted) {
      const asked = from[partition] ?? 0;
      const end = floor[partition] ?? 0;
      if (asked < oldest) lost = true;
      const begin = Math.max(asked, oldest, end - backMax);
      const upTo = Math.max(begin, Math.min(end, begin + share));
      missed += begin - Math.max(asked, oldest);
      if (upTo < end) isWhole = false;
      records.push(...(await readRange(bus, topic.name, partition, begin, upTo)));
      reached[partition] = upTo;
    }
    const told: Record<number, number> = { ...from };
    const events: LiveEvent[] = [];
    for (const record of records.sort((one, other) => one.appendedAtMs - other.appendedAtMs)) {
      told[record.partition] = record.offset + 1;
      const event = read(record, formatCursor(told));
      if (event) events.push(event);
    }
    return { events, missed: lost ? -1 : missed, reached, isWhole };
  };

  const replayAfter = (from: Position): Replay | Promise<Replay> => {
    // Taken before the bus is asked: by its answer the oldest may have left the ring.
    const atHand = ring.after(from);
    const now = formatCursor(position);
    // The first look at the board asks for "what there is": the newest that is at hand will do.
    if (Object.keys(from).length === 0) {
      const missed = Math.max(0, atHand.length - replayMax);
      return { events: atHand.slice(missed), missed, cursor: now, more: false };
    }
    const page = (older: readonly LiveEvent[], missed: number, reached: Record<number, number>): Replay => {
      const taken = atHand.slice(0, Math.max(0, replayMax - older.length));
      const events = [...older, ...taken];
      if (taken.length === atHand.length) return { events, missed, cursor: now, more: false };
      for (const { partition, offset } of taken) reached[partition] = offset + 1;
      return { events, missed, cursor: formatCursor(reached), more: true };
    };
    const isOlder = ([partition, offset]: [string, number]) => (from[Number(partition)] ?? 0) < offset;
    if (!Object.entries(ring.floor).some(isOlder)) return page([], 0, { ...from });
    return readOlder(from, { ...ring.floor }).then(({ events, missed, reached, isWhole }) =>
      isWhole ? page(events, missed, reached) : { events, missed, cursor: formatCursor(reached), more: true },
    );
  };

  return {
    start: () => attempt(retryMinMs),
    async stop() {
      stopped = true;
      cancelRetry();
      await consumer?.stop();
      ring.clear();
    },
    cursor: () => formatCursor(position),
    replay(from) {
      const mustWait = trouble !== null && Object.keys(from).length > 0;
      return mustWait ? following.promise.then(() => replayAfter(from)) : replayAfter(from);
    },
    latest: (cameraId) => latest.get(cameraId) ?? null,
    find: ring.find,
    trouble: () => trouble,
  };
};
