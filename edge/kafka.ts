/** From the configuration to what the Kafka driver is given. */
import type { LoadedConfig } from "../config/load.ts";
import type { KafkaBusOptions } from "../runtime/bus-kafka.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";

const kafkaAccessOf = ({ config, resolveSecret }: LoadedConfig): KafkaBusOptions["access"] => {
  const { bootstrapServers, clientId, addressMap, ssl, sasl, connectTimeoutMs, requestTimeoutMs, retriesMax, retryBackoffMs } =
    config.kafka;
  return {
    ...{ bootstrapServers, clientId, addressMap, ssl, connectTimeoutMs, requestTimeoutMs, retriesMax, retryBackoffMs },
    // The configuration is refused where the password is missing.
    sasl: sasl && { mechanism: sasl.mechanism, username: sasl.username, password: resolveSecret(sasl) ?? "" },
  };
};

export const kafkaBusOptionsOf = (loaded: LoadedConfig, ports: { readonly clock: Clock; readonly log: Log }): KafkaBusOptions => {
  const { topics, createTopics, replication, compression, acks, idempotent, lingerMs, batchBytes, ...limits } =
    loaded.config.kafka;
  const { sessionTimeoutMs, heartbeatMs, fetchBytes, fetchMaxWaitMs } = limits;
  return {
    ...ports,
    ...{ access: kafkaAccessOf(loaded), topics, createTopics, replication },
    producer: { compression, acks, idempotent, lingerMs, batchBytes },
    group: { sessionTimeoutMs, heartbeatMs, fetchBytes, fetchMaxWaitMs },
    writes: null,
    reads: [],
  };
};
