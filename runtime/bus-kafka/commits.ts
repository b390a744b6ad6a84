/** Commits of one member: what waits while a request is on its way goes with the next, all partitions together. */
import type { Clock } from "../clock.ts";
import { Fault } from "../errors.ts";
import { asFault } from "./faults.ts";
import type { Membership } from "./kafkajs.ts";
import { withinTime } from "./outage.ts";

export type CommitPorts = {
  readonly topic: string;
  readonly group: string;
  readonly membership: () => Membership | null;
  readonly clock: Clock;
  readonly limitMs: number;
};

export type Commits = {
  /** The partition is held from here on, and done below `committed`. */
  readonly begin: (partition: number, committed: number) => void;
  /** What the broker was last known to have. */
  readonly last: (partition: number) => number;
  /** Resolves when the broker has it; a lower offset than the last changes nothing. */
  readonly commit: (partition: number, offset: number) => Promise<void>;
};

/** Why a commit failed that was not the cluster's fault. */
export const noMember = "no_member";

type Waiting = { offset: number; readonly done: PromiseWithResolvers<void> };

export const createCommits = ({ topic, group, membership, clock, limitMs }: CommitPorts): Commits => {
  const committed = new Map<number, number>();
  let waiting = new Map<number, Waiting>();
  let flying = false;

  const send = async (batch: ReadonlyMap<number, Waiting>) => {
    const member = membership();
    if (member === null)
      throw new Fault("unavailable", `commit for ${group}: it is no member at the moment`, { details: { reason: noMember } });
    const partitions = [...batch].map(([partition, { offset }]) => ({ partition, offset: String(offset) }));
    const late = () =>
      new Fault("unavailable", `commit for ${group}: no answer within ${limitMs} ms`, { details: { reason: "timeout" } });
    await withinTime(clock, limitMs, member.commitOffsets({ topics: [{ topic, partitions }] }), late);
  };

  const fly = async () => {
    if (flying) return;
    flying = true;
    while (waiting.size > 0) {
      const batch = new Map([...waiting].filter(([partition, { offset }]) => offset > (committed.get(partition) ?? 0)));
      for (const [partition, { done }] of waiting) if (!batch.has(partition)) done.resolve();
      waiting = new Map();
      if (batch.size === 0) break;
      try {
        await send(batch);
        for (const [partition, { offset, done }] of batch) {
          committed.set(partition, Math.max(offset, committed.get(partition) ?? 0));
          done.resolve();
        }
      } catch (thrown) {
        const fault = asFault(thrown, `commit for ${group}`);
        for (const { done } of batch.values()) done.reject(fault);
      }
    }
    flying = false;
  };

  return {
    begin: (partition, offset) => void committed.set(partition, offset),
    last: (partition) => committed.get(partition) ?? 0,
    commit(partition, offset) {
      if (offset <= (committed.get(partition) ?? 0)) return Promise.resolve();
      const already = waiting.get(partition);
      if (already !== undefined) {
        already.offset = Math.max(already.offset, offset);
        return already.done.promise;
      }
      const done = Promise.withResolvers<void>();
      waiting.set(partition, { offset, done });
      void fly();
      return done.promise;
    },
  };
};
