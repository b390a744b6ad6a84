import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConfigOptions, loadConfig } from "../../../config/load.ts";
import { printConfig } from "../../../config/print.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "vedette-seeds-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const load = (flag: "keys" | "kafka" | "config", text: string, options: ConfigOptions = {}) => {
  writeFileSync(join(root, "seed.yaml"), text);
  return loadConfig({
    root,
    environment: {},
    ...(flag === "config" ? { config: ["seed.yaml"] } : { [flag]: "seed.yaml" }),
    ...options,
  });
};

const monitorKeys = `
api_keys:
  - { key: sk-first00001, key_id: key-001, qps_limit: 10, rpm_limit: 300, enabled: true, priority: 1 }
  - { key: sk-second0002, key_id: key-002, qps_limit: 5, rpm_limit: 600, enabled: false, priority: 2 }
  - { key: sk-third00003, key_id: key-003, qps_limit: 8, account: team }
  - { key: sk-fourth0004, key_id: key-004, qps_limit: 4, account: team, rate: 3 }
  - { key_id: key-005 }
scheduler:
  max_concurrent_tasks: 80
  key_cooldown_seconds: 30
  retry_max_attempts: 1
  timeout_seconds: 35
  strategy: weighted
  adaptive_cooldown: { enabled: true, min_cooldown: 5, max_cooldown: 60, failure_threshold: 0.2 }
  rate_limit: { enabled: true, global_qps_limit: 100, window_size: 1 }
  health_check: { enabled: true, interval: 60 }
monitoring:
  prometheus: { enabled: true, port: 9091, path: /metrics }
  log_level: INFO
  slow_query_threshold: 3.0
`;

const guideKeys = `
keys:
  - id: key-001
    api_key: "sk-guide00001"
    priority: 1
    qps_limit: 10
    rpm_limit: 600
selection_strategy: round_robin
cooling:
  min_cooldown: 5
  max_cooldown: 60
`;

describe("api_keys.yaml", () => {
  test("the shape of the monitor: each key its own group unless an account is given", () => {
    const { config, warnings } = load("keys", monitorKeys);
    const { llm, observability } = config;
    expect(llm.groups.map(({ name, limits, keys }) => ({ name, limits, keys: keys.map(({ id }) => id) }))).toEqual([
      { name: "key-001", limits: { rps: 10, rpm: 300 }, keys: ["key-001"] },
      { name: "key-002", limits: { rps: 5, rpm: 600 }, keys: ["key-002"] },
      { name: "team", limits: { rps: 4 }, keys: ["key-003", "key-004"] },
    ]);
    expect(llm.groups[1]?.keys[0]).toMatchObject({ enabled: false, priority: 2 });
    expect(llm).toMatchObject({
      maxConcurrentTasks: 80,
      retriesMax: 1,
      timeoutMs: 35_000,
      selection: "weighted",
      limits: { rps: 100 },
      cooldown: { adaptive: true, minMs: 5_000, maxMs: 60_000, fixedMs: 30_000 },
    });
    expect(observability).toMatchObject({ port: 9091, logLevel: "info" });
    expect(warnings.map((warning) => warning.split(":").slice(0, 3).join(":"))).toEqual([
      "seed.yaml:6 api_keys.3.rate: unknown key, not read",
      "seed.yaml:7 api_keys.4: key-005 has no key; left out",
      "seed.yaml:14 scheduler.adaptive_cooldown.failure_threshold: not read",
      "seed.yaml:15 scheduler.rate_limit.window_size: not read",
      "seed.yaml:16 scheduler.health_check: not read",
      "seed.yaml:20 monitoring.slow_query_threshold: not read",
    ]);
  });

  test("the shape of the guide", () => {
    const { config, warnings } = load("keys", guideKeys);
    expect(config.llm).toMatchObject({ selection: "round_robin", cooldown: { minMs: 5_000, maxMs: 60_000 } });
    expect(config.llm.groups[0]).toMatchObject({ name: "key-001", limits: { rps: 10, rpm: 600 }, model: "qwen-vl-plus" });
    expect(warnings).toEqual(["llm.groups hold 1 usable key, fewer than llm.minKeys 3: add keys, or lower llm.minKeys"]);
  });

  test.each([
    ["the monitor's", monitorKeys, "key-003", "sk-third00003"],
    ["the guide's", guideKeys, "key-001", "sk-guide00001"],
  ])("values stay in the file: %s key is read when needed and never printed", (_whose, text, id, value) => {
    const loaded = load("keys", text);
    const key = loaded.config.llm.groups.flatMap(({ keys }) => keys).find((each) => each.id === id);
    expect(key && loaded.resolveSecret(key)).toBe(value);
    expect(printConfig(loaded) + JSON.stringify([loaded.config, loaded.warnings])).not.toContain(value);
  });

  test("a key's limit that is no number is refused at its line", () => {
    expect(() => load("keys", "keys:\n  - { id: a, api_key: k, priority: high }")).toThrow(
      /seed\.yaml:2: llm\.groups\.0\.keys\.0\.priority: expected number, got "high"/,
    );
  });

  test("a file of another kind is refused", () => {
    expect(() => load("keys", "cameras: []")).toThrow(/seed\.yaml:1: expected a file with api_keys: or keys:/);
  });
});

describe("kafka.yaml", () => {
  const monitorKafka = `
bootstrap_servers:
  - "kafka-1:9092"
  - "kafka-2:9092"
topics:
  detection_results: { name: det, partitions: 32, replication_factor: 2, retention_ms: 7200000 }
  assessment_task: { name: t }
producer: { compression_type: snappy, acks: 1, linger_ms: 20, batch_size: 65536, buffer_memory: 33554432, retries: 5, retry_backoff_ms: 200, enable_idempotence: true }
consumer:
  group_id_prefix: traffic-monitor
  enable_auto_commit: true
  auto_offset_reset: latest
  max_poll_records: 500
  session_timeout_ms: 45000
  heartbeat_interval_ms: 5000
  isolation_level: read_uncommitted
  fetch_max_wait_ms: 250
security: { protocol: SASL_SSL }
scheduler: { max_concurrent_tasks: 100 }
surprise: 1
`;

  test("known keys are mapped, and each other key is warned of once with what stands instead", () => {
    writeFileSync(join(root, "ours.yaml"), "kafka: { sasl: { mechanism: plain, username: u, env: PW } }");
    const { config, warnings } = load("kafka", monitorKafka, { config: ["ours.yaml"], environment: { PW: "pw" } });
    expect(config.bus.driver).toBe("kafka");
    expect(config.llm.maxConcurrentTasks).toBe(100);
    expect(config.kafka).toMatchObject({
      bootstrapServers: ["kafka-1:9092", "kafka-2:9092"],
      topics: { "detection-results": { name: "det", partitions: 32, replication: 2, retentionMs: 7_200_000 } },
      compression: "snappy",
      acks: "all",
      idempotent: true,
      lingerMs: 20,
      batchBytes: 65_536,
      retriesMax: 5,
      retryBackoffMs: 200,
      sessionTimeoutMs: 45_000,
      heartbeatMs: 5_000,
      fetchMaxWaitMs: 250,
      ssl: true,
    });
    expect(warnings.map((warning) => warning.replace(/^seed\.yaml:\d+ /, ""))).toEqual([
      "topics.assessment_task: is no topic of this system, not read; did you mean assessment_tasks",
      "producer.acks: raised to all: an idempotent producer needs every in-sync copy",
      "producer.buffer_memory: what the broker has not taken waits in the spool, bounded by bus.spoolMaxBytes",
      "consumer.group_id_prefix: consumer groups have fixed names: simple-task-generator, llm-task-scheduler, result-aggregator",
      "consumer.enable_auto_commit: an offset is committed when everything that its record caused is durable",
      "consumer.auto_offset_reset: earliest stands: records sent before the first start must not be lost",
      "consumer.max_poll_records: a fetch is bounded by kafka.fetchBytes, and a full mailbox pauses its partition",
      "consumer.isolation_level: read_committed stands: what a producer took back is not shown",
      "surprise: unknown key, not read",
    ]);
    expect(warnings[1]).toStartWith("seed.yaml:8 ");
  });

  const pipeline = `
streams: [{ name: camera-1, url: rtsp://10.0.0.1/x }]
detector: { model_path: yolov8n.pt }
kafka:
  enabled: true
  bootstrap_servers: localhost:9092
  topic: analytics.events
  linger_ms: 10
  max_batch_size: 16384
  include_frames: true
  frame_quality: 60
`;

  test.each(["kafka", "config"] as const)("the kafka block of a pipeline's file, handed in as --%s", (flag) => {
    const { config, warnings } = load(flag, pipeline);
    expect(config.bus.driver).toBe("kafka");
    expect(config.kafka).toMatchObject({ tracksTopic: "analytics.events", batchBytes: 16_384, lingerMs: 10 });
    expect(config.cameras.list.map(({ preview }) => preview)).toEqual([
      { ws: true, bus: true, quality: 60, maxFps: 10 },
      { ws: true, bus: true, quality: 60, maxFps: 10 },
    ]);
    expect(warnings).toHaveLength(2);
  });

  test("enabled: false keeps the embedded log", () => {
    expect(load("kafka", "kafka: { enabled: false, topic: x }").config.bus.driver).toBe("embedded");
  });
});

test("monitoring.yaml gives the metrics port; what needs no setting is said", () => {
  const { config, warnings } = load(
    "config",
    "prometheus:\n  port: 9090\n  scrape_interval: 15s\nalerts: { high_latency: {} }\n",
  );
  expect(config.observability.port).toBe(9090);
  expect(warnings.map((warning) => warning.split(":").slice(0, 2).join(":"))).toEqual([
    "seed.yaml:3 prometheus.scrape_interval",
    "seed.yaml:4 alerts",
  ]);
});
