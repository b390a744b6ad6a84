/**
 * One member of a consumer group on one topic. kafkajs keeps the membership and fetches; what is delivered, paused and
 * committed is decided here. Before the member joins anew every partition is revoked: its owner finishes and commits.
 */
import type { ConsumerCrashEvent, ConsumerGroupJoinEvent, Consumer as KafkaConsumer } from "kafkajs";
import type { Consumer, ConsumerEvents, Position } from "../bus.ts";
import { type Cancel, type Clock, delay } from "../clock.ts";
import { Fault, reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { openPartitionReader, type PartitionReader } from "../partition-reader.ts";
import { createAssigner } from "./assigner.ts";
import { type Channel, createChannel } from "./channel.ts";
import { type Claim, createUnbroken } from "./claims.ts";
import { createClient, type KafkaAccess } from "./client.ts";
import { createCommits, noMember } from "./commits.ts";
import { asFault } from "./faults.ts";
import { createJoining } from "./joining.ts";
import type { Membership } from "./kafkajs.ts";
import { type Outage, withinTime } from "./outage.ts";
import { decodeRecord, type Wire } from "./records.ts";
import type { KafkaTopic } from "./topic.ts";

export type GroupLimits = {
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly fetchBytes: number;
  readonly fetchMaxWaitMs: number;
};

export type GroupPorts = {
  readonly access: KafkaAccess;
  readonly clock: Clock;
  readonly log: Log;
  readonly outage: Outage;
  readonly wire: Wire;
  readonly limits: GroupLimits;
  /** Where each partition starts: at its committed offset, else at its first record. */
  readonly starts: (partitions: readonly number[]) => Promise<Position>;
  /** What the other members told of themselves when they joined the present generation. */
  readonly claims: (memberId: string) => Promise<readonly Claim[]>;
};

export type Member = Consumer & {
  /** Why it reads nothing; null when it does. */
  readonly trouble: () => string | null;
};

type Held = {
  readonly partition: number;
  readonly committed: number;
  readonly channel: Channel;
  /** Where the fetch goes on. */
  fetched: number;
  /** Null until the assignment is accepted. */
  reader: PartitionReader | null;
  paused: boolean;
  /** Told when the channel is empty again. */
  emptied: () => void;
};

const responseBytes = 10 * 1_048_576;
const rebalanceMs = 60_000;
const retryMs = { first: 500, cap: 30_000 };
const stopLimitMs = 10_000;
/** Who has a part of a compacted topic stands for a thing outside, such as a camera: what a dead process had must move soon. */
const watchfulSessionMs = 10_000;
const watchfulHeartbeatMs = 1_000;

/** A partition that is resumed waits for the fetch of the others, up to `fetchMaxWaitMs`: a reader that is at work has room again sooner. */
const roomWaitMs = 100;

const watchful = (limits: GroupLimits): GroupLimits => ({
  ...limits,
  sessionTimeoutMs: Math.min(limits.sessionTimeoutMs, watchfulSessionMs),
  heartbeatMs: Math.min(limits.heartbeatMs, watchfulHeartbeatMs),
});

export const joinGroup = (topic: KafkaTopic, group: string, events: ConsumerEvents, ports: GroupPorts): Member => {
  const { access, clock, log, outage } = ports;
  const limits = topic.definition.retentionMs === null ? watchful(ports.limits) : ports.limits;
  const place = topic.definition.name;
  const held = new Map<number, Held>();
  /** What this member had last it asks for again. */
  const unbroken = createUnbroken();
  let membership: Membership | null = null;
  let joining: Membership | null = null;
  let consumer: KafkaConsumer | null = null;
  /** The name under which the member was in the group last; null once it was tried again. */
  let lastName: string | null = null;
  /** Counts assignments: what belongs to an older one is void. */
  let generation = 0;
  let stopping: Promise<void> | null = null;
  let revoking: Promise<void> | null = null;
  let cancelRestart: Cancel = () => {};
  const attempts = createJoining(`group ${group} of ${place}`, clock);
  /** An owner that has not let go after so long is passed over, well before its session ends. */
  const revokeLimitMs = Math.min(10_000, limits.sessionTimeoutMs / 3);

  const commits = createCommits({
    topic: topic.name,
    group,
    membership: () => membership,
    clock,
    limitMs: 2 * access.requestTimeoutMs,
  });
  const failed = (partition: number, reason: unknown) =>
    log.warn("consumer.failed", { topic: place, group, partition, reason: reasonOf(reason) });

  const fetching = (partition: number, isOn: boolean) => {
    const what = [{ topic: topic.name, partitions: [partition] }];
    try {
      if (isOn) consumer?.resume(what);
      else consumer?.pause(what);
    } catch {
      // The member has just stopped; its next assignment starts paused.
    }
  };

  const roomIn = (each: Held): Promise<void> =>
    new Promise((resolve) => {
      const done = () => {
        cancel();
        each.emptied = () => {};
        resolve();
      };
      const cancel = clock.after(roomWaitMs, done);
      each.emptied = done;
    });

  const release = async (each: Held) => {
    each.reader?.stop();
    try {
      const late = () => new Error(`not let go within ${revokeLimitMs} ms`);
      await withinTime(clock, revokeLimitMs, Promise.resolve(events.revoked(each.partition)), late);
    } catch (reason) {
      failed(each.partition, reason);
    }
    held.delete(each.partition);
  };
  const revokeAll = (): Promise<void> => {
    generation++;
    revoking ??= Promise.all([...held.values()].map(release)).then(() => {
      revoking = null;
    });
    return revoking;
  };

  const open = (each: Held) => {
    const { partition, channel, committed } = each;
    each.reader = openPartitionReader(committed, {
      fetch: () => channel.take(),
      record: events.record,
      failed: (reason) => failed(partition, reason),
      clock,
      defer: setImmediate,
    });
    if (each.paused) each.reader.pause();
    fetchOn(each);
  };
  const fetchOn = ({ partition, fetched, channel }: Held) => {
    consumer?.seek({ topic: topic.name, partition, offset: String(fetched) });
    if (!channel.isFull()) fetching(partition, true);
  };

  const accept = async (partition: number, committed: number, isVoid: () => boolean) => {
    const each: Held = {
      partition,
      committed,
      channel: createChannel(() => {
        fetching(partition, true);
        each.emptied();
      }),
      fetched: committed,
      reader: null,
      paused: false,
      emptied() {},
    };
    held.set(partition, each);
    commits.begin(partition, committed);
    try {
      await events.assigned(partition, committed);
      if (!isVoid()) open(each);
    } catch (reason) {
      failed(partition, reason);
      await delay(clock, retryMs.first);
      if (!isVoid()) await accept(partition, committed, isVoid);
    }
  };

  /** A partition that was held through an outage and that nobody else has worked on goes on where it was. */
  const goOn = async (partition: number, start: number, isVoid: () => boolean) => {
    const each = held.get(partition);
    if (each?.reader && commits.last(partition) === start) return fetchOn(each);
    if (each) await release(each);
    if (!isVoid()) await accept(partition, start, isVoid);
  };

  const tell = (partitions: readonly number[]) => {
    try {
      events.assignment?.(partitions, unbroken.report());
    } catch (reason) {
      log.warn("consumer.failed", { topic: place, group, reason: reasonOf(reason) });
    }
  };

  const assigned = async (memberId: string, partitions: readonly number[]) => {
    const mine = ++generation;
    const isVoid = () => generation !== mine || stopping !== null;
    unbroken.given(memberId, joining?.generationId ?? 0, partitions);
    membership = joining;
    for (const partition of partitions) fetching(partition, false);
    log.info("consumer.joined", { group, topics: [place], partitions: partitions.length });
    outage.worked();
    attempts.joined();
    await Promise.all([...held.values()].filter(({ partition }) => !partitions.includes(partition)).map(release));
    for (let failures = 0; !isVoid(); failures++) {
      try {
        const hasDoubt = events.assignment !== undefined && unbroken.isDoubtful();
        const [starts, claims] = await Promise.all([ports.starts(partitions), hasDoubt ? ports.claims(memberId) : []]);
        if (isVoid()) return;
        if (hasDoubt) unbroken.settle(claims);
        await Promise.all(partitions.map((partition) => goOn(partition, starts[partition] ?? 0, isVoid)));
        break;
      } catch {
        await delay(clock, Math.min(retryMs.cap, retryMs.first * 2 ** failures)); // an outage, reported by whoever asked
        await outage.over();
      }
    }
    if (!isVoid()) tell(partitions);
  };

  const member = {
    claim: unbroken.claim,
    async joining(joined: Membership) {
      // Through an outage there is nobody to say that the partitions are another's: they are kept as they are.
      if (membership !== null) await revokeAll();
      joining = joined;
      // A broker that was away takes its members up again: under another name this one waits for its own old session to end.
      joined.memberId ??= lastName;
      lastName = null;
    },
  };

  const start = async () => {
    await outage.over();
    if (stopping !== null) return;
    const made = createClient(access, log).consumer({
      groupId: group,
      partitionAssigners: [createAssigner(topic.name, member)],
      sessionTimeout: limits.sessionTimeoutMs,
      rebalanceTimeout: Math.max(rebalanceMs, limits.sessionTimeoutMs),
      heartbeatInterval: limits.heartbeatMs,
      maxBytesPerPartition: limits.fetchBytes,
      minBytes: 1,
      maxBytes: responseBytes,
      maxWaitTimeInMs: limits.fetchMaxWaitMs,
      allowAutoTopicCreation: false,
      readUncommitted: false,
      // A new consumer is made instead: see `restart`.
      retry: { retries: access.retriesMax, restartOnFailure: async () => false },
    });
    consumer = made;
    made.on(made.events.GROUP_JOIN, ({ payload }: ConsumerGroupJoinEvent) =>
      assigned(
        payload.memberId,
        [...(payload.memberAssignment[topic.name] ?? [])].sort((left, right) => left - right),
      ),
    );
    made.on(made.events.CRASH, ({ payload }: ConsumerCrashEvent) => {
      if (consumer === made) restart(payload.error);
    });
    try {
      await made.connect();
      await made.subscribe({ topics: [topic.name], fromBeginning: true });
      if (stopping !== null) return;
      await made.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        async eachBatch({ batch, resolveOffset }) {
          const each = held.get(batch.partition);
          if (!each?.reader) return;
          each.fetched = Number(batch.lastOffset()) + 1;
          each.channel.push(batch.messages.map((raw) => decodeRecord(raw, topic, batch.partition, ports.wire)));
          resolveOffset(batch.lastOffset());
          if (each.channel.isFull() && !each.paused) await roomIn(each);
          if (each.channel.isFull()) fetching(batch.partition, false);
        },
      });
    } catch (thrown) {
      if (consumer === made) restart(thrown);
    }
  };

  /**
   * After a failure that kafkajs did not get over a new member joins a little later. What is in work goes on meanwhile, and
   * so does its partition, if the new member is given it and nobody has committed for it.
   */
  const restart = (thrown: unknown) => {
    const old = consumer;
    lastName = joining?.memberId ?? lastName;
    consumer = null;
    membership = null;
    if (stopping !== null) return;
    const fault = asFault(thrown, `group ${group} of ${place}`);
    outage.failed(fault);
    const { waitMs, isLong } = attempts.failed(fault);
    if (isLong || (!fault.retryable && fault.code !== "conflict"))
      log.warn("consumer.failed", { topic: place, group, reason: fault.message });
    void old?.disconnect().catch(() => {});
    cancelRestart = clock.after(waitMs, () => void start());
  };

  const stop = async () => {
    cancelRestart();
    for (const each of held.values()) each.reader?.stop();
    await revokeAll();
    const last = consumer;
    consumer = null;
    membership = null;
    if (last === null) return;
    const late = () => new Error(`the member did not leave within ${stopLimitMs} ms`);
    await withinTime(clock, stopLimitMs, last.disconnect(), late).catch((reason) =>
      log.debug("bus.client", { driver: "kafka", text: reasonOf(reason) }),
    );
  };

  // Whoever joins has its consumer in hand before it is assigned anything.
  cancelRestart = clock.after(0, () => void start());

  return {
    pause(partition) {
      const each = held.get(partition);
      if (!each) return;
      each.paused = true;
      each.reader?.pause();
    },
    resume(partition) {
      const each = held.get(partition);
      if (!each) return;
      each.paused = false;
      each.reader?.resume();
    },
    async commit(partition, offset) {
      const each = held.get(partition);
      if (each === undefined)
        throw new Fault("conflict", `partition ${partition} of ${place} does not belong to this member of ${group}`);
      const delivered = each.reader?.position() ?? each.committed;
      if (offset > delivered)
        throw new Error(`commit ${offset} of partition ${partition} of ${place} is beyond what was delivered, ${delivered}`);
      try {
        await commits.commit(partition, offset);
      } catch (thrown) {
        if (thrown instanceof Fault && thrown.details.reason !== noMember) outage.failed(thrown);
        throw thrown;
      }
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
    trouble: attempts.trouble,
  };
};
