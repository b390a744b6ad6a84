/**
 * Settings from variables: `VEDETTE__KAFKA__BOOTSTRAP_SERVERS` is `kafka.bootstrapServers`, and the names that users of
 * the earlier systems have in their `.env` are understood as well.
 */

import type { Path } from "./shape.ts";
import { type Problem, type Source, textSource, treeOf } from "./source.ts";

export type Variables = Readonly<Record<string, string | undefined>>;

type Named = {
  readonly name: string;
  readonly path: Path;
  readonly doc: string;
  /** Undefined when the text is not what `doc` says. */
  readonly read?: (text: string) => unknown;
};

const seconds = (text: string): number | undefined => (Number(text) > 0 ? Math.round(Number(text) * 1000) : undefined);
const framesPerSecond = (text: string): number | undefined =>
  Number(text) > 0 ? Math.round(1e4 / Number(text)) / 1e4 : undefined;
const busFor = (text: string): string | undefined => {
  if (/^(true|1|yes|on|y|t)$/i.test(text.trim())) return "kafka";
  return /^(false|0|no|off|n|f)$/i.test(text.trim()) ? "embedded" : undefined;
};

/** Later rows win. */
export const knownVariables: readonly Named[] = [
  { name: "ALGO_SERVER_HOST", path: ["server", "host"], doc: "address to listen on" },
  { name: "ALGO_SERVER_PORT", path: ["server", "port"], doc: "port to listen on" },
  {
    name: "ALGO_FRAME_INTERVAL",
    path: ["cameras", "defaultFps"],
    doc: "seconds between the frames of a camera that names no fps",
    read: framesPerSecond,
  },
  { name: "ALGO_ENABLE_KAFKA_STREAMING", path: ["bus", "driver"], doc: "true or false", read: busFor },
  { name: "KAFKA_BOOTSTRAP_SERVERS", path: ["kafka", "bootstrapServers"], doc: "host:port, more by comma" },
  { name: "ALGO_KAFKA_BOOTSTRAP_SERVERS", path: ["kafka", "bootstrapServers"], doc: "host:port, more by comma" },
  { name: "ALGO_KAFKA_DETECTION_TOPIC", path: ["kafka", "topics", "detection-results", "name"], doc: "name of the topic" },
  { name: "ALGO_LLM_MODEL", path: ["llm", "model"], doc: "model of groups that name none" },
  { name: "ALGO_LLM_TIMEOUT", path: ["llm", "timeoutMs"], doc: "seconds for one call", read: seconds },
  { name: "ALGO_LLM_MAX_RETRY", path: ["llm", "retriesMax"], doc: "further calls after a failed one" },
  { name: "ALGO_ALLOWED_CLASSES", path: ["detector", "allowedClasses"], doc: "classes by comma, or a JSON list" },
];

const prefix = "VEDETTE__";

/** The settings in `variables`. `placeOf` names a variable for people. */
export const variableSources = (variables: Variables, placeOf: (name: string) => string): Source[] => {
  const sources: Source[] = [];
  for (const { name, path, doc, read } of knownVariables) {
    const text = variables[name];
    if (text === undefined || text === "") continue;
    const place = placeOf(name);
    if (!read) {
      sources.push(textSource(place, path.map(String), text));
      continue;
    }
    const value = read(text);
    const problems: Problem[] = value === undefined ? [{ place, path, text: `expected ${doc}` }] : [];
    sources.push({ tree: value === undefined ? {} : treeOf(path, value), placeOf: () => place, problems, warnings: [] });
  }
  const known = new Set(knownVariables.map(({ name }) => name));
  for (const name of Object.keys(variables).toSorted()) {
    const text = variables[name];
    if (text === undefined) continue;
    if (name.startsWith(prefix)) sources.push(textSource(placeOf(name), name.slice(prefix.length).split("__"), text));
    else if (name.startsWith("ALGO_") && !known.has(name))
      sources.push({
        tree: {},
        placeOf: () => placeOf(name),
        problems: [],
        warnings: [`${placeOf(name)} is not read; see config/README.md`],
      });
  }
  return sources;
};

/** Accounts that need no more than their usual variable. */
const accounts = [
  { name: "dashscope", env: "DASHSCOPE_API_KEY", group: {} },
  { name: "openai", env: "OPENAI_API_KEY", group: { baseUrl: "https://api.openai.com/v1", model: "gpt-4o-mini" } },
];

/** Quota groups for keys in the usual variables; only for a configuration that names no groups itself. */
export const accountSources = (variables: Variables, placeOf: (name: string) => string): Source[] => {
  const present = accounts.filter(({ env }) => variables[env]);
  const [first] = present;
  if (!first) return [];
  const groups = present.map(({ name, env, group }) => ({ name, ...group, keys: [{ id: name, env }] }));
  const placeOfGroup = (path: Path) => placeOf(present[Number(path[2])]?.env ?? first.env);
  const warnings = present.map(
    ({ name, env }) => `${placeOf(env)} is set and llm.groups is not: verdicts come from the group ${name}`,
  );
  return [{ tree: { llm: { groups } }, placeOf: placeOfGroup, problems: [], warnings }];
};
