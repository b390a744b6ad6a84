/**
 * A stage's way in from a topic: takes records, gives each a cause, settles what is done and commits the lowest offset not settled.
 * A failed delivery is repeated with a pause between; after the third the record goes to the dead letters.
 */
import { type DeadLetter, deadLettersOf } from "../protocols/dead-letter.ts";
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { LoadPorts } from "./actor.ts";
import type { BusRecord, Consumer } from "./bus.ts";
import type { Cell, CellSpec } from "./cell.ts";
import { delay } from "./clock.ts";
import { noCauses } from "./envelope.ts";
import { Fault, reasonOf } from "./errors.ts";
import type { Holdings } from "./holdings.ts";
import { createSuspects } from "./inlet/suspects.ts";
import type { CellPorts } from "./ports.ts";
import { recentMessages } from "./recent.ts";
import { createWindow, openCause, type SettlementWindow } from "./settlement.ts";

/** Deliveries that failed by the record's own fault, e.g. a turn that threw; then it is poison. */
const ownFailuresMax = 3;
/** Deliveries in all: beyond this the circumstances will not change. */
const attemptsMax = 50;
const retryMs = { first: 200, cap: 5_000 };
const windowRecords = 1_000;
const windowBytes = 16 * 1024 * 1024;
const commitMs = 50;
const lookAgainMs = 1_000;

export type TakesFrom = {
  readonly topic: TopicDefinition<never>;
  /** With a group, work is shared and settled; without, every record from the end on is seen by each follower. */
  readonly group: string | null;
};

export type Inlet = {
  /** Takes no further record; those in work go on. */
  readonly pause: () => void;
  readonly inWork: () => number;
  readonly oldestMs: () => number;
  readonly held: () => Holdings;
  /** Commits what is settled; what is not will be delivered again. */
  readonly close: () => Promise<void>;
};

type Partition = {
  readonly window: SettlementWindow;
  committed: number;
  paused: boolean;
  committing: boolean;
  revoked: boolean;
  /** Records that wait until the one delivered alone has ended; null when none is. */
  behind: BusRecord[] | null;
};

export const openInlet = async (
  { topic, group }: TakesFrom,
  cell: Cell,
  { definition, args }: Pick<CellSpec, "definition" | "args">,
  ports: CellPorts,
): Promise<Inlet> => {
  const { bus, clock, codec, observer, store, log } = ports;
  const partitions = new Map<number, Partition>();
  const suspects = createSuspects(topic, group ?? "", ports);
  let paused = false;
  let closed = false;
  let waits = false;
  let consumer: Consumer | null = null;

  const isFull = (partition: Partition) =>
    partition.window.count() >= windowRecords || partition.window.sizeBytes() >= windowBytes;

  /** Deliveries that come again find room like any other: they wait, in their order, and what is fresh waits behind them. */
  const again: (() => void)[] = [];
  const deliverAgain = () => {
    while (again.length > 0 && !cell.isAboveHighWater()) again.shift()?.();
    adjust();
  };

  /** Pauses and resumes each partition by its window and the stage's mailbox. */
  const adjust = () => {
    const congested = paused || again.length > 0 || cell.isAboveHighWater();
    for (const [number, partition] of partitions) {
      const shouldPause = congested || isFull(partition) || partition.behind !== null;
      if (shouldPause === partition.paused || partition.revoked) continue;
      partition.paused = shouldPause;
      if (shouldPause) consumer?.pause(number);
      else consumer?.resume(number);
    }
    if (waits || (again.length === 0 && (paused || !congested))) return;
    waits = true;
    cell.whenBelow(() => {
      waits = false;
      deliverAgain();
    });
  };

  const commit = (number: number, partition: Partition) => {
    if (partition.committing || partition.window.floor() === partition.committed) return;
    partition.committing = true;
    clock.after(commitMs, () => {
      if (!closed && !partition.revoked) void commitNow(number, partition); // else it was committed as the partition was left
    });
  };

  const commitNow = async (number: number, partition: Partition) => {
    const offset = partition.window.floor();
    try {
      if (consumer && offset > partition.committed) {
        await consumer.commit(number, offset);
        partition.committed = offset;
      }
    } catch (thrown) {
      observer.sendFailed(topic.name, `commit: ${reasonOf(thrown)}`);
    }
    partition.committing = false;
    if (!closed && !partition.revoked) commit(number, partition);
  };

  const settle = (record: BusRecord, partition: Partition) => {
    partition.window.settled(record.offset);
    if (closed || partition.revoked) return;
    commit(record.partition, partition);
    const { behind } = partition;
    if (behind && suspects.verdict(record.partition, record.offset) !== "none") {
      partition.behind = null;
      again.push(...behind.map((each) => () => begin(each, partition)));
      deliverAgain();
    }
    if (partition.paused) adjust();
  };

  const setAside = async (
    record: BusRecord,
    partition: Partition,
    disposition: DeadLetter["disposition"],
    reason: string,
    attempts: number,
  ) => {
    const dead = deadLettersOf(topic);
    const { partition: from, offset, key, id, trace } = record;
    let letter: DeadLetter = {
      type: "dead.letter",
      topic: topic.name,
      partition: from,
      offset,
      key,
      id,
      trace,
      recordType: record.type,
      value: record.bytes,
      disposition,
      reason: reason.slice(0, 1_000),
      attempts,
    };
    observer.deadLettered(topic.name, `${topic.name}/${from}/${offset}`, disposition, reason);
    for (let failures = 0; !closed && !partition.revoked; failures++) {
      try {
        await bus.append([
          { topic: dead.name, key, id: dead.idOf(letter), type: letter.type, trace, bytes: codec.encode(letter) },
        ]);
        settle(record, partition);
        return;
      } catch (thrown) {
        observer.sendFailed(dead.name, reasonOf(thrown));
        // Another program may have written more than ours ever do: the reason alone, rather than a partition that stands.
        if (thrown instanceof Fault && thrown.code === "too_large" && letter.value.length > 0) {
          const left = `, its ${record.bytes.length} bytes are not kept`;
          letter = { ...letter, value: new Uint8Array(0), reason: reason.slice(0, 1_000 - left.length) + left };
        } else await delay(clock, Math.min(5_000, 100 * 2 ** failures));
      }
    }
  };

  const deliver = (record: BusRecord, partition: Partition, attempt = 1, ownFailures = 0) => {
    const key = `${record.topic}/${record.partition}/${record.offset}`;
    const cause = openCause(key, (failure) => {
      if (failure === null) return settle(record, partition);
      if (closed || partition.revoked) return; // the next owner starts at what was committed
      const own = ownFailures + (failure.isOwn ? 1 : 0);
      if (own >= ownFailuresMax) return void setAside(record, partition, "poison", failure.reason, attempt);
      if (attempt >= attemptsMax) return void setAside(record, partition, "exhausted", failure.reason, attempt);
      observer.retried(topic.name, key, failure.reason, attempt);
      clock.after(Math.min(retryMs.cap, retryMs.first * 2 ** (attempt - 1)), () => {
        again.push(() => {
          if (!closed && !partition.revoked) deliver(record, partition, attempt + 1, own);
        });
        deliverAgain();
      });
    });
    const { type, trace, bytes } = record;
    cell.offer({ type, key: record.key, trace, bytes, causes: [cause], lease: null, enqueuedAtMs: clock.monotonicMs() });
  };

  const taken = (record: BusRecord) => {
    const partition = partitions.get(record.partition);
    if (!partition || partition.revoked || closed) return;
    observer.received(topic.name, group ?? "");
    partition.window.opened(record.offset, record.bytes.byteLength, clock.monotonicMs());
    if (partition.behind) partition.behind.push(record);
    else begin(record, partition);
    adjust();
  };

  const begin = (record: BusRecord, partition: Partition) => {
    if (closed || partition.revoked) return;
    if (record.unreadable !== undefined) return void setAside(record, partition, "poison", record.unreadable, 0);
    const read = codec.read(record.type, record.bytes);
    const verdict = suspects.verdict(record.partition, record.offset);
    if (!read.ok) return void setAside(record, partition, "poison", `${read.failure.code}: ${read.failure.detail}`, 0);
    if (verdict === "none") return deliver(record, partition);
    if (verdict === "set-aside")
      return void setAside(record, partition, "exhausted", "it was open each time the process crashed", 0);
    partition.behind = [];
    void suspects.tries(record.partition).then(() => {
      if (!closed && !partition.revoked) deliver(record, partition);
    });
  };

  /** Followers hold nothing: what they see is not settled, only slowed down. */
  const followed = ({ partition, type, key, trace, bytes }: BusRecord) => {
    if (closed) return;
    if (!partitions.has(partition)) partitions.set(partition, emptyPartition(0));
    observer.received(topic.name, "");
    cell.offer({ type, key, trace, bytes, causes: noCauses, lease: null, enqueuedAtMs: clock.monotonicMs() });
    adjust();
  };

  let below: Promise<void> | null = null;
  /** One for all who wait, so that looking again does not leave one behind each time. */
  const untilBelow = () => {
    below ??= new Promise<void>((resolve) => {
      cell.whenBelow(() => {
        below = null;
        resolve();
      });
    });
    return below;
  };

  /** As a message without a cause, and no faster than the stage takes them. */
  const hear = async (message: Tagged): Promise<void> => {
    while (cell.isAboveHighWater() && !closed) await Promise.race([untilBelow(), delay(clock, lookAgainMs)]);
    cell.offer({
      type: message.type,
      key: ports.keyOf(message),
      trace: ports.newTrace(),
      bytes: codec.encode(message),
      causes: noCauses,
      lease: null,
      enqueuedAtMs: clock.monotonicMs(),
    });
  };
  /** What the owner before has said of a partition's keys must be known before they are taken up (rule 10). */
  const adopt = async (number: number): Promise<void> => {
    if (!ports.isShared || !definition.adopt) return;
    const held = { partitions: new Set([number]), of };
    const reading: LoadPorts = {
      ...{ store, clock, log },
      recent: (from, sinceMs) => recentMessages(bus, codec, from, sinceMs, held),
      recentOfAll: ports.recentOfAll,
    };
    const known: readonly Tagged[] = await definition.adopt(args, reading);
    for (const message of known) await hear(message);
  };

  const of = group !== null && ports.isShared ? (await bus.states(topic.name)).length : topic.partitions;
  consumer =
    group === null
      ? await bus.follow(topic.name, "end", followed)
      : await bus.consume(topic.name, group, {
          async assigned(number, committed) {
            await suspects.began(number, committed);
            await adopt(number);
            partitions.set(number, emptyPartition(committed));
            if (consumer) adjust();
          },
          async revoked(number) {
            const partition = partitions.get(number);
            if (!partition) return;
            await commitNow(number, partition);
            partition.revoked = true;
            partitions.delete(number);
            await suspects.left(number);
            const gone = ports.isShared && definition.part?.({ partitions: new Set([number]), of });
            if (gone) await hear(gone);
          },
          record: taken,
        });
  adjust();

  const sum = (of: (window: SettlementWindow) => number) =>
    [...partitions.values()].reduce((total, { window }) => total + of(window), 0);

  return {
    pause() {
      paused = true;
      adjust();
    },
    inWork: () => sum((window) => window.count()),
    oldestMs: () =>
      Math.max(
        0,
        ...[...partitions.values()].map(({ window }) => clock.monotonicMs() - (window.oldestAtMs() ?? clock.monotonicMs())),
      ),
    held: () => ({ partitions: new Set(partitions.keys()), of }),
    async close() {
      if (group !== null) for (const [number, partition] of partitions) await commitNow(number, partition);
      closed = true;
      await consumer?.stop();
    },
  };
};

const emptyPartition = (committed: number): Partition => ({
  window: createWindow(committed),
  committed,
  paused: false,
  committing: false,
  revoked: false,
  behind: null,
});
