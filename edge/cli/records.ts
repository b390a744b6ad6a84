/** The records of the configured bus, for looking only: what `tail`, `topics`, `dlq` and `drive` read. */
import { join } from "node:path";
import type { Config } from "../../config/schema.ts";
import { deadLettersOf } from "../../protocols/dead-letter.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { BusRecord } from "../../runtime/bus.ts";
import { type LogReader, openLogReader } from "../../runtime/bus-sqlite/log-reader.ts";
import { type Clock, delay } from "../../runtime/clock.ts";
import { Fault, StartRefused } from "../../runtime/errors.ts";
import { lockDirectory } from "../../runtime/sqlite/lock.ts";

/** Every topic that a start makes sure of. */
export const declaredTopics: readonly TopicDefinition<never>[] = [
  ...Object.values(topics),
  ...[topics.detections, topics.tasks, topics.results].map(deadLettersOf),
];

const batchRecords = 200;
const pollMs = 150;

/** What of the configuration says where the records are. */
export type Place = Pick<Config, "bus" | "data">;

export const logDirectory = ({ bus, data }: Place): string => {
  if (bus.driver !== "embedded") throw new Fault("unavailable", "this version reads the embedded log only: leave out bus: kafka");
  return join(data.dir, "log");
};

/** Looks into the log of the data directory; null where there is none yet. */
export const lookAtLog = <Seen>(config: Place, look: (reader: LogReader) => Seen): Seen | null => {
  using reader = openLogReader(logDirectory(config));
  return reader ? look(reader) : null;
};

/** Who has the data directory's log; null when nobody does. */
export const logHolder = (config: Place): string | null => {
  if (lookAtLog(config, () => true) === null) return null;
  try {
    lockDirectory(logDirectory(config)).release();
    return null;
  } catch (thrown) {
    if (thrown instanceof StartRefused && /is in use/.test(thrown.message)) return thrown.message;
    throw thrown;
  }
};

export type From = "end" | "earliest" | { readonly sinceMs: number };

export type Follower = {
  /** What has come since the last call, in the order of its append times. */
  readonly take: () => readonly BusRecord[];
};

/** Reads on from where the last look ended. A topic that does not exist yet starts at its earliest record. */
export const followLog = (config: Config, names: readonly string[], from: From): Follower => {
  const next = new Map<string, number>();
  const begin = (reader: LogReader, topic: string, partition: number, end: number): number => {
    if (from === "end") return end;
    return from === "earliest" ? 0 : reader.offsetAt(topic, partition, from.sinceMs);
  };
  const known = (reader: LogReader) => new Set(reader.topics().map(({ name }) => name));
  lookAtLog(config, (reader) => {
    const there = known(reader);
    for (const name of names)
      for (const { partition, next: end } of there.has(name) ? reader.states(name) : [])
        next.set(`${name}/${partition}`, begin(reader, name, partition, end));
  });
  const take = (reader: LogReader): readonly BusRecord[] => {
    const there = known(reader);
    const found: BusRecord[] = [];
    for (const name of names)
      for (const { partition, next: end } of there.has(name) ? reader.states(name) : []) {
        const place = `${name}/${partition}`;
        const at = next.get(place) ?? 0;
        if (at >= end) continue;
        const records = reader.read(name, partition, at, batchRecords);
        next.set(place, (records.at(-1)?.offset ?? end - 1) + 1);
        found.push(...records);
      }
    return found.sort((left, right) => left.appendedAtMs - right.appendedAtMs);
  };
  return { take: () => lookAtLog(config, take) ?? [] };
};

/** Calls `look` until it gives something, the time is up or the signal comes; null then. */
export const until = async <Seen>(
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  limitMs: number,
  look: () => Seen | null | Promise<Seen | null>,
): Promise<Seen | null> => {
  const endMs = clock.monotonicMs() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== null || signal.aborted || clock.monotonicMs() >= endMs) return seen;
    await delay(clock, Math.min(pollMs, Math.max(1, endMs - clock.monotonicMs())), signal).catch(() => {
      // The signal ended the wait; the loop sees it.
    });
  }
};
