/** The topics of a Kafka cluster, under the names that this project gives them. Nothing is made unless it is asked for. */
import type { Admin } from "kafkajs";
import type { LoadedConfig } from "../../../config/load.ts";
import type { TopicDefinition } from "../../../protocols/topic.ts";
import type { Bus } from "../../../runtime/bus.ts";
import { createClient } from "../../../runtime/bus-kafka/client.ts";
import { ensureTopics } from "../../../runtime/bus-kafka/ensure.ts";
import { asFault } from "../../../runtime/bus-kafka/faults.ts";
import { type KafkaTopic, kafkaTopic } from "../../../runtime/bus-kafka/topic.ts";
import { openKafkaBus } from "../../../runtime/bus-kafka.ts";
import { delay } from "../../../runtime/clock.ts";
import { Fault } from "../../../runtime/errors.ts";
import { silentLog } from "../../../runtime/log.ts";
import { kafkaOptions } from "../../storage/kafka.ts";
import type { Session } from "../command.ts";
import { declaredTopics, type FoundTopic, type Records, unknownTopic, until } from "../records.ts";

const pollMs = 500;
const patienceMs = 15_000;

const optionsOf = (loaded: LoadedConfig, { clock }: Session) => kafkaOptions(loaded, { clock, log: silentLog });

const withAdmin = async <Answer>(
  loaded: LoadedConfig,
  session: Session,
  work: (admin: Admin) => Promise<Answer>,
): Promise<Answer> => {
  const { access } = optionsOf(loaded, session);
  const admin = createClient(access, silentLog).admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (thrown) {
    const fault = asFault(thrown, `Kafka at ${access.bootstrapServers.join(", ")}`);
    throw fault.code === "unavailable"
      ? new Fault(fault.code, `${fault.message}; bun run vedette doctor looks at each broker`)
      : fault;
  } finally {
    await admin.disconnect().catch(() => {}); // it is given up either way
  }
};

/** As the configuration would have it. */
const configured = ({ config }: LoadedConfig, definition: TopicDefinition<never>): KafkaTopic =>
  kafkaTopic(definition, config.kafka.topics, config.kafka.replication);

const existing = (loaded: LoadedConfig, admin: Admin): Promise<readonly FoundTopic[]> =>
  admin.listTopics().then(async (names) => {
    const there = new Set(names);
    const ours = declaredTopics.map((definition) => configured(loaded, definition)).filter(({ name }) => there.has(name));
    if (ours.length === 0) return [];
    const { topics } = await admin.fetchTopicMetadata({ topics: ours.map(({ name }) => name) });
    const partitions = new Map(topics.map((topic) => [topic.name, topic.partitions.length]));
    return ours.map(({ definition, name, retentionMs }) => ({
      ...{ name: definition.name, brokerName: name, retentionMs },
      partitions: partitions.get(name) ?? 0,
    }));
  });

/** Opens the bus on the topics that exist, with the partitions that they have. */
const openBus = async (loaded: LoadedConfig, session: Session, found: readonly FoundTopic[]): Promise<Bus> => {
  const options = optionsOf(loaded, session);
  const partitions = new Map(found.map((topic) => [topic.name, topic.partitions]));
  const topics = Object.fromEntries(
    Object.entries(options.topics).map(([name, topic]) => [
      name,
      { ...topic, partitions: partitions.get(name) ?? topic?.partitions },
    ]),
  );
  const bus = openKafkaBus({ ...options, topics, createTopics: false });
  // Fewer partitions than are declared are no hindrance to looking.
  const definitions = declaredTopics.flatMap((definition) => {
    const has = partitions.get(definition.name);
    return has === undefined ? [] : [{ ...definition, partitions: Math.min(definition.partitions, has) }];
  });
  try {
    if (definitions.length > 0) await bus.ensure(definitions);
    const { status, detail } = bus.health();
    if (status === "away") throw new Fault("unavailable", detail);
    return bus;
  } catch (thrown) {
    await bus.close();
    throw thrown;
  }
};

/** A cluster makes its own topic of offsets when it is first asked for some, and has no answer until then. */
const patient = async <Answer>(session: Session, ask: () => Promise<Answer>): Promise<Answer> => {
  let refusal: unknown = null;
  const found = await until({ ...session, pollMs }, patienceMs, async () => {
    try {
      return { answer: await ask() };
    } catch (thrown) {
      if (!(thrown instanceof Fault && thrown.retryable)) throw thrown;
      refusal = thrown;
      return null;
    }
  });
  if (found === null) throw refusal;
  return found.answer;
};

export const kafkaRecords = async (loaded: LoadedConfig, session: Session): Promise<Records> => {
  let found = await withAdmin(loaded, session, (admin) => existing(loaded, admin));
  let bus = await openBus(loaded, session, found);
  const refuseUnknown = (topic: string): void => {
    if (!found.some(({ name }) => name === topic))
      throw unknownTopic(
        topic,
        found.map(({ name }) => name),
      );
  };
  return {
    pollMs,
    /** Topics are made rarely: they are asked for again while some are missing. */
    async topics() {
      if (found.length < declaredTopics.length) {
        const now = await withAdmin(loaded, session, (admin) => existing(loaded, admin));
        if (now.length > found.length) {
          await bus.close();
          found = now;
          bus = await openBus(loaded, session, found);
        }
      }
      return found;
    },
    async groups(topic) {
      refuseUnknown(topic);
      const group = declaredTopics.find(({ name }) => name === topic)?.group ?? null;
      return group === null ? [] : [group];
    },
    async states(topic) {
      refuseUnknown(topic);
      return bus.states(topic);
    },
    committed: (topic, group) => patient(session, () => bus.committed(topic, group)),
    read: (topic, partition, offset, limit) => bus.read(topic, partition, offset, limit),
    offsetAt: (topic, partition, sinceMs) => bus.offsetAt(topic, partition, sinceMs),
    [Symbol.asyncDispose]: () => bus.close(),
  };
};

/** The bus to write to, on the topics that exist. */
export const openKafka = async (loaded: LoadedConfig, session: Session): Promise<Bus> => {
  const found = await withAdmin(loaded, session, (admin) => existing(loaded, admin));
  return openBus(loaded, session, found);
};

const raisedMs = 5_000;
const lookMs = 100;

/** The broker answers before all of it knows of the new partitions. */
const raise = async (admin: Admin, { clock }: Session, topic: string, count: number): Promise<void> => {
  await admin.createPartitions({ topicPartitions: [{ topic, count }] });
  for (const endMs = clock.monotonicMs() + raisedMs; clock.monotonicMs() < endMs; await delay(clock, lookMs)) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    if ((topics[0]?.partitions.length ?? 0) >= count) return;
  }
};

/** Makes topics, and gives those that are there more partitions; `replication` is clamped to the live brokers. */
export const makeKafkaTopics = async (
  loaded: LoadedConfig,
  session: Session,
  wanted: readonly {
    readonly definition: TopicDefinition<never>;
    readonly partitions: number | null;
    readonly replication: number | null;
  }[],
): Promise<void> => {
  const { access } = optionsOf(loaded, session);
  await withAdmin(loaded, session, async (admin) => {
    const there = new Map((await existing(loaded, admin)).map((topic) => [topic.name, topic]));
    const { brokers } = await admin.describeCluster();
    const targets: KafkaTopic[] = [];
    const clamped: string[] = [];
    for (const { definition, partitions, replication } of wanted) {
      const topic = configured(loaded, definition);
      const has = there.get(definition.name)?.partitions;
      if (has !== undefined && partitions !== null && partitions > has) await raise(admin, session, topic.name, partitions);
      const copies = replication ?? topic.replication;
      if (has === undefined && copies > brokers.length) clamped.push(topic.name);
      targets.push({ ...topic, replication: copies, partitions: partitions ?? topic.partitions });
    }
    if (clamped.length > 0)
      session.note(`note: one copy a broker is the most, and the cluster has ${brokers.length}: ${clamped.join(", ")}`);
    await ensureTopics(targets, { access, clock: session.clock, log: silentLog, createTopics: true });
  });
};
