/**
 * Which cameras this process watches when several share them (design rule 15): each is a key of the topic `cameras`, and
 * whoever is given its partition by the group `vedette-eyes` watches it. The group commits nothing; the records themselves
 * are read by the registry, which follows the whole topic.
 *
 * A group that shares out anew first takes everything from everybody. So nothing is decided by what is taken: what this
 * process had it keeps until it is told all that it now holds, however long that takes, and then only what really left ends.
 * Without a broker it keeps all it had, and one that never met the broker watches every camera it knows.
 */
import { topics } from "../../protocols/topics.ts";
import type { Bus, Consumer } from "../../runtime/bus.ts";
import { whenUp } from "../../runtime/bus-outage.ts";
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import { partitionOf } from "../../runtime/partition.ts";

export type Ownership = {
  /** Joins; without the bus it goes on trying. */
  readonly start: () => Promise<void>;
  /** Leaves, so that others take over at once. Nothing is told to change here. */
  readonly stop: () => Promise<void>;
  /** Null when the camera is another's. Another number than before: another process may have watched it in between. */
  readonly termOf: (cameraId: number) => number | null;
};

export type OwnershipPorts = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Other cameras may be owned than before, or in another term. */
  readonly changed: () => void;
};

const topic = topics.cameras;
export const eyesGroup = topic.group ?? "vedette-eyes";
/** A first assignment is waited for so long before a process without a broker counts as alone. */
const aloneMs = 10_000;
const retryMs = 5_000;
const aloneTerm = 0;

export const createOwnership = ({ bus, clock, log, changed }: OwnershipPorts): Ownership => {
  /** The partitions that are held, and since which term. */
  let held: ReadonlyMap<number, number> = new Map();
  /** Every camera is watched, since the group was never met. */
  let isAlone = false;
  let terms = aloneTerm;
  let partitions = topic.partitions;
  let consumer: Consumer | null = null;
  let hasMet = false;
  let isStopped = false;
  let cancelLook: Cancel = () => {};
  let cancelRetry: Cancel = () => {};

  const beAlone = () => {
    if (isAlone || hasMet) return;
    isAlone = true;
    changed();
  };
  const lookWhetherAlone = () => {
    if (isStopped || hasMet) return;
    if (bus.health().status !== "up") beAlone();
    cancelLook = clock.after(aloneMs, lookWhetherAlone);
  };

  const assigned = (given: readonly number[], broken: readonly number[]) => {
    if (isStopped) return;
    hasMet = true;
    cancelLook();
    // Others may have watched every camera, too, while each of them was alone; but not if there are no others.
    const wasAlways = isAlone && given.length === partitions;
    const goesOn = new Set(given).difference(new Set(broken));
    const termOf = (partition: number): number => {
      if (wasAlways) return aloneTerm;
      const before = goesOn.has(partition) ? held.get(partition) : undefined;
      return before ?? ++terms;
    };
    held = new Map(given.map((partition) => [partition, termOf(partition)]));
    isAlone = false;
    changed();
  };

  const join = async (): Promise<void> => {
    try {
      partitions = (await bus.states(topic.name)).length;
      if (isStopped) return;
      const joined = await bus.consume(topic.name, eyesGroup, { assigned() {}, revoked() {}, record() {}, assignment: assigned });
      consumer = joined;
      if (isStopped) await joined.stop();
    } catch (thrown) {
      if (isStopped) return;
      if (bus.health().status === "up")
        log.warn("consumer.failed", { topic: topic.name, group: eyesGroup, reason: reasonOf(thrown), retryInMs: retryMs });
      beAlone();
      cancelRetry = whenUp(bus, clock, retryMs, () => void join());
    }
  };

  return {
    async start() {
      cancelLook = clock.after(aloneMs, lookWhetherAlone);
      await join();
    },
    async stop() {
      isStopped = true;
      cancelLook();
      cancelRetry();
      await consumer?.stop();
    },
    termOf: (cameraId) => (isAlone ? aloneTerm : (held.get(partitionOf(String(cameraId), partitions)) ?? null)),
  };
};
