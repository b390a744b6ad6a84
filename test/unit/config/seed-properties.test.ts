/** Every property that stands in a published file of the earlier systems: what it becomes here, or the reason it does not. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { kafkaRefusal } from "../../../config/kafka-properties.ts";
import { type ConfigOptions, type LoadedConfig, loadConfig } from "../../../config/load.ts";
import { printConfig } from "../../../config/print.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "vedette-seeds-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const load = (flag: "keys" | "kafka" | "config", tree: unknown, more: ConfigOptions = {}): LoadedConfig => {
  writeFileSync(join(root, "seed.yaml"), typeof tree === "string" ? tree : stringify(tree));
  return loadConfig({
    root,
    environment: {},
    ...(flag === "config" ? { config: ["seed.yaml"] } : { [flag]: "seed.yaml" }),
    ...more,
  });
};

const valueAt = (config: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((outer, key) => (outer as Readonly<Record<string, unknown>>)[key], config); // a path of this table

type Outcome =
  | { readonly kind: "becomes"; readonly path: string; readonly value: unknown }
  | { readonly kind: "told"; readonly part: string }
  | { readonly kind: "so already" };
type Row = readonly [property: string, value: unknown, outcome: Outcome];

const becomes = (path: string, value: unknown): Outcome => ({ kind: "becomes", path, value });
/** Of one warning. */
const isTold = (part: string): Outcome => ({ kind: "told", part });
const isSoAlready: Outcome = { kind: "so already" };

const check = ({ config, warnings }: LoadedConfig, outcome: Outcome) => {
  const told = warnings.filter((warning) => warning.startsWith("seed.yaml"));
  expect(told).toHaveLength(outcome.kind === "told" ? 1 : 0);
  if (outcome.kind === "becomes") expect(valueAt(config, outcome.path)).toEqual(outcome.value);
  if (outcome.kind !== "told") return;
  expect(told[0]).toContain(outcome.part);
  expect(told[0]).not.toContain("unknown");
};

const committed = "when everything that its record caused is durable";
const groups = "consumer groups have fixed names";
const fetched = "kafka.fetchBytes";

/** Seed 002's consumer and producer, as the client takes them, and its table of names. */
const clientProperties: readonly Row[] = [
  ["bootstrap.servers", "localhost:9092", becomes("kafka.bootstrapServers", ["localhost:9092"])],
  ["group.id", "my-consumer-group", isTold(groups)],
  ["auto.offset.reset", "latest", isTold("earliest stands")],
  ["auto.offset.reset", "earliest", isSoAlready],
  ["enable.auto.commit", true, isTold(committed)],
  ["auto.commit.interval.ms", 5_000, isTold(committed)],
  ["max.poll.records", 500, isTold(fetched)],
  ["queued.max.messages.kbytes", 65_536, isTold(fetched)],
  ["session.timeout.ms", 45_000, becomes("kafka.sessionTimeoutMs", 45_000)],
  ["heartbeat.interval.ms", 4_000, becomes("kafka.heartbeatMs", 4_000)],
  ["fetch.message.max.bytes", 2_097_152, becomes("kafka.fetchBytes", 2_097_152)],
  ["fetch.max.bytes", 2_097_152, becomes("kafka.fetchBytes", 2_097_152)],
  ["max.partition.fetch.bytes", 524_288, becomes("kafka.fetchBytes", 524_288)],
  ["enable.auto.offset.store", true, isTold(committed)],
  ["isolation.level", "read_committed", isSoAlready],
  ["compression.type", "gzip", becomes("kafka.compression", "gzip")],
  ["linger.ms", 25, becomes("kafka.lingerMs", 25)],
  ["batch.size", 65_536, becomes("kafka.batchBytes", 65_536)],
  ["acks", 1, isTold("raised to all")],
  ["acks", "all", becomes("kafka.acks", "all")],
  ["acks", -1, becomes("kafka.acks", "all")],
  ["retries", 7, becomes("kafka.retriesMax", 7)],
  ["retry.backoff.ms", 250, becomes("kafka.retryBackoffMs", 250)],
  ["enable.idempotence", true, becomes("kafka.idempotent", true)],
];

describe("a client's own properties", () => {
  test.each(clientProperties)("%s: %p", (name, value, outcome) => {
    check(load("kafka", { "client.id": "x", [name]: value }), outcome);
    const section = /acks|compression|linger|batch|retr|idempotence/.test(name) ? "producer" : "consumer";
    check(load("kafka", { [section]: { [name]: value } }), outcome);
    check(load("kafka", { [section]: { [name.replaceAll(".", "_")]: value } }), outcome);
  });

  test.each(clientProperties.map(([name]) => name))("%s in our own configuration is refused by its name", (name) => {
    if (name === "acks") return expect(() => load("config", { kafka: { acks: 1 } })).toThrow(/kafka\.acks: 1 contradicts/);
    expect(kafkaRefusal(name)).toContain(`"${name}"`);
    expect(() => load("config", { server: { port: 0 }, kafka: { [name]: 1 } })).toThrow(/seed\.yaml:4: kafka\./);
    // The first part of this one is a setting of ours.
    if (name !== "compression.type")
      expect(() => loadConfig({ root, environment: {}, set: [`kafka.${name}=1`] })).toThrow(`"${name}"`);
  });
});

/** kafka.yaml of the traffic monitor. */
const monitorRows: readonly Row[] = [
  ["bootstrap_servers", ["a:9092", "b:9092"], becomes("kafka.bootstrapServers", ["a:9092", "b:9092"])],
  ["topics.detection_results.name", "det", becomes("kafka.topics.detection-results.name", "det")],
  ["topics.detection_results.partitions", 32, becomes("kafka.topics.detection-results.partitions", 32)],
  ["topics.assessment_tasks.replication_factor", 2, becomes("kafka.topics.assessment-tasks.replication", 2)],
  [
    "topics.risk_assessment_results.retention_ms",
    7_200_000,
    becomes("kafka.topics.risk-assessment-results.retentionMs", 7_200_000),
  ],
  ["producer.buffer_memory", 33_554_432, isTold("bus.spoolMaxBytes")],
  ["producer.max_request_size", 1_048_576, isTold("maxBytes")],
  ["consumer.group_id_prefix", "traffic-monitor", isTold(groups)],
  ["consumer.fetch_min_bytes", 1_024, isTold("kafka.fetchMaxWaitMs")],
  ["consumer.fetch_max_wait_ms", 250, becomes("kafka.fetchMaxWaitMs", 250)],
  ["consumer.max_poll_interval_ms", 300_000, isTold("kafka.sessionTimeoutMs")],
  ["consumer.isolation_level", "read_uncommitted", isTold("read_committed stands")],
  ["connection.reconnect_backoff_ms", 50, isTold("backs off")],
  ["connection.reconnect_backoff_max_ms", 1_000, isTold("backs off")],
  ["security.protocol", "PLAINTEXT", becomes("kafka.ssl", false)],
  ["security.protocol", "SSL", becomes("kafka.ssl", true)],
  ["scheduler.max_concurrent_tasks", 100, becomes("llm.maxConcurrentTasks", 100)],
];

/** `a.b.c` and a value as a tree. */
const treeOf = (path: string, value: unknown): Record<string, unknown> =>
  path
    .split(".")
    .toReversed()
    .reduce<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>; // a path has a key

describe("kafka.yaml", () => {
  test.each(monitorRows)("%s: %p", (path, value, outcome) => {
    const { config, ...loaded } = load("kafka", { bootstrap_servers: ["a:9092"], ...treeOf(path, value) });
    expect(config.bus.driver).toBe("kafka");
    check({ config, ...loaded }, outcome);
  });

  test("a login's password stays in the file, is read when needed, and is not printed", () => {
    const loaded = load(
      "kafka",
      "bootstrap_servers: a:9092\nsecurity:\n  protocol: SASL_SSL\n  sasl: { mechanism: SCRAM-SHA-256, username: ops, password: horse-battery }\n",
    );
    const { sasl, ssl } = loaded.config.kafka;
    expect({ sasl, ssl, warnings: loaded.warnings }).toEqual({
      sasl: { mechanism: "scram-sha-256", username: "ops", file: "seed.yaml", entry: "security/sasl/password" },
      ssl: true,
      warnings: [],
    });
    expect(sasl && loaded.resolveSecret(sasl)).toBe("horse-battery");
    expect(loaded.secrets()).toContain("horse-battery");
    expect(printConfig(loaded)).not.toContain("horse");
  });

  test("a login without a password is refused at its line", () => {
    expect(() => load("kafka", "bootstrap_servers: a:9092\n\nsecurity:\n  sasl: { mechanism: PLAIN, username: ops }\n")).toThrow(
      /seed\.yaml:4: kafka\.sasl: expected either env: NAME or file: PATH/,
    );
  });
});

/** Seed 004 §5. */
const pipelineRows: readonly Row[] = [
  ["enabled", true, becomes("bus.driver", "kafka")],
  ["enabled", false, becomes("bus.driver", "embedded")],
  ["bootstrap_servers", "localhost:9092", becomes("kafka.bootstrapServers", ["localhost:9092"])],
  ["topic", "analytics.events", becomes("kafka.tracksTopic", "analytics.events")],
  ["linger_ms", 15, becomes("kafka.lingerMs", 15)],
  ["max_batch_size", 16_384, becomes("kafka.batchBytes", 16_384)],
  ["include_frames", true, becomes("cameras.preview.bus", true)],
  ["frame_quality", 60, becomes("cameras.preview.quality", 60)],
];

describe("the kafka block of a pipeline's file", () => {
  test.each(pipelineRows)("%s: %p", (name, value, outcome) => {
    for (const flag of ["kafka", "config"] as const) check(load(flag, { kafka: { topic: "t", [name]: value } }), outcome);
  });
});

const key = { key_id: "key-001", key: "sk-first00001" };
const keysRows: readonly Row[] = [
  ["api_keys", [{ ...key, qps_limit: 10 }], becomes("llm.groups.0.limits", { rps: 10 })],
  ["api_keys", [{ ...key, rpm_limit: 300 }], becomes("llm.groups.0.limits", { rpm: 300 })],
  ["api_keys", [{ ...key, priority: 2 }], becomes("llm.groups.0.keys.0.priority", 2)],
  ["api_keys", [{ ...key, enabled: false }], becomes("llm.groups.0.keys.0.enabled", false)],
  ["keys", [{ id: "key-001", api_key: "sk-first00001" }], becomes("llm.groups.0.keys.0.id", "key-001")],
  ["keys", [{ id: "key-001", api_key: "sk-first00001", rpm_limit: 600 }], becomes("llm.groups.0.limits", { rpm: 600 })],
  ["selection_strategy", "round_robin", becomes("llm.selection", "round_robin")],
  ["global_qps_limit", 100, becomes("llm.limits.rps", 100)],
  ["cooling.min_cooldown", 5, becomes("llm.cooldown.minMs", 5_000)],
  ["cooling.max_cooldown", 60, becomes("llm.cooldown.maxMs", 60_000)],
  ["scheduler.max_concurrent_tasks", 80, becomes("llm.maxConcurrentTasks", 80)],
  ["scheduler.key_cooldown_seconds", 30, becomes("llm.cooldown.fixedMs", 30_000)],
  ["scheduler.retry_max_attempts", 1, becomes("llm.retriesMax", 1)],
  ["scheduler.timeout_seconds", 35, becomes("llm.timeoutMs", 35_000)],
  ["scheduler.strategy", "weighted", becomes("llm.selection", "weighted")],
  ["scheduler.adaptive_cooldown.enabled", false, becomes("llm.cooldown.adaptive", false)],
  ["scheduler.adaptive_cooldown.min_cooldown", 10, becomes("llm.cooldown.minMs", 10_000)],
  ["scheduler.adaptive_cooldown.max_cooldown", 120, becomes("llm.cooldown.maxMs", 120_000)],
  ["scheduler.adaptive_cooldown.failure_threshold", 0.2, isTold("the share sets how long")],
  ["scheduler.rate_limit.enabled", true, isSoAlready],
  ["scheduler.rate_limit.global_qps_limit", 100, becomes("llm.limits.rps", 100)],
  ["scheduler.rate_limit.window_size", 1, isTold("every window")],
  ["scheduler.health_check", { enabled: true, interval: 60, timeout: 10, failure_threshold: 3 }, isTold("keys verify")],
  ["monitoring.prometheus", { enabled: true, port: 9091, path: "/metrics" }, becomes("observability.port", 9_091)],
  ["monitoring.log_level", "WARNING", becomes("observability.logLevel", "warn")],
  ["monitoring.slow_query_threshold", 3, isTold("llm_latency_seconds")],
];

describe("api_keys.yaml", () => {
  test.each(keysRows)("%s: %j", (path, value, outcome) => {
    const holder = path.startsWith("keys") || path.startsWith("api_keys") ? {} : { api_keys: [key] };
    check(load("keys", { ...holder, ...treeOf(path, value) }), outcome);
  });
});

const monitoringRows: readonly Row[] = [
  ["prometheus.port", 9_090, becomes("observability.port", 9_090)],
  ["prometheus.enabled", true, isSoAlready],
  ["prometheus.path", "/metrics", isSoAlready],
  ["prometheus.host", "0.0.0.0", isTold("server.host")],
  ["prometheus.scrape_interval", "15s", isTold("Prometheus")],
  ["prometheus.interval_seconds", 5, isTold("Prometheus")],
  ["grafana", { port: 3_000 }, isTold("deploy/")],
  ["alerts", { high_latency: {} }, isTold("deploy/")],
  ["logging", { level: "INFO" }, isTold("observability.logLevel")],
  ["tracing", { enabled: false }, isTold("trace")],
  ["health_checks", { interval: 60 }, isTold("/readyz")],
  ["profiling", { enabled: false }, isTold("not offered")],
  ["audit_log", { enabled: true }, isTold("log events")],
];

describe("monitoring.yaml", () => {
  test.each(monitoringRows)("%s: %j", (path, value, outcome) => {
    const holder = path.startsWith("prometheus") ? {} : { prometheus: { enabled: true } };
    check(load("config", { ...holder, ...treeOf(path, value) }), outcome);
  });
});
