/**
 * Works through frames and verdicts for `Publications`. Processes share the work by consumer groups. A record is done when
 * it was tried: while Redis is away records are let go, counted, and so are those older than Redis would keep them.
 */

import type { Codec } from "../protocols/codec.ts";
import type { DetectionResult } from "../protocols/detection.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import { topics } from "../protocols/topics.ts";
import type { RiskUpdate } from "../protocols/verdict.ts";
import type { Bus, BusRecord, Consumer } from "../runtime/bus.ts";
import { type Clock, every } from "../runtime/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { frameTtlMs, type Publications } from "./publishing/redis.ts";

export type PublishingPorts = {
  readonly bus: Bus;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly publications: Publications;
};

/** Records of one partition that wait their turn. */
const pauseAt = 200;
const resumeAt = 50;
const commitMs = 1_000;

/** Begins; the value ends it. */
export const startPublishing = async (ports: PublishingPorts): Promise<() => Promise<void>> => {
  const { publications } = ports;
  const stops = await Promise.all([
    workThrough(ports, topics.detections, "redis-detections", {
      "detection.result": (message) => publications.detection(message as DetectionResult), // read by this type
    }),
    workThrough(ports, topics.incidents, "redis-results", {
      risk_update: (message) => publications.update(message as RiskUpdate), // read by this type
    }),
  ]);
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
};

type Line = { waiting: BusRecord[]; done: number; committed: number; isPaused: boolean; isBusy: boolean };
type Publishers = Readonly<Record<string, (message: unknown) => Promise<void>>>;

const workThrough = async (
  { bus, codec, clock, metrics }: PublishingPorts,
  { name }: TopicDefinition<never>,
  group: string,
  publishers: Publishers,
): Promise<() => Promise<void>> => {
  const lines = new Map<number, Line>();
  let isStopping = false;

  const publish = async (record: BusRecord): Promise<void> => {
    const letGo = (reason: string) => metrics.dropped.inc({ actor: "publishing", type: record.type, reason });
    const publisher = publishers[record.type];
    if (!publisher) return;
    if (clock.nowMs() - record.appendedAtMs > frameTtlMs) return letGo("too_old");
    const read = codec.read(record.type, record.bytes);
    if (!read.ok) return letGo("unreadable");
    await publisher(read.message).catch(() => letGo("store_away")); // the store says why in its own log
  };

  const work = async (partition: number, line: Line): Promise<void> => {
    if (line.isBusy) return;
    line.isBusy = true;
    for (let record = line.waiting.shift(); record && !isStopping; record = line.waiting.shift()) {
      await publish(record);
      line.done = record.offset + 1;
      if (line.isPaused && line.waiting.length <= resumeAt && lines.get(partition) === line) {
        line.isPaused = false;
        consumer.resume(partition);
      }
    }
    line.isBusy = false;
  };

  const commit = async (partition: number, line: Line): Promise<void> => {
    const { done } = line;
    if (done <= line.committed) return;
    // The bus says when it is away; what is not committed is published once more, which does no harm.
    await consumer.commit(partition, done).then(
      () => {
        line.committed = done;
      },
      () => {},
    );
  };

  const consumer: Consumer = await bus.consume(name, group, {
    assigned(partition, committed) {
      lines.set(partition, { waiting: [], done: committed, committed, isPaused: false, isBusy: false });
    },
    async revoked(partition) {
      const line = lines.get(partition);
      lines.delete(partition);
      if (!line) return;
      line.waiting = [];
      await commit(partition, line);
    },
    record(record) {
      const line = lines.get(record.partition);
      if (!line) return;
      line.waiting.push(record);
      if (!line.isPaused && line.waiting.length >= pauseAt) {
        line.isPaused = true;
        consumer.pause(record.partition);
      }
      void work(record.partition, line);
    },
  });
  const cancel = every(clock, commitMs, () => {
    for (const [partition, line] of lines) void commit(partition, line);
  });

  return async () => {
    isStopping = true;
    cancel();
    await consumer.stop();
  };
};
