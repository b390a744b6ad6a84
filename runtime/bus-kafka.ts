/**
 * The bus on Apache Kafka, by kafkajs. What is acknowledged is on every in-sync copy. An id may be stored twice: readers of
 * ours show it once. While the cluster is away appends and reads fail, groups and followers go on trying.
 */
import type { Admin } from "kafkajs";
import type { Bus, Consumer, Position } from "./bus.ts";
import { type Claim, claimOf } from "./bus-kafka/claims.ts";
import { createClient, type KafkaAccess } from "./bus-kafka/client.ts";
import { openCluster } from "./bus-kafka/cluster.ts";
import { ensureTopics } from "./bus-kafka/ensure.ts";
import { asFault } from "./bus-kafka/faults.ts";
import { followTopic } from "./bus-kafka/follower.ts";
import { type GroupLimits, joinGroup, type Member } from "./bus-kafka/group.ts";
import { createOutage, withinTime } from "./bus-kafka/outage.ts";
import { createProducer, type ProducerOptions } from "./bus-kafka/producer.ts";
import { createReads } from "./bus-kafka/reads.ts";
import { encodeRecord, type RecordForm, type Wire } from "./bus-kafka/records.ts";
import { type KafkaTopic, kafkaTopic, type TopicOverride } from "./bus-kafka/topic.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./errors.ts";
import type { Log } from "./log.ts";
import { refuseOversized } from "./record-limits.ts";

export type KafkaBusOptions = {
  readonly access: KafkaAccess;
  readonly topics: Readonly<Record<string, TopicOverride | undefined>>;
  readonly createTopics: boolean;
  readonly replication: number;
  readonly producer: Pick<ProducerOptions, "compression" | "acks" | "idempotent" | "lingerMs" | "batchBytes">;
  readonly group: GroupLimits;
  /** The form that is written; null for MessagePack. */
  readonly writes: RecordForm | null;
  /** Forms that are understood beside MessagePack. */
  readonly reads: readonly RecordForm[];
  readonly clock: Clock;
  readonly log: Log;
};

/** A start waits so long for the topics; then it goes on without them. */
const ensureMs = 10_000;

export const openKafkaBus = (options: KafkaBusOptions): Bus => {
  const { access, clock, log } = options;
  const topics = new Map<string, KafkaTopic>();
  const consumers = new Set<Consumer>();
  const members = new Set<Member>();
  const outage = createOutage({ clock, log, where: access.bootstrapServers.join(", "), probe: () => ensureAll() });
  const ports = { access, clock, log, outage };
  const wire: Wire = { source: `vedette/${access.clientId}`, nowMs: clock.nowMs, writes: options.writes, reads: options.reads };
  const producer = createProducer({ ...ports, ...options.producer });
  const cluster = openCluster(ports);
  const reads = createReads(cluster, wire);
  let closing: Promise<void> | null = null;
  /** Topics that the broker was seen to have, as wanted. */
  const ready = new Set<string>();

  const refuseIfClosed = () => {
    if (closing !== null) throw new Fault("unavailable", "the bus is closed");
  };
  const topicOf = (name: string): KafkaTopic => {
    const found = topics.get(name);
    if (!found) throw new Fault("not_found", `topic ${name} is unknown to the bus: ensure it first`);
    return found;
  };
  const partitionOf = (topic: string, partition: number): KafkaTopic => {
    const found = topicOf(topic);
    if (partition < 0 || partition >= found.partitions) throw new Fault("not_found", `${topic} has no partition ${partition}`);
    return found;
  };
  const keep = (consumer: Consumer): Consumer => {
    const kept = {
      ...consumer,
      async stop() {
        await consumer.stop();
        consumers.delete(kept);
      },
    };
    consumers.add(kept);
    return kept;
  };

  const withAdmin = async <Answer>(doing: string, work: (admin: Admin) => Promise<Answer>): Promise<Answer> => {
    outage.refuse();
    const admin = createClient(access, log).admin();
    const late = () => new Fault("unavailable", `${doing}: no answer in time`, { details: { reason: "timeout" } });
    try {
      const answer = await withinTime(
        clock,
        2 * access.requestTimeoutMs,
        admin.connect().then(() => work(admin)),
        late,
      );
      outage.worked();
      return answer;
    } catch (thrown) {
      const fault = asFault(thrown, doing);
      outage.failed(fault);
      throw fault;
    } finally {
      void admin.disconnect().catch(() => {});
    }
  };

  /** The committed offset of each partition; -1 where there is none. */
  const committedOf = async (topic: KafkaTopic, group: string): Promise<ReadonlyMap<number, number>> => {
    const found = await withAdmin(`offsets of group ${group}`, (admin) =>
      admin.fetchOffsets({ groupId: group, topics: [topic.name] }),
    );
    const partitions = found.find((each) => each.topic === topic.name)?.partitions ?? [];
    return new Map(partitions.map(({ partition, offset }) => [partition, Math.max(-1, Number(offset))]));
  };
  /** Of all members but one. */
  const claimsOf = async (group: string, exceptId: string): Promise<readonly Claim[]> => {
    const { groups } = await withAdmin(`members of group ${group}`, (admin) => admin.describeGroups([group]));
    return groups.flatMap(({ members }) => members.filter(({ memberId }) => memberId !== exceptId).map(claimOf));
  };
  const startsOf = async (topic: KafkaTopic, group: string): Promise<Position> => {
    const [committed, states] = await Promise.all([committedOf(topic, group), reads.states(topic)]);
    // What lies below the oldest record is gone; a new group starts there.
    return Object.fromEntries(
      states.map(({ partition, oldest }) => [partition, Math.max(committed.get(partition) ?? -1, oldest)]),
    );
  };

  /** Also what an outage is probed with: a broker may come back without its topics. */
  const ensureAll = async () => {
    const wanted = [...topics.values()].map(({ definition }) => kafkaTopic(definition, options.topics, options.replication));
    const ensuring = ensureTopics(wanted, { access, log, clock, createTopics: options.createTopics });
    const late = () => new Fault("unavailable", `topics: no answer within ${ensureMs} ms`, { details: { reason: "timeout" } });
    const { created, partitions } = await withinTime(clock, ensureMs, ensuring, late);
    for (const topic of wanted)
      topics.set(topic.definition.name, { ...topic, partitions: partitions.get(topic.name) ?? topic.partitions });
    const fresh = wanted.filter(({ name }) => !ready.has(name) || created.includes(name)).map(({ name }) => name);
    for (const name of fresh) ready.add(name);
    if (fresh.length > 0) log.info("bus.ready", { driver: "kafka", topics: fresh, created });
  };

  const close = async () => {
    outage.close();
    await producer.close();
    await Promise.all([...consumers].map((consumer) => consumer.stop()));
    await cluster.close();
  };

  return {
    driver: "kafka",

    /** Without the cluster, or without topics that are not to be made here, it goes on trying in the background. */
    async ensure(definitions) {
      refuseIfClosed();
      const added = definitions.filter(({ name }) => !topics.has(name));
      for (const each of added) topics.set(each.name, kafkaTopic(each, options.topics, options.replication));
      try {
        await ensureAll();
        outage.worked();
      } catch (thrown) {
        const fault = asFault(thrown, "topics");
        outage.failed(fault);
        if (fault.retryable) return;
        for (const { name } of added) topics.delete(name);
        throw fault;
      }
    },

    async append(records) {
      refuseIfClosed();
      for (const record of records) refuseOversized(record, topicOf(record.topic).maxBytes);
      outage.refuse();
      const encoded = records.map((record) => {
        const topic = topicOf(record.topic);
        const made = encodeRecord(record, topic, wire);
        if (made.sizeBytes > topic.batchBytes)
          throw new Fault(
            "too_large",
            `record ${record.id} takes ${made.sizeBytes} bytes, ${topic.name} takes at most ${topic.batchBytes}`,
            {
              details: { topic: record.topic, id: record.id, bytes: made.sizeBytes, maxBytes: topic.batchBytes },
            },
          );
        return { record, topic, encoded: made };
      });
      return encoded.length === 0 ? [] : producer.append(encoded);
    },

    async consume(topic, group, events) {
      refuseIfClosed();
      const found = topicOf(topic);
      const member = joinGroup(found, group, events, {
        ...{ ...ports, wire, limits: options.group },
        starts: () => startsOf(found, group),
        claims: (memberId) => claimsOf(group, memberId),
      });
      members.add(member);
      return keep({
        ...member,
        stop() {
          members.delete(member);
          return member.stop();
        },
      });
    },

    async follow(topic, from, record) {
      refuseIfClosed();
      const found = topicOf(topic);
      const states = await reads.states(found);
      const starts = states.map(({ partition, oldest, next }) => {
        if (from === "end") return next;
        return from === "earliest" ? oldest : Math.min(next, Math.max(oldest, from[partition] ?? 0));
      });
      refuseIfClosed();
      const limits = { maxWaitMs: options.group.fetchMaxWaitMs, maxBytes: options.group.fetchBytes };
      const range = async (partition: number) => (await reads.states(found))[partition] ?? { oldest: 0, next: 0 };
      return keep(followTopic(found, starts, record, { ...ports, wire, limits, range }));
    },

    read: async (topic, partition, offset, limit) => reads.read(partitionOf(topic, partition), partition, offset, limit),
    offsetAt: async (topic, partition, sinceMs) => reads.offsetAt(partitionOf(topic, partition), partition, sinceMs),
    states: async (topic) => reads.states(topicOf(topic)),
    async committed(topic, group): Promise<Position> {
      const found = topicOf(topic);
      const committed = await committedOf(found, group);
      return Object.fromEntries(
        Array.from({ length: found.partitions }, (_, partition) => [partition, Math.max(0, committed.get(partition) ?? 0)]),
      );
    },

    health() {
      if (closing !== null) return { status: "away", detail: "closed" };
      return { ...outage.health(), waits: [...members].flatMap((member) => member.trouble() ?? []) };
    },

    close() {
      closing ??= close();
      return closing;
    },
  };
};
