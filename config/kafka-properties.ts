/**
 * Properties of other Kafka clients that people bring along: what each one is called here, or why it has no counterpart.
 * A seed's kafka.yaml is mapped by this table; in our own configuration the same row makes the refusal helpful.
 * Names as in the Java client's documentation and in librdkafka's CONFIGURATION.md.
 */
type Property = {
  /** Our key. Absent when nothing can be set. */
  readonly to?: string;
  /** The value in our terms; `undefined` when it cannot be honoured, and then `note` says what stands instead. */
  readonly convert?: (value: unknown) => unknown;
  /** The setting of ours that serves its purpose, where the value itself cannot be carried over. */
  readonly instead?: string;
  /** Why it is not taken as it is, and what stands instead. */
  readonly note?: string;
  readonly of?: "the Java client" | "librdkafka";
  readonly isPassword?: boolean;
};

const only =
  (accepted: readonly unknown[], value: unknown) =>
  (given: unknown): unknown =>
    accepted.includes(typeof given === "string" ? given.toLowerCase() : given) ? value : undefined;
const lower = (value: unknown): unknown => (typeof value === "string" ? value.toLowerCase() : value);

/** `a:1,b:2`, as other clients write it, or a list. */
const servers = (value: unknown): unknown => (typeof value === "string" ? value.split(",").map((each) => each.trim()) : value);

const fetched = "a fetch is bounded by kafka.fetchBytes, and a full mailbox pauses its partition";
const committed = "an offset is committed when everything that its record caused is durable";
const spooled = "what the broker has not taken waits in the spool, bounded by bus.spoolMaxBytes";
const topicSize = "a topic's limit stands in kafka.topics.<topic>.maxBytes";
const clientCertificate = "clients log in by kafka.sasl; certificates of clients are not offered";
const ownGroups = "consumer groups have fixed names: simple-task-generator, llm-task-scheduler, result-aggregator";

const rows: Readonly<Record<string, Property>> = {
  "bootstrap.servers": { to: "kafka.bootstrapServers", convert: servers },
  bootstrap: { to: "kafka.bootstrapServers", convert: servers },
  brokers: { to: "kafka.bootstrapServers", convert: servers },
  "metadata.broker.list": { to: "kafka.bootstrapServers", convert: servers, of: "librdkafka" },
  "client.id": { to: "kafka.clientId" },
  "address.map": { to: "kafka.addressMap" },

  acks: {
    to: "kafka.acks",
    convert: only(["all", -1, "-1"], "all"),
    note: "raised to all: an idempotent producer needs every in-sync copy",
  },
  "request.required.acks": {
    to: "kafka.acks",
    convert: only(["all", -1, "-1"], "all"),
    note: "raised to all: an idempotent producer needs every in-sync copy",
    of: "librdkafka",
  },
  "enable.idempotence": {
    to: "kafka.idempotent",
    convert: only([true, "true"], true),
    note: "stays true: without it a retry may store a record twice",
  },
  "compression.type": { to: "kafka.compression", convert: lower },
  "compression.codec": { to: "kafka.compression", convert: lower, of: "librdkafka" },
  compression: { to: "kafka.compression", convert: lower },
  "linger.ms": { to: "kafka.lingerMs" },
  linger: { to: "kafka.lingerMs" },
  "queue.buffering.max.ms": { to: "kafka.lingerMs", of: "librdkafka" },
  "batch.size": { to: "kafka.batchBytes" },
  batch: { to: "kafka.batchBytes" },
  "max.batch.size": { to: "kafka.batchBytes" },
  retries: { to: "kafka.retriesMax" },
  "retry.backoff.ms": { to: "kafka.retryBackoffMs" },
  "retry.backoff": { to: "kafka.retryBackoffMs" },
  backoff: { to: "kafka.retryBackoffMs" },
  "request.timeout.ms": { to: "kafka.requestTimeoutMs" },
  "socket.connection.setup.timeout.ms": { to: "kafka.connectTimeoutMs" },
  "buffer.memory": { instead: "bus.spoolMaxBytes", note: spooled, of: "the Java client" },
  buffer: { instead: "bus.spoolMaxBytes", note: spooled },
  "queue.buffering.max.kbytes": { instead: "bus.spoolMaxBytes", note: spooled, of: "librdkafka" },
  "queue.buffering.max.messages": { instead: "bus.spoolMaxBytes", note: spooled, of: "librdkafka" },
  "max.block.ms": { instead: "bus.spoolMaxBytes", note: spooled, of: "the Java client" },
  "delivery.timeout.ms": { instead: "bus.spoolMaxBytes", note: spooled },
  "max.request.size": { instead: "kafka.topics.<topic>.maxBytes", note: topicSize, of: "the Java client" },
  "max.request": { instead: "kafka.topics.<topic>.maxBytes", note: topicSize },
  "message.max.bytes": { instead: "kafka.topics.<topic>.maxBytes", note: topicSize, of: "librdkafka" },
  "max.in.flight.requests.per.connection": { note: "one batch per partition is in flight, which keeps the order" },
  "transactional.id": { note: "delivery is at least once with unique ids; no transaction is opened" },

  "session.timeout.ms": { to: "kafka.sessionTimeoutMs" },
  session: { to: "kafka.sessionTimeoutMs" },
  "heartbeat.interval.ms": { to: "kafka.heartbeatMs" },
  heartbeat: { to: "kafka.heartbeatMs" },
  "max.partition.fetch.bytes": { to: "kafka.fetchBytes" },
  "fetch.message.max.bytes": { to: "kafka.fetchBytes", of: "librdkafka" },
  "fetch.max.bytes": { to: "kafka.fetchBytes", of: "the Java client" },
  "fetch.max.wait.ms": { to: "kafka.fetchMaxWaitMs" },
  "fetch.max.wait": { to: "kafka.fetchMaxWaitMs" },
  "fetch.wait.max.ms": { to: "kafka.fetchMaxWaitMs", of: "librdkafka" },
  "fetch.min.bytes": {
    instead: "kafka.fetchMaxWaitMs",
    note: "a fetch returns as soon as there is a record; kafka.fetchMaxWaitMs bounds the wait",
  },
  "fetch.min": {
    instead: "kafka.fetchMaxWaitMs",
    note: "a fetch returns as soon as there is a record; kafka.fetchMaxWaitMs bounds the wait",
  },
  "max.poll.records": { instead: "kafka.fetchBytes", note: fetched, of: "the Java client" },
  "max.poll.interval.ms": {
    instead: "kafka.sessionTimeoutMs",
    note: "heartbeats go on while records are worked on; kafka.sessionTimeoutMs decides",
    of: "the Java client",
  },
  "queued.max.messages.kbytes": { instead: "kafka.fetchBytes", note: fetched, of: "librdkafka" },
  "queued.min.messages": { instead: "kafka.fetchBytes", note: fetched, of: "librdkafka" },
  "auto.offset.reset": {
    convert: only(["earliest"], null),
    note: "earliest stands: records sent before the first start must not be lost",
  },
  "enable.auto.commit": { convert: only([false, "false"], null), note: committed },
  "auto.commit": { convert: only([false, "false"], null), note: committed },
  "auto.commit.interval.ms": { note: committed },
  "auto.commit.interval": { note: committed },
  "enable.auto.offset.store": { note: committed, of: "librdkafka" },
  "isolation.level": {
    convert: only(["read_committed"], null),
    note: "read_committed stands: what a producer took back is not shown",
  },
  "group.id": { note: ownGroups },
  "group.id.prefix": { note: ownGroups },
  "partition.assignment.strategy": { note: "the client's own assignment stands" },
  "partitioner.class": { note: "murmur2 of the camera's id stands, so that every driver agrees", of: "the Java client" },
  partitioner: { note: "murmur2 of the camera's id stands, so that every driver agrees", of: "librdkafka" },
  "metadata.max.age.ms": { note: "metadata is read again when a broker says that it changed" },
  "reconnect.backoff.ms": { note: "reconnecting backs off from kafka.retryBackoffMs, with jitter, up to 30 s" },
  "reconnect.backoff.max.ms": { note: "reconnecting backs off from kafka.retryBackoffMs, with jitter, up to 30 s" },
  "reconnect.backoff": { note: "reconnecting backs off from kafka.retryBackoffMs, with jitter, up to 30 s" },
  "connections.max.idle.ms": { note: "connections stay open while the process runs" },
  "api.version": { note: "the client asks the broker for its versions" },
  "api.version.request": { note: "the client asks the broker for its versions", of: "librdkafka" },
  "key.serializer": { note: "kafka.format decides the form of values", of: "the Java client" },
  "value.serializer": { note: "kafka.format decides the form of values", of: "the Java client" },
  "key.deserializer": { note: "kafka.format decides the form of values", of: "the Java client" },
  "value.deserializer": { note: "kafka.format decides the form of values", of: "the Java client" },

  "security.protocol": {
    to: "kafka.ssl",
    convert: (value) => ({ plaintext: false, ssl: true, sasl_ssl: true, sasl_plaintext: false })[String(value).toLowerCase()],
    note: "expected PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; kafka.ssl stands as it is",
  },
  "sasl.mechanism": { to: "kafka.sasl.mechanism", convert: lower },
  "sasl.mechanisms": { to: "kafka.sasl.mechanism", convert: lower, of: "librdkafka" },
  "sasl.username": { to: "kafka.sasl.username" },
  "sasl.plain.username": { to: "kafka.sasl.username" },
  "sasl.password": { isPassword: true, note: "keep the password in a variable and name it: kafka.sasl.env" },
  "sasl.plain.password": { isPassword: true, note: "keep the password in a variable and name it: kafka.sasl.env" },
  "sasl.jaas.config": { note: "write kafka.sasl: { mechanism, username, env }", of: "the Java client" },
  "ssl.certificate.location": { note: clientCertificate, of: "librdkafka" },
  "ssl.key.location": { note: clientCertificate, of: "librdkafka" },
  "ssl.key.password": { note: clientCertificate },
  "ssl.keystore.location": { note: clientCertificate, of: "the Java client" },
  "ssl.keystore.password": { note: clientCertificate, of: "the Java client" },
  "ssl.truststore.password": { note: "the system's store of authorities needs none", of: "the Java client" },
  "ssl.ca.location": { note: "trust the authority in the system's store, or name it in NODE_EXTRA_CA_CERTS" },
  "ssl.truststore.location": {
    note: "trust the authority in the system's store, or name it in NODE_EXTRA_CA_CERTS",
    of: "the Java client",
  },
};

const squash = (name: string): string => name.replace(/[^a-z0-9]/gi, "").toLowerCase();
const bySquashedName = new Map(Object.entries(rows).map(([name, row]) => [squash(name), row]));

/** The row of a property, in whatever spelling: `max.poll.records`, `max_poll_records`, `maxPollRecords`. */
export const kafkaProperty = (name: string): Property | null => bySquashedName.get(squash(name)) ?? null;

/** Why a property of another client is refused in our configuration, and what to write instead. */
export const kafkaRefusal = (name: string): string | null => {
  const row = kafkaProperty(name);
  if (!row) return null;
  const whose = row.of ? ` is a property of ${row.of}` : " is another client's property";
  if (row.to) return `"${name}"${whose}; write ${row.to}`;
  return `"${name}"${whose}; ${row.instead ? `use ${row.instead}` : "leave it out"}: ${row.note}`;
};
