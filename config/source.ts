/** Where settings come from: a YAML file, variables, `--set`. Each yields a tree and can say where a path was written. */
import { readFileSync } from "node:fs";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node as YamlNode } from "yaml";
import { maskSecrets } from "./secrets.ts";
import { isList, nodeAt, type Path, pathOf, pathText, valueFrom } from "./shape.ts";

export type Tree = { readonly [key: string]: unknown };
export type Problem = { readonly place: string; readonly path: Path; readonly text: string };

export type Source = {
  readonly tree: Tree;
  /** `config/site.yaml:12`, `variable VEDETTE__SERVER__PORT`; the nearest outer place when the path itself is not there. */
  readonly placeOf: (path: Path) => string;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
};

export const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

/** Short forms that people write, brought into the schema's one shape. */
export const expandShortForms = (tree: Tree): Tree => {
  const words = (value: unknown) =>
    typeof value === "string"
      ? value
          .split(",")
          .map((word) => word.trim())
          .filter((word) => word !== "")
      : value;
  const expanded: Record<string, unknown> = { ...tree };
  if (Array.isArray(tree.cameras)) expanded.cameras = { list: tree.cameras };
  if (typeof tree.bus === "string") expanded.bus = { driver: tree.bus };
  if (tree.store === "embedded") expanded.store = { redis: null };
  else if (typeof tree.store === "string") expanded.store = { redis: tree.store };
  if (tree.roles === "all") delete expanded.roles;
  else if ("roles" in tree) expanded.roles = words(tree.roles);
  const { kafka } = tree;
  if (isTree(kafka) && typeof kafka.bootstrapServers === "string")
    expanded.kafka = { ...kafka, bootstrapServers: words(kafka.bootstrapServers) };
  return expanded;
};

const maxFileBytes = 4 * 2 ** 20;

/** Reads a file of settings; throws when it cannot be read. */
export const readText = (file: string): string => {
  const text = readFileSync(file, "utf8");
  if (text.length > maxFileBytes) throw new Error(`is larger than ${maxFileBytes} bytes`);
  return text;
};

export type YamlFile = Pick<Source, "placeOf" | "problems"> & { readonly value: unknown };

const failed = (name: string, text: string): YamlFile => ({
  value: {},
  placeOf: () => name,
  problems: [{ place: name, path: [], text }],
});

/** Parses YAML and remembers on which line each key stands. */
export const parseYaml = (name: string, text: string): YamlFile => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, logLevel: "error" });
  const place = (offset: number | undefined) => (offset === undefined ? name : `${name}:${lines.linePos(offset).line}`);
  const problems = document.errors.map((error) => ({
    place: place(error.pos[0]),
    path: [],
    text: maskSecrets(error.message.replace(/\s+/g, " ").slice(0, 200)),
  }));

  const placeOf = (path: Path): string => {
    let node: YamlNode | null | undefined = document.contents;
    let offset = node?.range?.[0];
    for (const key of path) {
      if (isAlias(node)) node = node.resolve(document);
      if (isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
        if (!pair) break;
        // Keys of a parsed map are nodes, and so are its values.
        offset = (pair.key as YamlNode).range?.[0] ?? offset;
        node = pair.value as YamlNode | null;
      } else if (isSeq(node) && /^\d+$/.test(String(key))) {
        node = node.items[Number(key)] as YamlNode | undefined;
        offset = node?.range?.[0] ?? offset;
      } else if (!(isSeq(node) && key === "list")) break; // `cameras: [...]` is the short form of `cameras.list`
    }
    return place(offset);
  };
  try {
    return { value: problems.length > 0 ? {} : (document.toJS({ maxAliasCount: 20 }) ?? {}), placeOf, problems };
  } catch (thrown) {
    return failed(name, `cannot be read as YAML: ${thrown instanceof Error ? thrown.message : thrown}`);
  }
};

export const readYaml = (file: string, name: string): YamlFile => {
  try {
    return parseYaml(name, readText(file));
  } catch (thrown) {
    const missing = thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
    return failed(
      name,
      missing ? "there is no such file" : `cannot be read: ${thrown instanceof Error ? thrown.message : thrown}`,
    );
  }
};

/** A file in our own shape. */
export const yamlSource = ({ value, placeOf, problems }: YamlFile): Source => ({
  tree: isTree(value) ? expandShortForms(value) : {},
  placeOf,
  problems: isTree(value)
    ? problems
    : [...problems, { place: placeOf([]), path: [], text: "expected sections such as `server:`" }],
  warnings: [],
});

/** A tree with one leaf. Numbers in the path become keys, which `merge` puts into the list that stands there. */
export const treeOf = (path: Path, value: unknown): Tree => {
  const [head, ...rest] = path;
  if (head === undefined) return {};
  return { [head]: rest.length === 0 ? value : treeOf(rest, value) };
};

/** One setting written as text somewhere: a variable, an argument of `--set`. */
export const textSource = (place: string, segments: readonly string[], text: string): Source => {
  let path = pathOf(segments);
  if (path[0] === "cameras" && typeof path[1] === "number") path = ["cameras", "list", ...path.slice(1)];
  const short = path.length === 1 && ["bus", "store", "roles"].includes(String(path[0]));
  const value = short ? text : valueFrom(nodeAt(path), text);
  return { tree: expandShortForms(treeOf(path, value)), placeOf: () => place, problems: [], warnings: [] };
};

export const setSource = (argument: string): Source => {
  const equals = argument.indexOf("=");
  const place = `--set ${equals < 0 ? argument : argument.slice(0, equals)}`;
  if (equals > 0) return textSource(place, argument.slice(0, equals).split("."), argument.slice(equals + 1));
  const text = "expected --set section.key=value";
  return { tree: {}, placeOf: () => place, problems: [{ place, path: [], text }], warnings: [] };
};

const isIndexed = (tree: Tree): boolean => {
  const keys = Object.keys(tree);
  return keys.length > 0 && keys.every((key) => /^\d{1,4}$/.test(key));
};

/** `over` on top of `base`: sections merge, lists and values replace, `list.0.key` reaches into a list. */
export const merge = (base: unknown, over: unknown, path: Path = []): unknown => {
  if (!isTree(over)) return over;
  if (isIndexed(over) && (Array.isArray(base) || (base === undefined && isList(path)))) {
    const list: unknown[] = Array.isArray(base) ? [...base] : [];
    for (const [key, value] of Object.entries(over)) list[Number(key)] = merge(list[Number(key)], value, [...path, key]);
    return Array.from(list);
  }
  const under = isTree(base) ? base : {};
  const merged = new Map<string, unknown>(Object.entries(under));
  for (const [key, value] of Object.entries(over))
    merged.set(key, merge(Object.hasOwn(under, key) ? under[key] : undefined, value, [...path, key]));
  return Object.fromEntries(merged);
};

/** Whether `source` gives the value at `path`: "yes", "no", or "hides" when it replaces an outer value without it. */
const gives = (tree: unknown, path: Path): "yes" | "no" | "hides" => {
  let value = tree;
  let inList = false; // a list replaces the one of an earlier source, with all that stood in it
  for (const key of path) {
    if (Array.isArray(value)) {
      inList = true;
      if (!(Number(key) < value.length)) return "hides";
      value = value[Number(key)];
    } else if (isTree(value)) {
      if (!Object.hasOwn(value, key)) return inList ? "hides" : "no";
      value = value[key];
    } else return "hides";
  }
  return "yes";
};

/** The source of the value at `path`; null when it is the schema's default. */
export const sourceOf = (sources: readonly Source[], path: Path): Source | null => {
  for (const source of sources.toReversed()) {
    const given = gives(source.tree, path);
    if (given === "yes") return source;
    if (given === "hides") return null;
  }
  return null;
};

/** Where `path` was written; the nearest outer path that was. */
export const placeIn = (sources: readonly Source[], path: Path): string => {
  for (let length = path.length; length > 0; length -= 1) {
    const source = sourceOf(sources, path.slice(0, length));
    if (source) return source.placeOf(path);
  }
  return pathText(path) === "" ? "configuration" : "default";
};
