/** Makes sure of topics: creates those that are missing, and judges those that are there. */
import type { Admin, ITopicConfig } from "kafkajs";
import { type Clock, delay } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { Log } from "../log.ts";
import { createClient, type KafkaAccess } from "./client.ts";
import { asFault, protocolErrorOf } from "./faults.ts";
import { withinTime } from "./outage.ts";
import type { KafkaTopic } from "./topic.ts";

export type EnsurePorts = {
  readonly access: KafkaAccess;
  readonly log: Log;
  readonly clock: Clock;
  readonly createTopics: boolean;
};

/** `partitions` as the broker has them, by the name the broker knows. */
export type EnsuredTopics = { readonly created: readonly string[]; readonly partitions: ReadonlyMap<string, number> };

const dayMs = 86_400_000;
/** A topic that was just made is known to every broker after so long. */
const settleMs = 10_000;
const settlePollMs = 50;

const specOf = ({ name, partitions, replication, retentionMs, batchBytes }: KafkaTopic, brokers: number): ITopicConfig => ({
  topic: name,
  numPartitions: partitions,
  replicationFactor: Math.max(1, Math.min(replication, brokers)),
  configEntries: [
    // The broker's clock: what is delivered has times that do not go back.
    { name: "message.timestamp.type", value: "LogAppendTime" },
    { name: "max.message.bytes", value: String(batchBytes) },
    ...(retentionMs === null
      ? [
          { name: "cleanup.policy", value: "compact" },
          { name: "max.compaction.lag.ms", value: String(dayMs) },
        ]
      : [
          { name: "cleanup.policy", value: "delete" },
          { name: "retention.ms", value: String(retentionMs) },
        ]),
  ],
});

type Refusal = { readonly topic?: unknown; readonly type?: unknown };

/** One refusal a topic. */
const refusalsOf = (thrown: unknown): readonly Refusal[] => {
  const { errors } = thrown as { readonly errors?: unknown }; // of unknown type, looked at
  return Array.isArray(errors) ? errors : [];
};

/** Gives the names that were made: someone else may have made others meanwhile. */
const create = async (admin: Admin, topics: readonly KafkaTopic[]): Promise<readonly string[]> => {
  const names = topics.map(({ name }) => name);
  const { brokers } = await admin.describeCluster();
  try {
    // The client's own wait for leaders gives up on a broker that has not heard of the topic yet.
    await admin.createTopics({ topics: topics.map((topic) => specOf(topic, brokers.length)), waitForLeaders: false });
    return names;
  } catch (thrown) {
    const refusals = refusalsOf(thrown);
    const real = refusals.find(({ type }) => type !== "TOPIC_ALREADY_EXISTS");
    if (refusals.length === 0 || real !== undefined)
      throw asFault(real ?? thrown, `creation of the topic ${real ? String(real.topic) : names.join(", ")}`);
    const others = new Set(refusals.map(({ topic }) => topic));
    return names.filter((name) => !others.has(name));
  }
};

const missing = (topics: readonly KafkaTopic[]): Fault => {
  const names = topics.map(({ name }) => name).join(", ");
  // Someone may make it at any moment, so it is waited for like a broker that is away.
  return new Fault(
    "unavailable",
    `the broker has no topic ${names}: make it by \`bun run vedette topics init\`, or set kafka.createTopics: true`,
    { details: { reason: "missing_topic", topics: topics.map(({ name }) => name) } },
  );
};

const tooFew = (topic: KafkaTopic, found: number): Fault =>
  new Fault(
    "conflict",
    `topic ${topic.name} has ${found} partitions, configured are ${topic.partitions}: raise them by ` +
      `\`vedette topics init --topic ${topic.definition.name} --partitions ${topic.partitions}\`, ` +
      `or set kafka.topics.${topic.definition.name}.partitions: ${found}`,
    { details: { reason: "too_few_partitions", topic: topic.name, partitions: found } },
  );

/** Not known everywhere yet, or without a leader for a moment. */
const unsettled = /^(UNKNOWN_TOPIC_OR_PARTITION|LEADER_NOT_AVAILABLE)$/;

const partitionsOf = async (admin: Admin, topics: readonly KafkaTopic[], clock: Clock): Promise<ReadonlyMap<string, number>> => {
  const endMs = clock.monotonicMs() + settleMs;
  for (;;) {
    try {
      const answer = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) });
      return new Map(answer.topics.map(({ name, partitions }) => [name, partitions.length]));
    } catch (thrown) {
      const mayCome = unsettled.test(protocolErrorOf(thrown) ?? "") && clock.monotonicMs() < endMs;
      if (!mayCome) throw asFault(thrown, `description of the topics ${topics.map(({ name }) => name).join(", ")}`);
      await delay(clock, settlePollMs);
    }
  }
};

export const ensureTopics = async (topics: readonly KafkaTopic[], ports: EnsurePorts): Promise<EnsuredTopics> => {
  const admin = createClient(ports.access, ports.log).admin();
  try {
    const { connectTimeoutMs } = ports.access;
    const late = () =>
      new Fault("unavailable", `no connection within ${connectTimeoutMs} ms`, { details: { reason: "timeout" } });
    await withinTime(ports.clock, connectTimeoutMs, admin.connect(), late);
    const there = new Set(await admin.listTopics());
    const lacking = topics.filter(({ name }) => !there.has(name));
    if (lacking.length > 0 && !ports.createTopics) throw missing(lacking);
    const created = lacking.length === 0 ? [] : await create(admin, lacking);
    const partitions = await partitionsOf(admin, topics, ports.clock);
    for (const topic of topics) {
      const found = partitions.get(topic.name) ?? 0;
      if (found < topic.partitions) throw tooFew(topic, found);
    }
    return { created, partitions };
  } catch (thrown) {
    throw thrown instanceof Fault ? thrown : asFault(thrown, "look at the topics");
  } finally {
    void admin.disconnect().catch(() => {}); // a connection that is being made is waited for by nobody
  }
};
