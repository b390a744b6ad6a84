/**
 * Which cameras this process watches when several share them (rule 15): each is a key of the topic `cameras`, and
 * whoever is given its partition by the group `vedette-eyes` watches it. The group commits nothing; the records themselves
 * are read by the registry, which follows the whole topic.
 *
 * A group that rebalances may first take everything from everybody. So nothing is decided while it does: what this process
 * had it keeps until the new assignment is there, and then only what really left ends. Without a broker it keeps all it had,
 * and one that never met the broker watches every camera it knows.
 */
import { topics } from "../../protocols/topics.ts";
import type { Bus, Consumer } from "../../runtime/bus.ts";
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import { partitionOf } from "../../runtime/partition.ts";

export type Ownership = {
  /** Joins; without the bus it goes on trying. */
  readonly start: () => Promise<void>;
  /** Leaves, so that others take over at once. Nothing is told to change here. */
  readonly stop: () => Promise<void>;
  readonly owns: (cameraId: number) => boolean;
};

export type OwnershipPorts = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Other cameras may be owned than before. */
  readonly changed: () => void;
};

const topic = topics.cameras;
export const eyesGroup = topic.group ?? "vedette-eyes";
/** Partitions of one assignment come one by one. */
const settleMs = 1_000;
/** With everything taken, the new assignment is waited for so long; then this process is one too many. */
const emptyMs = 15_000;
/** A first assignment is waited for so long before a process without a broker counts as alone. */
const aloneMs = 10_000;
const retryMs = 5_000;

export const createOwnership = ({ bus, clock, log, changed }: OwnershipPorts): Ownership => {
  /** As the bus says at this moment. */
  const assigned = new Set<number>();
  /** What is acted upon: as it was when the last assignment was whole. Null: every camera. */
  let kept: ReadonlySet<number> | null = new Set();
  let partitions = topic.partitions;
  let consumer: Consumer | null = null;
  let hasMet = false;
  let isStopped = false;
  let emptySinceMs: number | null = null;
  let cancelSettle: Cancel = () => {};
  let cancelRetry: Cancel = () => {};

  const act = (next: ReadonlySet<number> | null) => {
    const isSame = next !== null && kept !== null && next.size === kept.size && next.isSubsetOf(kept);
    kept = next;
    emptySinceMs = null;
    if (!isSame) changed();
  };

  const settle = () => {
    if (isStopped) return;
    if (assigned.size > 0) return act(new Set(assigned));
    const nowMs = clock.monotonicMs();
    emptySinceMs ??= nowMs;
    const isAway = bus.health().status !== "up";
    if (isAway) emptySinceMs = nowMs; // nothing can be assigned, and nobody else takes over
    if (nowMs - emptySinceMs >= emptyMs && hasMet) return act(new Set());
    soon();
  };
  const soon = () => {
    cancelSettle();
    cancelSettle = clock.after(settleMs, settle);
  };

  const lookWhetherAlone = () => {
    if (isStopped || hasMet) return;
    if (bus.health().status !== "up" && kept !== null) act(null);
    cancelSettle = clock.after(aloneMs, lookWhetherAlone);
  };

  const join = async (): Promise<void> => {
    try {
      partitions = (await bus.states(topic.name)).length;
      consumer = await bus.consume(topic.name, eyesGroup, {
        assigned(partition) {
          hasMet = true;
          assigned.add(partition);
          soon();
        },
        revoked(partition) {
          assigned.delete(partition);
          soon();
        },
        record() {},
      });
    } catch (thrown) {
      if (isStopped) return;
      log.warn("consumer.failed", { topic: topic.name, group: eyesGroup, reason: reasonOf(thrown), retryInMs: retryMs });
      if (kept !== null && !hasMet) act(null);
      cancelRetry = clock.after(retryMs, () => void join());
    }
  };

  return {
    async start() {
      cancelSettle = clock.after(aloneMs, lookWhetherAlone);
      await join();
    },
    async stop() {
      isStopped = true;
      cancelSettle();
      cancelRetry();
      await consumer?.stop();
    },
    owns: (cameraId) => kept === null || kept.has(partitionOf(String(cameraId), partitions)),
  };
};
