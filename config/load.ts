/**
 * Brings the sources together: schema defaults, `config/default.yaml`, `--config` and the seeds' files, `.env`, the
 * environment, `--set`. All problems are reported at once, each with its place and the key that was probably meant.
 * This is the only reader of the process's environment.
 */
import { join, relative, resolve } from "node:path";
import { parseEnv } from "node:util";
import { StartRefused } from "../runtime/errors.ts";
import { accountSources, type Variables, variableSources } from "./environment.ts";
import { remarksOf } from "./rules.ts";
import type { Config } from "./schema.ts";
import { placeName, type SecretPlace } from "./secrets.ts";
import { seedKeyValue } from "./seeds/api-keys.ts";
import { seedValueAt } from "./seeds/kafka.ts";
import { type SeedKind, seedKind, seedSource } from "./seeds.ts";
import { type Path, pathText } from "./shape.ts";
import {
  isTree,
  merge,
  type Problem,
  placeIn,
  readText,
  readYaml,
  type Source,
  setSource,
  sourceOf,
  type Tree,
  textSource,
  yamlSource,
} from "./source.ts";
import { validate } from "./validate.ts";

export type ConfigOptions = {
  /** Where relative paths and `.env` are looked for; the working directory. */
  readonly root?: string;
  readonly config?: readonly string[];
  readonly keys?: string;
  readonly kafka?: string;
  readonly set?: readonly string[];
  /** `all`, or role names by comma. */
  readonly roles?: string;
  readonly environment?: Variables;
};

export type LoadedConfig = {
  readonly config: Config;
  /** For each leaf, by its dotted path: where its value was written, or `default`. */
  readonly origins: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
  /** The value kept in a variable or file; null when there is none. */
  readonly resolveSecret: (place: SecretPlace) => string | null;
  /** Every secret that the configuration names, for masking. */
  readonly secrets: () => string[];
  /** The files that keys and their groups come from, as absolute paths. */
  readonly keyFiles: readonly string[];
  /** The same sources as they read by now; throws like `loadConfig`. */
  readonly reload: () => LoadedConfig;
};

/** The process's environment; read here only. */
export const processEnvironment = (): Variables => process.env;

/** The places of secrets anywhere in the tree. */
const secretPlaces = (value: unknown): SecretPlace[] => {
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.values(value).flatMap(secretPlaces);
  const { env, file, entry } = value as SecretPlace; // looked at, not trusted
  return typeof env === "string" || typeof file === "string" ? [{ env, file, entry }, ...inner] : inner;
};

const seedOf = {
  keys: "api_keys: or keys:",
  kafka: "bootstrap_servers:, producer: or a kafka: block",
  monitoring: "prometheus:",
};
/** Sections that no seed file has. */
const ours = new Set("roles cameras grouping tasks llm bus store server auth data observability".split(" "));

/** One file: in our shape, or one of the seeds' that can be told by its keys. `expected` insists on a kind. */
const fileSource = (root: string, path: string, expected?: SeedKind): Source => {
  const file = readYaml(resolve(root, path), relative(root, resolve(root, path)));
  if (file.problems.length > 0) return yamlSource(file);
  const kind = seedKind(file.value);
  const isOurs = isTree(file.value) && Object.keys(file.value).some((key) => ours.has(key));
  if (kind !== null && (expected ? kind === expected : !isOurs)) return seedSource(file, kind, path);
  if (!expected) return yamlSource(file);
  const problem = { place: file.placeOf([]), path: [], text: `expected a file with ${seedOf[expected]}` };
  return { tree: {}, placeOf: file.placeOf, problems: [problem], warnings: [] };
};

type Dotenv = { readonly variables: Variables; readonly placeOf: (name: string) => string };

const readDotenv = (root: string): Dotenv => {
  let text = "";
  try {
    text = readText(join(root, ".env"));
  } catch {
    // Most installations have none.
  }
  const lines = text.split(/\r?\n/);
  const lineOf = (name: string) => lines.findLastIndex((line) => line.match(/^\s*(?:export\s+)?([\w.]+)\s*=/)?.[1] === name) + 1;
  return { variables: parseEnv(text), placeOf: (name) => `.env:${lineOf(name)} ${name}` };
};

const gather = (root: string, options: ConfigOptions, environment: Variables, dotenv: Dotenv): Source[] => {
  // Bun puts the variables of `.env` into the environment itself; they keep their place in the file.
  const placeOf = (name: string) =>
    name in dotenv.variables && dotenv.variables[name] === environment[name] ? dotenv.placeOf(name) : `variable ${name}`;
  const sources = [
    fileSource(root, join(import.meta.dirname, "default.yaml")),
    ...(options.config ?? []).map((file) => fileSource(root, file)),
    ...(options.keys === undefined ? [] : [fileSource(root, options.keys, "keys")]),
    ...(options.kafka === undefined ? [] : [fileSource(root, options.kafka, "kafka")]),
    ...variableSources(dotenv.variables, dotenv.placeOf),
    ...variableSources(environment, placeOf),
    ...(options.set ?? []).map(setSource),
    ...(options.roles === undefined ? [] : [textSource("--roles", ["roles"], options.roles)]),
  ];
  const grouped = sources.some(({ tree }) => isTree(tree.llm) && "groups" in tree.llm);
  return grouped ? sources : [...sources, ...accountSources({ ...dotenv.variables, ...environment }, placeOf)];
};

/** Fills what an item of a list takes from its section: a camera's fps and preview, a group's API and model. */
const complete = (tree: Tree): { readonly tree: Tree; readonly origins: ReadonlyMap<string, string> } => {
  const origins = new Map<string, string>();
  const inherit = (section: string, list: string, keys: Readonly<Record<string, string>>): Tree => {
    const outer = tree[section];
    if (!isTree(outer) || !Array.isArray(outer[list])) return {};
    const items = outer[list].map((item: unknown, index) => {
      if (!isTree(item)) return item;
      const filled: Record<string, unknown> = { ...item };
      for (const [key, from] of Object.entries(keys)) {
        if (outer[from] === undefined || (key in item && !isTree(item[key]))) continue;
        if (!(key in item)) origins.set(`${section}.${list}.${index}.${key}`, `${section}.${from}`);
        filled[key] = merge(outer[from], item[key] ?? (isTree(outer[from]) ? {} : outer[from]));
      }
      return filled;
    });
    return { [section]: { ...outer, [list]: items } };
  };
  const filled = {
    ...tree,
    ...inherit("cameras", "list", { fps: "defaultFps", preview: "preview" }),
    ...inherit("llm", "groups", { baseUrl: "baseUrl", model: "model" }),
  };
  return { tree: filled, origins };
};

const leaves = (value: unknown, path: Path = []): Path[] => {
  if (Array.isArray(value) && value.some(isTree)) return value.flatMap((item, index) => leaves(item, [...path, index]));
  if (!isTree(value) || (Object.keys(value).length === 0 && path.length > 0)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
};

const deepFreeze = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
};

const refusal = (problems: readonly Problem[]): StartRefused => {
  const byPlace = problems.toSorted((left, right) => left.place.localeCompare(right.place, "en", { numeric: true }));
  const lines = byPlace.map(
    ({ place, path, text }) =>
      `  ${place}: ${path.length > 0 && !place.endsWith(` ${pathText(path)}`) ? `${pathText(path)}: ` : ""}${text}`,
  );
  const shown = lines.length > 100 ? [...lines.slice(0, 100), `  and ${lines.length - 100} more`] : lines;
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new StartRefused(78, [`the configuration has ${count}:`, ...shown].join("\n"));
};

const secretResolver =
  (root: string, variables: Variables) =>
  (place: SecretPlace): string | null => {
    if (place.env !== undefined) return variables[place.env]?.trim() || null;
    if (place.file === undefined) return null;
    const file = resolve(root, place.file);
    try {
      if (place.entry !== undefined) {
        const { value } = readYaml(file, place.file);
        return seedKeyValue(value, place.entry) ?? seedValueAt(value, place.entry);
      }
      return readText(file).split(/\r?\n/, 1)[0]?.trim() || null;
    } catch {
      return null; // said by whoever needs it, with the file's name
    }
  };

/** Secrets that something configured cannot do without. */
const missingSecrets = (config: Config, resolveSecret: LoadedConfig["resolveSecret"]): { path: Path; text: string }[] => {
  const { auth, cameras, alerts, kafka, store, bus } = config;
  const needed: [Path, SecretPlace | null | undefined][] = [
    ...auth.tokens.map((token, index): [Path, SecretPlace] => [["auth", "tokens", index], token]),
    ...cameras.list.map((camera, index): [Path, SecretPlace | undefined] => [["cameras", "list", index, "login"], camera.login]),
    ...alerts.webhooks.map((hook, index): [Path, SecretPlace | undefined] => [
      ["alerts", "webhooks", index, "secret"],
      hook.secret,
    ]),
    [["kafka", "sasl"], bus.driver === "kafka" ? kafka.sasl : null],
    [["store", "password"], store.redis === null ? null : store.password],
  ];
  return needed.flatMap(([path, place]) =>
    place && resolveSecret(place) === null ? [{ path, text: `${placeName(place)} holds nothing` }] : [],
  );
};

const unusableKeys = (config: Config, resolveSecret: LoadedConfig["resolveSecret"]): string[] =>
  config.llm.groups.flatMap(({ name, keys }) =>
    keys
      .filter((key) => key.enabled && resolveSecret(key) === null)
      .map((key) => `llm.groups ${name}: the key ${key.id} is not used, since ${placeName(key)} holds nothing`),
  );

const tooFewKeys = ({ llm }: Config, resolveSecret: LoadedConfig["resolveSecret"]): string[] => {
  const keys = llm.groups.flatMap((group) => group.keys);
  const usable = keys.filter((key) => key.enabled && resolveSecret(key) !== null).length;
  if (llm.groups.length === 0 || usable >= llm.minKeys) return [];
  return [
    `llm.groups hold ${usable} usable ${usable === 1 ? "key" : "keys"}, fewer than llm.minKeys ${llm.minKeys}: add keys, or lower llm.minKeys`,
  ];
};

const keyFilesOf = ({ llm }: Config, { config = [], keys }: ConfigOptions): string[] => {
  const places = llm.groups.flatMap((group) => group.keys.flatMap(({ file }) => file ?? []));
  return [...new Set([...config, ...(keys === undefined ? [] : [keys]), ...places])];
};

/** Loads the configuration, or throws `StartRefused` (78) with every problem. */
export const loadConfig = (options: ConfigOptions = {}): LoadedConfig => {
  const root = options.root ?? process.cwd();
  const environment = options.environment ?? processEnvironment();
  const dotenv = readDotenv(root);
  const sources = gather(root, options, environment, dotenv);
  const merged = sources.reduce<unknown>((tree, source) => merge(tree, source.tree), {});
  const { tree, origins: inherited } = complete(isTree(merged) ? merged : {});

  const problems = sources.flatMap((source) => source.problems);
  const judged = validate(tree);
  const placed = (findings: readonly { readonly path: Path; readonly text: string }[]): Problem[] =>
    findings.map(({ path, text }) => ({ place: placeIn(sources, path), path, text }));
  if ("findings" in judged) throw refusal([...problems, ...placed(judged.findings)]);
  if (problems.length > 0) throw refusal(problems);

  const { config } = judged;
  const resolveSecret = secretResolver(root, { ...dotenv.variables, ...environment });
  const missing = placed(missingSecrets(config, resolveSecret));
  if (missing.length > 0) throw refusal(missing);
  deepFreeze(config);

  const originOf = (path: Path): string => {
    const source = sourceOf(sources, path);
    if (source) return source.placeOf(path);
    const outer = [path, path.slice(0, -1)].map((each) => inherited.get(pathText(each))).find((each) => each !== undefined);
    return outer ?? "default";
  };
  return {
    config,
    origins: new Map(leaves(config).map((path) => [pathText(path), originOf(path)])),
    warnings: [
      ...sources.flatMap(({ warnings }) => warnings),
      ...remarksOf(config),
      ...unusableKeys(config, resolveSecret),
      ...tooFewKeys(config, resolveSecret),
    ],
    resolveSecret,
    secrets: () => secretPlaces(config).flatMap((place) => resolveSecret(place) ?? []),
    keyFiles: keyFilesOf(config, options).map((file) => resolve(root, file)),
    reload: () => loadConfig(options),
  };
};
