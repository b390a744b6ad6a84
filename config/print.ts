/** The configuration as text for people. Safe to show: no secret has a place in it. */
import { Document, isMap, isScalar, isSeq, visit } from "yaml";
import type { LoadedConfig } from "./load.ts";

/** YAML of the whole configuration; a comment behind each value says where it comes from. */
export const printConfig = ({ config, origins }: LoadedConfig): string => {
  const document = new Document(config);
  visit(document, {
    Seq(_, node) {
      if (node.items.every(isScalar)) node.flow = true;
    },
    Pair(_, pair, ancestors) {
      const path = [...ancestors.flatMap((node, index) => stepInto(node, ancestors[index + 1])), String(pair.key)].join(".");
      const origin = origins.get(path);
      const { value } = pair;
      if (isMap(value) && value.items.length === 0) value.flow = true;
      if (origin && (isScalar(value) || isSeq(value) || isMap(value))) value.comment = ` ${origin}`;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
};

/** The step of a path that leads from a node of the document to the next. */
const stepInto = (node: unknown, next: unknown): (string | number)[] => {
  if (isSeq(node)) return [node.items.indexOf(next)];
  return typeof node === "object" && node !== null && "key" in node ? [String(node.key)] : [];
};

/** What `--check-config` prints. */
export const checkReport = ({ config, warnings }: LoadedConfig): string => {
  const cameras = config.cameras.list.length;
  const summary = `configuration is valid: ${cameras} ${cameras === 1 ? "camera" : "cameras"}, bus ${config.bus.driver}, roles ${config.roles.join(",")}`;
  return [summary, ...warnings.map((warning) => `  warning: ${warning}`)].join("\n");
};
