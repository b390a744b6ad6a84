/** The records of the configured bus, for looking only: what `tail`, `topics`, `dlq`, `replay` and `drive` read. */
import type { LoadedConfig } from "../../config/load.ts";
import { alertNotifications } from "../../protocols/alert.ts";
import { deadLettersOf } from "../../protocols/dead-letter.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus, BusRecord } from "../../runtime/bus.ts";
import { type Clock, delay } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";
import type { Session } from "./command.ts";
import { embeddedRecords } from "./records/embedded.ts";

/** Every topic that a start makes sure of. */
export const declaredTopics: readonly TopicDefinition<never>[] = [
  ...Object.values(topics),
  alertNotifications,
  ...[topics.detections, topics.tasks, topics.results].map(deadLettersOf),
];

export type FoundTopic = {
  readonly name: string;
  /** What the broker calls it, when the configuration gives it another name. */
  readonly brokerName: string;
  readonly partitions: number;
  readonly retentionMs: number | null;
};

export type Records = AsyncDisposable &
  Pick<Bus, "states" | "committed" | "read" | "offsetAt"> & {
    /** Those that exist. */
    readonly topics: () => Promise<readonly FoundTopic[]>;
    /** The groups that settle a topic's records. */
    readonly groups: (topic: string) => Promise<readonly string[]>;
    /** How long to wait before looking again. */
    readonly pollMs: number;
  };

export const openRecords = async (loaded: LoadedConfig, session: Session): Promise<Records> => {
  if (loaded.config.bus.driver === "embedded") return embeddedRecords(loaded.config);
  // The client is loaded by those who need it only.
  const { kafkaRecords } = await import("./records/kafka.ts");
  return kafkaRecords(loaded, session);
};

export const unknownTopic = (named: string, known: readonly string[]): Fault =>
  new Fault("not_found", `there is no topic ${named}: there are ${known.join(", ")}`);

const batchRecords = 200;

export type From = "end" | "earliest" | { readonly sinceMs: number };

export type Follower = {
  /** What has come since the last call, in the order of its append times; empty when nothing has. */
  readonly take: () => Promise<readonly BusRecord[]>;
};

/** Reads on from where the last look ended. A topic that does not exist yet starts at its earliest record. */
export const followRecords = async (records: Records, names: readonly string[], from: From): Promise<Follower> => {
  const next = new Map<string, number>();
  const existing = async (): Promise<readonly string[]> => {
    const there = new Set((await records.topics()).map(({ name }) => name));
    return names.filter((name) => there.has(name));
  };
  let known = await existing();
  for (const name of known)
    for (const { partition, oldest, next: end } of await records.states(name)) {
      const since = typeof from === "object" && oldest < end ? await records.offsetAt(name, partition, from.sinceMs) : end;
      next.set(`${name}/${partition}`, from === "earliest" ? oldest : since);
    }
  return {
    async take() {
      if (known.length < names.length) known = await existing();
      const found: BusRecord[] = [];
      for (const name of known)
        for (const { partition, oldest, next: end } of await records.states(name)) {
          const place = `${name}/${partition}`;
          const at = Math.max(next.get(place) ?? 0, oldest);
          if (at >= end) continue;
          const batch = await records.read(name, partition, at, batchRecords);
          next.set(place, (batch.at(-1)?.offset ?? end - 1) + 1);
          found.push(...batch);
        }
      return found.sort((left, right) => left.appendedAtMs - right.appendedAtMs);
    },
  };
};

/** All records of a topic appended in a span of time, oldest first. */
export const recordsBetween = async (records: Records, topic: string, fromMs: number, toMs: number): Promise<BusRecord[]> => {
  const found: BusRecord[] = [];
  if (!(await records.topics()).some(({ name }) => name === topic)) return found;
  for (const { partition, oldest, next } of await records.states(topic)) {
    if (oldest >= next) continue;
    for (let at = await records.offsetAt(topic, partition, fromMs); at < next; ) {
      const batch = await records.read(topic, partition, at, batchRecords);
      const inTime = batch.filter(({ appendedAtMs }) => appendedAtMs <= toMs);
      found.push(...inTime);
      if (batch.length === 0 || inTime.length < batch.length) break;
      at = (batch.at(-1)?.offset ?? next) + 1;
    }
  }
  return found.sort((left, right) => left.appendedAtMs - right.appendedAtMs);
};

/** Calls `look` until it gives something, the time is up or the signal comes; null then. */
export const until = async <Seen>(
  { clock, signal, pollMs = 100 }: { readonly clock: Clock; readonly signal: AbortSignal; readonly pollMs?: number },
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
