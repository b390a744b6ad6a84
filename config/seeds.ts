/**
 * The files that users of the earlier systems have: `api_keys.yaml` (two published shapes), `kafka.yaml`, the `kafka:`
 * block of a pipeline's YAML, `monitoring.yaml`. What they say is mapped to our settings; each key that cannot be
 * honoured yields one warning that says why and what stands instead.
 */
import { kafkaProperty } from "./kafka-properties.ts";
import { keysSource } from "./seeds/api-keys.ts";
import { kafkaSource } from "./seeds/kafka.ts";
import { mapping } from "./seeds/mapping.ts";
import { monitoringRows } from "./seeds/monitoring.ts";
import { isTree, type Source, type Tree, type YamlFile } from "./source.ts";

export type SeedKind = "keys" | "kafka" | "monitoring";

/** The kind of seed file that a tree is; null when it is (or should be) ours. */
export const seedKind = (tree: unknown): SeedKind | null => {
  if (!isTree(tree)) return null;
  const has = (...keys: string[]) => keys.some((key) => Object.hasOwn(tree, key));
  if (has("api_keys", "keys")) return "keys";
  if (has("bootstrap_servers", "producer", "consumer") || isSeedKafkaBlock(tree.kafka) || isClientProperties(tree))
    return "kafka";
  return has("prometheus", "monitoring") ? "monitoring" : null;
};

const isSeedKafkaBlock = (block: unknown): boolean =>
  isTree(block) &&
  Object.keys(block).some((key) =>
    /^(enabled|topic|bootstrap_servers|linger_ms|max_batch_size|include_frames|frame_quality)$/.test(key),
  );

/** The properties of a Kafka client as its own documentation writes them: `bootstrap.servers: …` and no sections. */
const isClientProperties = (tree: Tree): boolean =>
  Object.keys(tree).some((key) => key.includes(".") && kafkaProperty(key) !== null);

/** Maps a seed file of `kind`. `path` is how the file can be opened again for the value of a secret. */
export const seedSource = (file: YamlFile, kind: SeedKind, path: string): Source => {
  const tree = isTree(file.value) ? file.value : {};
  if (kind === "keys") return keysSource(file, tree, path);
  if (kind === "kafka") return kafkaSource(file, tree, path);
  const to = mapping(file);
  const inner = isTree(tree.monitoring) ? tree.monitoring : null;
  to.section(inner ?? tree, inner ? ["monitoring"] : [], monitoringRows(to));
  return to.source();
};
