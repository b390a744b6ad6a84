/** `kafka.yaml` of the traffic monitor, and the `kafka:` block of the multi-stream pipeline's YAML. */
import { kafkaProperty } from "../kafka-properties.ts";
import { keysAt, nearest, type Path } from "../shape.ts";
import { isTree, type Source, type Tree, type YamlFile } from "../source.ts";
import { type Mapping, mapping, type ReadValue } from "./mapping.ts";

const topicRows = {
  detection_results: "detection-results",
  assessment_tasks: "assessment-tasks",
  risk_assessment_results: "risk-assessment-results",
};

const topicsRow =
  (to: Mapping): ReadValue =>
  (value, from) => {
    if (!isTree(value)) return to.warn(from, "expected a name for each topic; the usual names stand");
    for (const [key, inner] of Object.entries(value)) {
      const topic = Object.entries(topicRows).find(([row, name]) => key === row || key === name)?.[1];
      const at = [...from, key];
      if (!topic) {
        const near = nearest(key, Object.keys(topicRows));
        to.warn(at, `is no topic of this system, not read${near ? `; did you mean ${near}` : ""}`);
        continue;
      }
      const there: Path = ["kafka", "topics", topic];
      if (typeof inner === "string") to.set([...there, "name"], inner, at);
      else
        to.section(inner, at, {
          name: (name, where) => to.set([...there, "name"], name, where),
          partitions: (count, where) => to.set([...there, "partitions"], count, where),
          num_partitions: (count, where) => to.set([...there, "partitions"], count, where),
          replication_factor: (count, where) => to.set([...there, "replication"], count, where),
          retention_ms: (ms, where) => to.set([...there, "retentionMs"], ms, where),
          max_message_bytes: (bytes, where) => to.set([...there, "maxBytes"], bytes, where),
          compression_type: "kafka.compression holds for every topic",
          cleanup_policy: "these topics are deleted by age",
          config: "name, partitions, replication_factor, retention_ms and max_message_bytes are read",
          description: () => {},
        });
    }
  };

/** One property of a client, by the table. A password stays in the file, which can be opened again at `path`. */
const property = (to: Mapping, path: string, name: string, value: unknown, from: Path): void => {
  const row = kafkaProperty(name);
  if (row?.isPassword && typeof value === "string") {
    to.set(["kafka", "sasl", "file"], path, from);
    to.set(["kafka", "sasl", "entry"], from.join("/"), from);
    return;
  }
  if (!row) {
    const near = nearest(name, keysAt(["kafka"]));
    to.warn(from, `unknown key, not read${near ? `; kafka.${near} is the nearest` : ""}`);
    return;
  }
  const converted = row.convert ? row.convert(value) : value;
  const honoured = converted !== undefined && (row.to !== undefined || row.convert !== undefined);
  if (!honoured) to.warn(from, row.note ?? "cannot be honoured");
  else if (row.to) to.set(row.to.split("."), converted, from);
};

const properties =
  (to: Mapping, path: string, prefix = ""): ReadValue =>
  (value, from) => {
    if (!isTree(value)) return to.warn(from, "expected a section of keys; left out");
    for (const [key, inner] of Object.entries(value)) {
      if (isTree(inner)) properties(to, path, `${key}.`)(inner, [...from, key]);
      else property(to, path, kafkaProperty(`${prefix}${key}`) ? `${prefix}${key}` : key, inner, [...from, key]);
    }
  };

const kafkaRows = (to: Mapping, path: string): Record<string, ReadValue> => ({
  enabled: (value, from) => to.set(["bus", "driver"], value === false ? "embedded" : "kafka", from),
  topics: topicsRow(to),
  topic: (value, from) => to.set(["kafka", "tracksTopic"], value, from),
  include_frames: (value, from) => to.set(["cameras", "preview", "bus"], value, from),
  frame_quality: (value, from) => to.set(["cameras", "preview", "quality"], value, from),
  producer: properties(to, path),
  consumer: properties(to, path),
  admin: properties(to, path),
  connection: properties(to, path),
  security: properties(to, path, "security."),
  sasl: properties(to, path, "sasl."),
  ssl: properties(to, path, "ssl."),
  scheduler: (value, from) =>
    to.section(value, from, { max_concurrent_tasks: (inner, at) => to.set(["llm", "maxConcurrentTasks"], inner, at) }),
});

export const kafkaSource = (file: YamlFile, tree: Tree, path: string): Source => {
  const to = mapping(file);
  const block = isTree(tree.kafka) ? tree.kafka : null;
  // Whoever hands in Kafka's settings wants Kafka; `enabled: false` and ALGO_ENABLE_KAFKA_STREAMING say otherwise.
  to.set(["bus", "driver"], "kafka", block ? ["kafka"] : []);
  const rows = kafkaRows(to, path);
  const read = (section: Tree, at: Path) => {
    for (const [key, value] of Object.entries(section)) {
      const from = [...at, key];
      const row = Object.hasOwn(rows, key) ? rows[key] : undefined;
      if (row) row(value, from);
      else property(to, path, key, value, from);
    }
  };
  if (!block) read(tree, []);
  else {
    read(block, ["kafka"]);
    for (const key of Object.keys(tree)) {
      if (key === "kafka") continue;
      if (Object.hasOwn(rows, key)) read({ [key]: tree[key] }, []);
      else to.warn([key], "not read: only the kafka block of this file is; write the rest in our own configuration");
    }
  }
  return to.source();
};

/** What stands at a place of a file, e.g. `security/sasl/password`. */
export const seedValueAt = (tree: unknown, place: string): string | null => {
  const value = place.split("/").reduce<unknown>((outer, key) => (isTree(outer) ? outer[key] : undefined), tree);
  return typeof value === "string" && value !== "" ? value : null;
};
