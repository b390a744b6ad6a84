/** Reads the schema as data: what stands at a path, which keys a section has, how text becomes a value there. */
import { parse } from "yaml";
import type { z } from "zod";
import { ConfigSchema } from "./schema.ts";

export type Path = readonly (string | number)[];
export type Node = z.core.$ZodTypes;

/** The paths' form for people: `llm.groups.0.keys`. */
export const pathText = (path: Path): string => path.join(".");

/** The node without its defaults and wrappers. */
const bare = (node: z.core.$ZodType): Node => {
  // zod types children as the base class; every schema made by zod is one of $ZodTypes.
  const known = node as Node;
  const { def } = known._zod;
  switch (def.type) {
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
      return bare(def.innerType);
    case "pipe":
      return bare(def.out);
    default:
      return known;
  }
};

export const isNullable = (node: z.core.$ZodType): boolean => {
  const { def } = (node as Node)._zod;
  if (def.type === "nullable") return true;
  return def.type === "optional" || def.type === "default" || def.type === "prefault" ? isNullable(def.innerType) : false;
};

const childOf = (node: z.core.$ZodType, key: string | number): z.core.$ZodType | null => {
  const { def } = bare(node)._zod;
  if (def.type === "object") return Object.hasOwn(def.shape, key) ? (def.shape[key] ?? null) : null;
  if (def.type === "array") return /^\d{1,4}$/.test(String(key)) ? def.element : null;
  if (def.type === "record") return def.valueType;
  return null;
};

/** The schema at `path`, with its wrappers; null when the path names nothing. */
export const nodeAt = (path: Path): z.core.$ZodType | null => {
  let node: z.core.$ZodType | null = ConfigSchema;
  for (const key of path) node = node && childOf(node, key);
  return node;
};

/** The keys that may stand in the section at `path`; empty where keys are free or there are none. */
export const keysAt = (path: Path): readonly string[] => {
  const node = nodeAt(path);
  if (!node) return [];
  const { def } = bare(node)._zod;
  if (def.type === "object") return Object.keys(def.shape);
  const keys = def.type === "record" ? bare(def.keyType)._zod.def : null;
  return keys?.type === "enum" ? Object.values(keys.entries).map(String) : [];
};

/** What the schema says of the leaf at `path`; the nearest description outwards. */
export const describedAt = (path: Path): string => {
  const node = nodeAt(path) as z.ZodType | null;
  return node?.description ?? "";
};

export const isList = (path: Path): boolean => {
  const node = nodeAt(path);
  return node !== null && bare(node)._zod.def.type === "array";
};

const squash = (name: string): string => name.replace(/[^a-z0-9]/gi, "").toLowerCase();

/** Resolves keys written in another case (`BOOTSTRAP_SERVERS`) to the schema's own (`bootstrapServers`); unknown ones in camelCase. */
export const pathOf = (segments: readonly string[]): (string | number)[] => {
  const path: (string | number)[] = [];
  for (const segment of segments) {
    const known = keysAt(path).find((key) => squash(key) === squash(segment));
    const camel = segment.toLowerCase().replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    path.push(known ?? (/^\d+$/.test(segment) ? Number(segment) : camel));
  }
  return path;
};

const fromYaml = (text: string): unknown => {
  try {
    return parse(text, { maxAliasCount: 0, logLevel: "error" });
  } catch {
    // Not YAML: plain text, which the schema then judges.
    return text;
  }
};

/** Turns the text of a variable or of `--set` into the value that the schema expects there: lists by comma, maps as `a=b,c=d`. */
export const valueFrom = (node: z.core.$ZodType | null, text: string): unknown => {
  if (!node) return text;
  if (isNullable(node) && (text === "" || text === "null")) return null;
  const { def } = bare(node)._zod;
  const parts = () => (text.trim() === "" ? [] : text.split(",").map((part) => part.trim()));
  switch (def.type) {
    case "string":
    case "enum":
      return text;
    case "array":
      return /^\s*[[{-]/.test(text) ? fromYaml(text) : parts().map((part) => valueFrom(def.element, part));
    case "record":
      if (/^\s*\{/.test(text) || !text.includes("=")) return fromYaml(text);
      return Object.fromEntries(parts().map((part) => part.split("=", 2).map((side) => side.trim())));
    default:
      return fromYaml(text);
  }
};

/** Every leaf of the tree that has a fixed path, e.g. `tasks.cooldownMs`. */
export const leafPaths = (path: Path = []): Path[] => {
  const node = nodeAt(path);
  if (!node) return [];
  const { def } = bare(node)._zod;
  return def.type === "object" ? Object.keys(def.shape).flatMap((key) => leafPaths([...path, key])) : [path];
};

/** Edit distance (Levenshtein), for "the nearest right key". */
const distance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let line = 1; line <= left.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= right.length; column += 1) {
      const change = left[line - 1] === right[column - 1] ? 0 : 1;
      next.push(Math.min((row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, (row[column - 1] ?? 0) + change));
    }
    row = next;
  }
  return row[right.length] ?? 0;
};

/** The key of `candidates` that was probably meant; null when none is near. */
export const nearest = (wrong: string, candidates: readonly string[]): string | null => {
  const want = squash(wrong).slice(0, 80);
  let best: string | null = null;
  let least = Math.max(2, Math.floor(want.length / 3)) + 1;
  for (const candidate of candidates) {
    const there = squash(candidate);
    const far = there === want ? 0 : distance(want, there);
    if (far < least) [best, least] = [candidate, far];
  }
  return best;
};
