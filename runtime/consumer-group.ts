/**
 * A consumer group whose members live in one process: shares the partitions of a topic evenly, hands each over one at a
 * time (the old owner lets go before the new one is asked), and moves as few as possible when members come and go.
 */
import type { Consumer, ConsumerEvents } from "./bus.ts";
import { type Clock, delay } from "./clock.ts";
import { Fault, reasonOf } from "./errors.ts";
import type { Log } from "./log.ts";
import type { PartitionReader } from "./partition-reader.ts";

/** An owner that has not let go after so long is passed over. */
const revokeLimitMs = 10_000;
const assignRetryMs = 1_000;

/** Who should own each partition: loads differ by one at most, and no partition moves without need. */
export const balance = <Member>(owners: readonly (Member | null)[], members: readonly Member[]): (Member | null)[] => {
  if (members.length === 0) return owners.map(() => null);
  const least = Math.floor(owners.length / members.length);
  let larger = owners.length % members.length;
  const owned = new Map(members.map((member) => [member, 0]));
  for (const owner of owners) if (owner !== null && owned.has(owner)) owned.set(owner, (owned.get(owner) ?? 0) + 1);

  const room = new Map<Member | null, number>();
  // Those who own most keep the larger shares.
  for (const [member, count] of [...owned].sort(([, left], [, right]) => right - left)) {
    const share = larger > 0 && count > least ? least + 1 : least;
    if (share > least) larger--;
    room.set(member, share);
  }
  const shared = owners.map((owner) => {
    const left = room.get(owner) ?? 0;
    if (left === 0) return null;
    room.set(owner, left - 1);
    return owner;
  });
  // Larger shares that nobody kept go to the first members.
  for (const member of members) {
    if (larger === 0) break;
    if ((owned.get(member) ?? 0) > least) continue;
    room.set(member, (room.get(member) ?? 0) + 1);
    larger--;
  }
  const free = members.flatMap((member) => Array<Member>(room.get(member) ?? 0).fill(member));
  return shared.map((owner) => owner ?? free.shift() ?? null);
};

export type GroupPorts = {
  readonly topic: string;
  readonly group: string;
  readonly partitions: number;
  /** Must resolve in a later task, so that whoever joins has its consumer in hand before it is assigned anything. */
  readonly committed: (partition: number) => Promise<number>;
  readonly commit: (partition: number, offset: number) => Promise<void>;
  readonly open: (partition: number, from: number, record: ConsumerEvents["record"]) => PartitionReader;
  readonly clock: Clock;
  readonly log: Log;
};

/** `abandon` ends it as a crash would: nothing is revoked. */
export type GroupConsumer = Consumer & { readonly abandon: () => void };
export type ConsumerGroup = { readonly join: (events: ConsumerEvents) => GroupConsumer };

type Member = {
  readonly events: ConsumerEvents;
  /** The partitions held; without a reader while `assigned` has not resolved. */
  readonly held: Map<number, { readonly committed: number; readonly reader: PartitionReader | null }>;
  readonly paused: Set<number>;
  /** What it was given since it was last told all that it holds. */
  readonly broken: Set<number>;
  /** What it was told last; null at first. */
  told: string | null;
  readonly leaving: PromiseWithResolvers<void>;
  readonly gone: PromiseWithResolvers<void>;
};

export const createConsumerGroup = (ports: GroupPorts): ConsumerGroup => {
  let members: Member[] = [];
  const owners = Array<Member | null>(ports.partitions).fill(null);
  let wanted = [...owners];
  const inHand = new Set<number>();

  const failed = (partition: number, reason: unknown) =>
    ports.log.warn("consumer.failed", { topic: ports.topic, group: ports.group, partition, reason: reasonOf(reason) });

  const letGo = (member: Member, partition: number) => {
    member.held.delete(partition);
    member.paused.delete(partition);
    if (owners[partition] === member) owners[partition] = null;
    if (member.held.size === 0 && !members.includes(member)) member.gone.resolve();
  };

  const release = async (member: Member, partition: number) => {
    member.held.get(partition)?.reader?.stop();
    try {
      await withinTime(ports.clock, revokeLimitMs, member.events.revoked(partition));
    } catch (reason) {
      failed(partition, reason);
    }
    letGo(member, partition);
  };

  const take = async (member: Member, partition: number) => {
    try {
      const committed = await ports.committed(partition);
      if (wanted[partition] !== member) return;
      owners[partition] = member;
      member.held.set(partition, { committed, reader: null });
      member.broken.add(partition);
      await Promise.race([member.events.assigned(partition, committed), member.leaving.promise]);
      if (wanted[partition] !== member) return;
      const reader = ports.open(partition, committed, member.events.record);
      if (member.paused.has(partition)) reader.pause();
      member.held.set(partition, { committed, reader });
    } catch (reason) {
      letGo(member, partition);
      failed(partition, reason);
      await delay(ports.clock, assignRetryMs);
    }
  };

  const handOver = async (partition: number) => {
    if (inHand.has(partition)) return;
    inHand.add(partition);
    // The caller of `join` or `stop` goes on first.
    await Promise.resolve();
    for (;;) {
      const owner = owners[partition] ?? null;
      const next = wanted[partition] ?? null;
      if (owner === next) break;
      if (owner !== null) await release(owner, partition);
      else if (next !== null) await take(next, partition);
    }
    inHand.delete(partition);
    if (inHand.size === 0) tell();
  };

  /** Each whose share is another than it was told; when nothing is on its way from one to another. */
  const tell = () => {
    for (const member of members) {
      const held = [...member.held.keys()].sort((left, right) => left - right);
      const telling = held.join();
      if (member.told === telling && member.broken.size === 0) continue;
      const broken = held.filter((partition) => member.broken.has(partition));
      member.told = telling;
      member.broken.clear();
      try {
        member.events.assignment?.(held, broken);
      } catch (reason) {
        ports.log.warn("consumer.failed", { topic: ports.topic, group: ports.group, reason: reasonOf(reason) });
      }
    }
  };

  const rebalance = () => {
    wanted = balance(wanted, members);
    for (let partition = 0; partition < ports.partitions; partition++) void handOver(partition);
  };

  const leave = (member: Member) => {
    if (!members.includes(member)) return;
    members = members.filter((each) => each !== member);
    for (const { reader } of member.held.values()) reader?.stop();
    member.leaving.resolve();
    if (member.held.size === 0) member.gone.resolve();
  };

  const consumerOf = (member: Member): GroupConsumer => ({
    pause(partition) {
      if (owners[partition] !== member) return;
      member.paused.add(partition);
      member.held.get(partition)?.reader?.pause();
    },
    resume(partition) {
      member.paused.delete(partition);
      member.held.get(partition)?.reader?.resume();
    },
    async commit(partition, offset) {
      const place = `partition ${partition} of ${ports.topic}`;
      const held = member.held.get(partition);
      if (held === undefined) throw new Fault("conflict", `${place} does not belong to this member of ${ports.group}`);
      const delivered = held.reader?.position() ?? held.committed;
      if (offset > delivered) throw new Error(`commit ${offset} of ${place} is beyond what was delivered, ${delivered}`);
      await ports.commit(partition, offset);
    },
    async stop() {
      leave(member);
      rebalance();
      await member.gone.promise;
    },
    abandon() {
      leave(member);
      for (const partition of [...member.held.keys()]) letGo(member, partition);
      rebalance();
    },
  });

  return {
    join(events) {
      const member: Member = {
        events,
        held: new Map(),
        paused: new Set(),
        broken: new Set(),
        told: null,
        leaving: Promise.withResolvers(),
        gone: Promise.withResolvers(),
      };
      members = [...members, member];
      rebalance();
      return consumerOf(member);
    },
  };
};

/** Waits for `work`, but not longer than `limitMs`. */
const withinTime = async (clock: Clock, limitMs: number, work: void | Promise<void>): Promise<void> => {
  if (work === undefined) return;
  const { promise, reject } = Promise.withResolvers<void>();
  const cancel = clock.after(limitMs, () => reject(new Error(`no answer within ${limitMs} ms`)));
  try {
    await Promise.race([work, promise]);
  } finally {
    cancel();
  }
};
