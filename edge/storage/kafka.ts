/** From the configuration to the Kafka driver's options. */
import type { LoadedConfig } from "../../config/load.ts";
import { tracksEvents } from "../../protocols/tracks.ts";
import type { KafkaAccess } from "../../runtime/bus-kafka/client.ts";
import type { RecordForm } from "../../runtime/bus-kafka/records.ts";
import type { KafkaBusOptions } from "../../runtime/bus-kafka.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { originalForm } from "./original.ts";
import { tracksForm } from "./tracks-form.ts";

/** How this process reaches the cluster; the password is read from where the configuration says. */
export const kafkaAccess = ({ config, resolveSecret }: LoadedConfig): KafkaAccess => {
  const { kafka } = config;
  const { bootstrapServers, clientId, addressMap, ssl, sasl } = kafka;
  const { connectTimeoutMs, requestTimeoutMs, retriesMax, retryBackoffMs } = kafka;
  return {
    ...{ bootstrapServers, clientId, addressMap, ssl },
    ...{ connectTimeoutMs, requestTimeoutMs, retriesMax, retryBackoffMs },
    sasl: sasl === null ? null : { mechanism: sasl.mechanism, username: sasl.username, password: resolveSecret(sasl) ?? "" },
  };
};

const original = ({ config }: LoadedConfig): RecordForm => originalForm({ deadlineMs: config.tasks.deadlineMs });

/** The forms in which values are written, each for topics of its own; null where all is MessagePack. */
export const writtenForm = (loaded: LoadedConfig): RecordForm | null => {
  const { format, tracksTopic } = loaded.config.kafka;
  const [first, second] = [...(format === "json" ? [original(loaded)] : []), ...(tracksTopic === null ? [] : [tracksForm()])];
  if (!first || !second) return first ?? null;
  return { ...first, write: (topic, type, bytes) => first.write(topic, type, bytes) ?? second.write(topic, type, bytes) };
};

export const kafkaOptions = (loaded: LoadedConfig, ports: { readonly clock: Clock; readonly log: Log }): KafkaBusOptions => {
  const { kafka } = loaded.config;
  const { compression, acks, idempotent, lingerMs, batchBytes } = kafka;
  const { sessionTimeoutMs, heartbeatMs, fetchBytes, fetchMaxWaitMs } = kafka;
  return {
    ...ports,
    access: kafkaAccess(loaded),
    topics: kafka.tracksTopic === null ? kafka.topics : { ...kafka.topics, [tracksEvents.name]: { name: kafka.tracksTopic } },
    createTopics: kafka.createTopics,
    replication: kafka.replication,
    producer: { compression, acks, idempotent, lingerMs, batchBytes },
    group: { sessionTimeoutMs, heartbeatMs, fetchBytes, fetchMaxWaitMs },
    writes: writtenForm(loaded),
    // By what a record says of itself, so that a topic may hold both.
    reads: [original(loaded)],
  };
};
