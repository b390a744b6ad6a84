/** Makes sure of topics: creates those that are missing, and judges those that are there. */
import type { Admin, ITopicConfig } from "kafkajs";
import { Fault, reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { createClient, type KafkaAccess } from "./client.ts";
import { asFault, protocolErrorOf } from "./faults.ts";
import type { KafkaTopic } from "./topic.ts";

export type EnsurePorts = { readonly access: KafkaAccess; readonly log: Log; readonly createTopics: boolean };

/** `partitions` as the broker has them, by the name the broker knows. */
export type EnsuredTopics = { readonly created: readonly string[]; readonly partitions: ReadonlyMap<string, number> };

const dayMs = 86_400_000;

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

/** Someone else may have made it meanwhile. */
const isThere = (thrown: unknown): boolean => protocolErrorOf(thrown) === "TOPIC_ALREADY_EXISTS";

const create = async (admin: Admin, topic: KafkaTopic, brokers: number): Promise<boolean> => {
  try {
    await admin.createTopics({ topics: [specOf(topic, brokers)], waitForLeaders: true });
    return true;
  } catch (thrown) {
    if (isThere(thrown)) return false;
    throw asFault(thrown, `creation of the topic ${topic.name}`);
  }
};

const missing = (topics: readonly KafkaTopic[]): Fault => {
  const names = topics.map(({ name }) => name).join(", ");
  return new Fault(
    "not_found",
    `the broker has no topic ${names}: make it by \`vedette topics init\`, or set kafka.createTopics: true`,
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

const partitionsOf = async (admin: Admin, topics: readonly KafkaTopic[]): Promise<ReadonlyMap<string, number>> => {
  try {
    const answer = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) });
    return new Map(answer.topics.map(({ name, partitions }) => [name, partitions.length]));
  } catch (thrown) {
    throw asFault(thrown, `description of the topics ${topics.map(({ name }) => name).join(", ")}`);
  }
};

export const ensureTopics = async (topics: readonly KafkaTopic[], ports: EnsurePorts): Promise<EnsuredTopics> => {
  const admin = createClient(ports.access, ports.log).admin();
  try {
    await admin.connect();
    const there = new Set(await admin.listTopics());
    const lacking = topics.filter(({ name }) => !there.has(name));
    if (lacking.length > 0 && !ports.createTopics) throw missing(lacking);
    const created: string[] = [];
    if (lacking.length > 0) {
      const { brokers } = await admin.describeCluster();
      for (const topic of lacking) if (await create(admin, topic, brokers.length)) created.push(topic.name);
    }
    const partitions = await partitionsOf(admin, topics);
    for (const topic of topics) {
      const found = partitions.get(topic.name) ?? 0;
      if (found < topic.partitions) throw tooFew(topic, found);
    }
    return { created, partitions };
  } catch (thrown) {
    throw thrown instanceof Fault ? thrown : asFault(thrown, `look at the topics (${reasonOf(thrown)})`);
  } finally {
    await admin.disconnect().catch(() => {});
  }
};
