import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cameraLogins, cameraSeeds } from "../../../config/cameras.ts";
import { type ConfigOptions, loadConfig } from "../../../config/load.ts";
import { checkReport, printConfig } from "../../../config/print.ts";
import { StartRefused } from "../../../runtime/errors.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "vedette-config-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  writeFileSync(join(root, name), text);
  return name;
};
/** Loads with no environment but the one given; `yaml` is the file of `--config`. */
const load = (yaml: string, options: ConfigOptions = {}) =>
  loadConfig({ root, config: [write("site.yaml", yaml)], environment: {}, ...options });
/** The lines of the refusal. */
const refused = (yaml: string, options: ConfigOptions = {}): string[] => {
  try {
    load(yaml, options);
  } catch (thrown) {
    if (!(thrown instanceof StartRefused)) throw thrown;
    expect(thrown.status).toBe(78);
    return thrown.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
};

const contractExample = `
cameras:
  - { id: 1, name: plaza, url: "file:.cache/media/vtest.avi", fps: 2, loop: true }
  - { id: 2, name: gate, url: "rtsp://127.0.0.1:8554/gate", fps: 2, roi: [[[0.1,0.2],[0.9,0.2],[0.9,0.9]]] }
  - { id: 3, name: junction, url: "sim://junction?seed=7", fps: 2, preview: { ws: true, bus: false, quality: 75, maxFps: 10 } }
detector: { model: auto, inputSize: 416, workers: auto }
tasks: { minMembers: 2, cooldownMs: 3000, deadlineMs: 10000 }
llm:
  maxConcurrentTasks: 50
  groups:
    - name: main
      baseUrl: https://dashscope.aliyuncs.com/compatible-mode/v1
      model: qwen-vl-plus
      limits: { rpm: 1200, rps: 20, tpm: 1000000 }
      keys: [{ id: key-001, env: DASHSCOPE_API_KEY, priority: 1 }]
bus: embedded
kafka: { bootstrapServers: ["localhost:9092"], format: msgpack, addressMap: {}, compression: snappy, lingerMs: 10, batchBytes: 32768, topics: {} }
store: embedded
server: { host: 127.0.0.1, port: 8080 }
data: { dir: .data, maxBytes: 10GiB }
`;

describe("sources", () => {
  test("without any configuration the default cameras are watched", () => {
    const { config, warnings } = loadConfig({ root, environment: {} });
    expect(config.cameras.list.map(({ id, name, url, fps, loop }) => ({ id, name, url, fps, loop }))).toEqual([
      { id: 1, name: "clip", url: "file:.cache/media/vtest.avi", fps: 2, loop: true },
      { id: 2, name: "junction", url: "sim://junction?seed=7", fps: 2, loop: false },
    ]);
    expect({ server: config.server.port, bus: config.bus.driver, redis: config.store.redis, warnings }).toEqual({
      server: 8080,
      bus: "embedded",
      redis: null,
      warnings: [],
    });
  });

  test("the published example loads as it stands", () => {
    const { config } = load(contractExample);
    expect(config.cameras.list).toHaveLength(3);
    expect(config.data.maxBytes).toBe(10 * 2 ** 30);
    expect(config.llm.groups[0]?.limits).toEqual({ rpm: 1200, rps: 20, tpm: 1_000_000 });
  });

  test("later sources win: file, .env, environment, --set", () => {
    write(
      ".env",
      "# comment\nVEDETTE__TASKS__COOLDOWN_MS=2\nVEDETTE__TASKS__MIN_MEMBERS=5\nexport VEDETTE__DETECTOR__IOU='0.2'\n",
    );
    const { config, origins } = load("tasks: { cooldownMs: 1, deadlineMs: 7000 }\ndetector: { iou: 0.1, confidence: 0.1 }", {
      environment: { VEDETTE__TASKS__COOLDOWN_MS: "3", VEDETTE__DETECTOR__CONFIDENCE: "0.3" },
      set: ["detector.confidence=0.4"],
    });
    rmSync(join(root, ".env"));
    expect(config.tasks).toMatchObject({ minMembers: 5, cooldownMs: 3, deadlineMs: 7000 });
    expect([config.detector.iou, config.detector.confidence]).toEqual([0.2, 0.4]);
    const places = [
      "tasks.cooldownMs",
      "tasks.minMembers",
      "tasks.deadlineMs",
      "detector.iou",
      "detector.confidence",
      "server.port",
    ];
    expect(places.map((path) => origins.get(path))).toEqual([
      "variable VEDETTE__TASKS__COOLDOWN_MS",
      ".env:3 VEDETTE__TASKS__MIN_MEMBERS",
      "site.yaml:1",
      ".env:4 VEDETTE__DETECTOR__IOU",
      "--set detector.confidence",
      "default",
    ]);
  });

  test.each([
    ["a list by comma", "VEDETTE__KAFKA__BOOTSTRAP_SERVERS", "a:1, b:2", "kafka.bootstrapServers", ["a:1", "b:2"]],
    ["a map", "VEDETTE__KAFKA__ADDRESS_MAP", "Kafka:9092=localhost:9092", "kafka.addressMap", { "Kafka:9092": "localhost:9092" }],
    [
      "a topic's own key",
      "VEDETTE__KAFKA__TOPICS__DETECTION_RESULTS__NAME",
      "d1",
      "kafka.topics",
      { "detection-results": { name: "d1" } },
    ],
    ["a size with its unit", "VEDETTE__DATA__MAX_BYTES", "5GiB", "data.maxBytes", 5 * 2 ** 30],
    ["auto or a number", "VEDETTE__DETECTOR__WORKERS", "3", "detector.workers", 3],
    ["nothing", "VEDETTE__OBSERVABILITY__PORT", "null", "observability.port", null],
    ["a short form", "VEDETTE__BUS", "kafka", "bus.driver", "kafka"],
    ["a Redis", "VEDETTE__STORE", "redis://localhost:6379/0", "store.redis", "redis://localhost:6379/0"],
    ["one camera's key", "VEDETTE__CAMERAS__1__FPS", "9", "cameras.list.1.fps", 9],
    ["text that looks like a number", "VEDETTE__LLM__MODEL", "7", "llm.model", "7"],
    ["ALGO_SERVER_HOST", "ALGO_SERVER_HOST", "127.0.0.2", "server.host", "127.0.0.2"],
    ["ALGO_SERVER_PORT", "ALGO_SERVER_PORT", "5000", "server.port", 5000],
    ["seconds between frames", "ALGO_FRAME_INTERVAL", "0.5", "cameras.defaultFps", 2],
    ["streaming on", "ALGO_ENABLE_KAFKA_STREAMING", "true", "bus.driver", "kafka"],
    ["streaming off", "ALGO_ENABLE_KAFKA_STREAMING", "False", "bus.driver", "embedded"],
    ["brokers", "KAFKA_BOOTSTRAP_SERVERS", "h:9", "kafka.bootstrapServers", ["h:9"]],
    ["the detection topic", "ALGO_KAFKA_DETECTION_TOPIC", "d2", "kafka.topics", { "detection-results": { name: "d2" } }],
    ["the model", "ALGO_LLM_MODEL", "qwen-vl-max", "llm.model", "qwen-vl-max"],
    ["seconds for a call", "ALGO_LLM_TIMEOUT", "12.5", "llm.timeoutMs", 12_500],
    ["further calls", "ALGO_LLM_MAX_RETRY", "0", "llm.retriesMax", 0],
    ["classes as a JSON list", "ALGO_ALLOWED_CLASSES", '["car","bus"]', "detector.allowedClasses", ["car", "bus"]],
    ["classes by comma", "ALGO_ALLOWED_CLASSES", "car,traffic_light", "detector.allowedClasses", ["car", "traffic_light"]],
  ])("a variable gives %s (%s)", (_what, name, text, path, expected) => {
    const { config } = loadConfig({ root, environment: { [name]: text } });
    const value = path.split(".").reduce<unknown>((outer, key) => (outer as Record<string, unknown>)[key], config);
    expect(value).toEqual(expected);
  });

  test("ALGO_KAFKA_BOOTSTRAP_SERVERS goes before KAFKA_BOOTSTRAP_SERVERS, and our own name before both", () => {
    const environment = { KAFKA_BOOTSTRAP_SERVERS: "k:1", ALGO_KAFKA_BOOTSTRAP_SERVERS: "a:1" };
    const servers = (variables: Record<string, string>) =>
      loadConfig({ root, environment: variables }).config.kafka.bootstrapServers;
    expect(servers(environment)).toEqual(["a:1"]);
    expect(servers({ ...environment, VEDETTE__KAFKA__BOOTSTRAP_SERVERS: "v:1" })).toEqual(["v:1"]);
  });

  test("a camera and a group take from their section what they leave out", () => {
    const { config, origins } = load(`
cameras:
  defaultFps: 5
  preview: { quality: 60 }
  list: [{ id: 0, name: a, url: "sim://junction?seed=1", preview: { bus: true } }, { id: 1, name: b, url: "sim://junction?seed=2", fps: 1 }]
llm: { model: m, groups: [{ name: g, keys: [{ id: k, env: KEY }] }] }`);
    expect(config.cameras.list.map(({ fps, preview }) => ({ fps, bus: preview.bus, quality: preview.quality }))).toEqual([
      { fps: 5, bus: true, quality: 60 },
      { fps: 1, bus: false, quality: 60 },
    ]);
    expect(config.llm.groups[0]?.model).toBe("m");
    expect(origins.get("cameras.list.0.fps")).toBe("cameras.defaultFps");
  });

  test("a key in its usual variable makes a group, unless groups are named", () => {
    const environment = { DASHSCOPE_API_KEY: "sk-aaaaaaaaaa", OPENAI_API_KEY: "sk-bbbbbbbbbb" };
    const { config, warnings } = loadConfig({ root, environment });
    expect(config.llm.groups.map(({ name, model, keys }) => [name, model, keys[0]?.env])).toEqual([
      ["dashscope", "qwen-vl-plus", "DASHSCOPE_API_KEY"],
      ["openai", "gpt-4o-mini", "OPENAI_API_KEY"],
    ]);
    expect(warnings).toHaveLength(3);
    expect(load("llm: { groups: [] }", { environment }).config.llm.groups).toEqual([]);
  });

  test("the result is frozen through and through", () => {
    const { config } = load(contractExample);
    expect(Object.isFrozen(config.cameras.list[0])).toBe(true);
    expect(Object.isFrozen(config.kafka.bootstrapServers)).toBe(true);
  });
});

describe("refusals", () => {
  test.each([
    [
      "an unknown key names the nearest",
      "tasks: { cooldownMS: 3 }",
      "site.yaml:1: tasks.cooldownMS: unknown key; did you mean cooldownMs",
    ],
    [
      "a key of the seeds' spelling",
      "bus: kafka\nkafka:\n  bootstrap_servers: x",
      "site.yaml:3: kafka.bootstrap_servers: unknown key; did you mean bootstrapServers",
    ],
    ["an unknown section", "\n\ntaks: {}", "site.yaml:3: taks: unknown key; did you mean tasks"],
    [
      "a key of another section",
      "kafka: { executionProviders: [cpu] }",
      "unknown key here; did you mean detector.executionProviders",
    ],
    ["a wrong type, with what was seen", "server:\n  port: soon", 'site.yaml:2: server.port: expected number, got "soon"'],
    ["a number out of range", "tasks: { deadlineMs: 1 }", "expected number to be >=500, got 1"],
    ["what an item lacks", "bus: embedded\ncameras:\n  - { id: 1, name: a }", "site.yaml:3: cameras.list.0.url: is missing"],
    ["a broken file", "a: [1", "site.yaml:1: "],
    ["a key written twice", "bus: embedded\nbus: kafka", "site.yaml:2: Map keys must be unique"],
    ["text instead of sections", "hello", "expected sections such as `server:`"],
    [
      "a Java property",
      "kafka: { max.poll.records: 500 }",
      '"max.poll.records" is a property of the Java client; use kafka.fetchBytes',
    ],
    [
      "a librdkafka property",
      "kafka: { queued.max.messages.kbytes: 65536 }",
      "is a property of librdkafka; use kafka.fetchBytes",
    ],
    ["a property that has a name here", "kafka: { session.timeout.ms: 1 }", "did you mean sessionTimeoutMs"],
    ["a property with another name here", "kafka: { max.batch.size: 1 }", "write kafka.batchBytes"],
    ["acks against idempotence", "kafka: { acks: 1 }", "1 contradicts kafka.idempotent"],
    ["a topic left out", "kafka: { topics: { detection-results: } }", "kafka.topics.detection-results: is left empty"],
    ["a topic without a name", 'kafka: { topics: { assessment-tasks: { name: "" } } }', "expected a Kafka topic name"],
    ["a topic that is none of ours", "kafka: { topics: { detection-result: {} } }", "did you mean detection-results"],
    [
      "two topics of one name",
      "kafka: { topics: { assessment-tasks: { name: incidents } } }",
      "the topic incidents is there twice",
    ],
    [
      "heartbeats against the session",
      "kafka: { heartbeatMs: 20000 }",
      "20000 contradicts kafka.sessionTimeoutMs 30000: it must be at most 10000",
    ],
    [
      "retention against the deadline",
      "tasks: { deadlineMs: 60000 }\nkafka: { topics: { assessment-tasks: { retentionMs: 60000 } } }",
      "contradicts tasks.deadlineMs",
    ],
    [
      "cooldowns against each other",
      "llm: { cooldown: { minMs: 5000, maxMs: 1000 } }",
      "5000 contradicts llm.cooldown.maxMs 1000",
    ],
    ["split roles on the embedded log", "roles: eyes,edge", "set bus: kafka"],
    ["an unknown role", "roles: [eye]", "expected one of eyes, task-generator"],
    ["an open address without tokens", "server: { host: 0.0.0.0 }", "add `auth: { tokens: ["],
    [
      "a camera twice",
      'cameras: [{ id: 1, name: a, url: "sim://j" }, { id: 1, name: b, url: "sim://j" }]',
      "the camera 1 is there twice",
    ],
    ["a key kept nowhere", "llm: { groups: [{ name: g, keys: [{ id: k }] }] }", "expected either env: NAME or file: PATH"],
    [
      "a token whose variable is empty",
      "auth: { tokens: [{ name: ops, env: NO_SUCH, role: viewer }] }",
      "variable NO_SUCH holds nothing",
    ],
    ["an address map without ports", "kafka: { addressMap: { Kafka: localhost } }", "expected host:port"],
  ])("%s", (_what, yaml, expected) => {
    expect(refused(yaml).join("\n")).toContain(expected);
  });

  test("every problem is told at once, by place, and one typing error hides no impossible combination", () => {
    const lines = refused("kafka: { acks: 1 }\ntasks: { cooldownMs: x }\nserver: { host: 0.0.0.0 }\nroles: eyes", {
      set: ["detector.iuo=1", "x"],
    });
    expect(lines.map((line) => line.split(": ").slice(0, 2).join(": "))).toEqual([
      "--set detector.iuo: unknown key; did you mean iou",
      "--set x: expected --set section.key=value",
      "site.yaml:1: kafka.acks",
      "site.yaml:2: tasks.cooldownMs",
      "site.yaml:3: server.host",
      "site.yaml:4: roles",
    ]);
  });

  test.each([
    ["in a camera's address", 'cameras: [{ id: 1, name: a, url: "rtsp://ops:hunter22@10.0.0.9/x" }]', "hunter22"],
    ["in a Redis address", 'store: { redis: "redis://:hunter22@localhost" }', "hunter22"],
    ["as a key", "llm: { groups: [{ name: g, keys: [{ id: k, key: sk-hunter2222 }] }] }", "sk-hunter2222"],
    [
      "in the place of a variable's name",
      "llm: { groups: [{ name: g, keys: [{ id: k, env: sk-hunter2222 }] }] }",
      "sk-hunter2222",
    ],
    ["in an unknown section", "x: { y: Bearer abcdef0123456789 }", "abcdef0123456789"],
    ["in a broken file", "x: [sk-hunter2222", "sk-hunter2222"],
  ])("a secret %s is refused and not repeated", (_where, yaml, secret) => {
    const text = refused(yaml).join("\n");
    expect(text).not.toBe("");
    expect(text).not.toContain(secret);
  });

  test("a variable that names nothing and a file that is not there are problems too", () => {
    expect(refused("", { environment: { VEDETTE__SERVER__PROT: "1" } })).toEqual([
      "variable VEDETTE__SERVER__PROT: server.prot: unknown key; did you mean port",
    ]);
    expect(refused("", { config: ["none.yaml"] })).toEqual(["none.yaml: there is no such file"]);
    expect(refused("", { environment: { ALGO_LLM_TIMEOUT: "soon" } })).toEqual([
      "variable ALGO_LLM_TIMEOUT: llm.timeoutMs: expected seconds for one call",
    ]);
  });

  test("an open address with a token, and split roles with Kafka, are fine", () => {
    const environment = { OPS: "long-enough" };
    const yaml = "server: { host: 0.0.0.0 }\nauth: { tokens: [{ name: ops, env: OPS, role: operator }] }\nbus: kafka";
    const { config, warnings } = load(yaml, { environment, roles: "edge,aggregator" });
    expect(config.roles).toEqual(["edge", "aggregator"]);
    expect(warnings.join()).toContain("give each process its own data.dir");
  });
});

describe("secrets", () => {
  test("come from variables, .env and files", () => {
    write(".env", "FROM_DOTENV=one\n");
    write("token", "two\nthree\n");
    const { resolveSecret } = loadConfig({ root, environment: { FROM_ENV: " four " } });
    rmSync(join(root, ".env"));
    expect(
      [{ env: "FROM_DOTENV" }, { file: "token" }, { env: "FROM_ENV" }, { env: "NONE" }, { file: "none" }].map(resolveSecret),
    ).toEqual(["one", "two", "four", null, null]);
  });

  test("a camera's login goes into its address and nowhere else", () => {
    const camera = `cameras: [{ id: 1, name: a, url: "rtsp://10.0.0.9/x", login: { env: LOGIN } }]`;
    const loaded = load(camera, { environment: { LOGIN: "ops:p@ss:w" } });
    const seed = { id: 1, name: "a", url: "rtsp://10.0.0.9/x", fps: 2, loop: false, enabled: true };
    expect(cameraSeeds(loaded)).toEqual([seed]);
    expect(cameraLogins(loaded)(seed).url).toBe("rtsp://ops:p%40ss%3Aw@10.0.0.9/x");
    expect(cameraLogins(loaded)({ ...seed, url: "rtsp://10.0.0.66/x" }).url).toBe("rtsp://10.0.0.66/x");
    expect(printConfig(loaded)).not.toContain("p%40ss");
    const whole = load(camera, { environment: { LOGIN: "rtsp://10.0.0.9/x?key=1" } });
    expect(cameraLogins(whole)(seed).url).toBe("rtsp://10.0.0.9/x?key=1");
  });

  test("a key without its variable is a warning, since rules still assess", () => {
    expect(load(contractExample).warnings).toEqual([
      "llm.groups main: the key key-001 is not used, since variable DASHSCOPE_API_KEY holds nothing",
      "llm.groups hold 0 usable keys, fewer than llm.minKeys 3: add keys, or lower llm.minKeys",
    ]);
  });

  test.each<[string, string, string[]]>([
    ["fewer usable keys than wanted", "minKeys: 2", ["llm.groups hold 1 usable key, fewer than llm.minKeys 2"]],
    ["as many as wanted", "minKeys: 1", []],
  ])("%s", (_, setting, expected) => {
    const keys = "[{ id: a, env: A }, { id: b, env: B, enabled: false }]";
    const yaml = `llm: { ${setting}, groups: [{ name: main, keys: ${keys} }] }`;
    const { warnings } = load(yaml, { environment: { A: "one", B: "two" } });
    expect(warnings.map((warning) => warning.split(":")[0] ?? "")).toEqual(expected);
  });

  test("without any group there is no key to miss", () => {
    expect(load("llm: { minKeys: 5 }").warnings).toEqual([]);
  });
});

describe("printing", () => {
  test("every value says where it comes from, and the text loads again", () => {
    const loaded = load(contractExample, { set: ["tasks.cooldownMs=5"] });
    const text = printConfig(loaded);
    expect(text).toContain("cooldownMs: 5 # --set tasks.cooldownMs");
    expect(text).toContain("inputSize: 416 # site.yaml:6");
    expect(text).toContain("allowHosts: [] # default");
    const uncommented = text.split("\n").filter((line) => /^\s*[\w-]+: [^&]/.test(line) && !line.includes("#"));
    expect(uncommented).toEqual([]);
    expect(load(text).config).toEqual(loaded.config);
  });

  test("the check names warnings", () => {
    expect(checkReport(load(contractExample)).split("\n")).toHaveLength(3);
  });
});
