/** Judges a merged tree by the schema and the rules, and words each problem so that it can be mended. */
import type { z } from "zod";
import { kafkaRefusal } from "./kafka-properties.ts";
import { exposedSecrets, repeatedNames, rules } from "./rules.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { isSecretName, looksSecret } from "./secrets.ts";
import { describedAt, keysAt, leafPaths, nearest, type Path } from "./shape.ts";
import { isTree, type Tree } from "./source.ts";

export type Finding = { readonly path: Path; readonly text: string };

const valueAt = (tree: unknown, path: Path): unknown => {
  let value = tree;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[key]; // an object that has the key
  }
  return value;
};

/** What was seen, for a message; a secret is not repeated. */
const shown = (value: unknown, path: Path): string => {
  if (Array.isArray(value)) return "a list";
  if (isTree(value)) return "a section";
  if (value === null) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  const hidden = looksSecret(text) || path.some((key) => isSecretName(String(key)) || key === "env");
  return hidden ? "something else" : text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

const uncapitalised = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** What people of the earlier systems write, and what serves it here. */
const elsewhere: Readonly<Record<string, string>> = {
  "kafka.enabled": "write bus: kafka or bus: embedded",
  "kafka.topic": "write kafka.topics.<topic>.name, or kafka.tracksTopic for the tracks",
  "kafka.includeFrames": "write preview: { bus: true } at the camera, and kafka.tracksTopic",
};

const unknownKey = (section: Path, key: string): string => {
  const keys = keysAt(section);
  const dotted = [...section, key].join(".");
  const near = nearest(key, keys);
  const wantsSecret = isSecretName(key) || (keys.includes("env") && /^(key|value)$/i.test(key));
  if (wantsSecret) return "would hold a secret; keep it in a variable or a file and name that: env: NAME or file: PATH";
  if (Object.hasOwn(elsewhere, dotted)) return `unknown key; ${elsewhere[dotted]}`;
  if (near) return `unknown key; did you mean ${near}`;
  const foreign = section[0] === "kafka" ? kafkaRefusal(key) : null;
  if (foreign) return foreign;
  const home = leafPaths().find((path) => path.length > 1 && path.at(-1) === key);
  if (home) return `unknown key here; did you mean ${home.join(".")}`;
  return keys.length > 0 ? `unknown key; the keys here are ${keys.join(", ")}` : "unknown key";
};

/** A property of another client may have been taken apart at its points: `--set kafka.max.poll.records=500`. */
const unknownProperty = (section: Path, key: string, value: unknown): string => {
  const names = [key];
  for (let inner = value; section[0] === "kafka" && isTree(inner); ) {
    const [only, ...others] = Object.entries(inner);
    if (!only || others.length > 0) break;
    names.push(only[0]);
    inner = only[1];
  }
  return (names.length > 1 && kafkaRefusal(names.join("."))) || unknownKey(section, key);
};

const typeText = (issue: z.core.$ZodIssueInvalidType, value: unknown, path: Path): string => {
  const about = describedAt(path);
  const meaning = about ? ` (${about})` : "";
  if (value === undefined) return `is missing${meaning}`;
  const section = issue.expected === "object" || issue.expected === "record";
  if (path.length === 2 && path[1] === "topics")
    return "expected topics by their usual names, such as detection-results: { name: other }";
  if (section && value === null) return "is left empty; fill it, or leave the key out to keep the usual values";
  const expected = section ? "a section of keys" : issue.expected === "array" ? "a list" : issue.expected;
  return `expected ${expected}, got ${shown(value, path)}${meaning}`;
};

const findingsOfIssue = (issue: z.core.$ZodIssue, tree: Tree): Finding[] => {
  const path = issue.path.map((key) => (typeof key === "symbol" ? String(key) : key));
  const value = valueAt(tree, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: [...path, key], text: unknownProperty(path, key, valueAt(tree, [...path, key])) }));
    case "invalid_type":
      return [{ path, text: typeText(issue, value, path) }];
    case "invalid_value":
      return [{ path, text: `expected one of ${issue.values.join(", ")}, got ${shown(value, path)}` }];
    case "custom":
      return [{ path, text: issue.message }];
    case "invalid_key":
      return [{ path, text: `${shown(path.at(-1), path)}: ${issue.issues[0]?.message ?? "is no key for this section"}` }];
    default:
      return [{ path, text: `${uncapitalised(issue.message)}, got ${shown(value, path)}` }];
  }
};

/** The value without what stands at `path`; a list item keeps its number. */
const without = (value: unknown, [head, ...rest]: Path): unknown => {
  if (head === undefined) return value;
  if (Array.isArray(value)) return value.map((item, index) => (index === Number(head) ? without(item, rest) : item));
  if (!isTree(value)) return value;
  const kept = Object.entries(value).filter(([key]) => rest.length > 0 || key !== String(head));
  return Object.fromEntries(kept.map(([key, inner]) => [key, key === String(head) ? without(inner, rest) : inner]));
};

/** The path up to the first list in it: an item that lacks something takes its list with it. */
const upToList = (path: Path): Path => {
  const index = path.findIndex((key) => typeof key === "number");
  return index < 0 ? path : path.slice(0, index);
};

const overlap = (left: string, right: string): boolean =>
  `${left}.`.startsWith(`${right}.`) || `${right}.`.startsWith(`${left}.`);

/** What the rules say of the sound part of a tree, so that one typing error hides none of them. */
const ruleFindings = (tree: Tree, issues: readonly z.core.$ZodIssue[], findings: readonly Finding[]): Finding[] => {
  const attempts = [(path: Path) => path, upToList];
  for (const cut of attempts) {
    const sound = ConfigSchema.safeParse(findings.reduce<unknown>((left, { path }) => without(left, cut(path)), tree));
    if (!sound.success) continue;
    const broken = issues.filter(({ code }) => code !== "unrecognized_keys").map(({ path }) => path.join("."));
    return rules
      .filter(({ reads }) => !reads.some((read) => broken.some((path) => overlap(read, path))))
      .flatMap((rule) => rule.find(sound.data));
  }
  return [];
};

/** The configuration, or every problem with it. */
export const validate = (tree: Tree): { readonly config: Config } | { readonly findings: readonly Finding[] } => {
  const parsed = ConfigSchema.safeParse(tree);
  const issues = parsed.error?.issues ?? [];
  const shape = issues.flatMap((issue) => findingsOfIssue(issue, tree));
  const said = new Set(shape.map(({ path }) => path.join(".")));
  const exposed = exposedSecrets(tree).filter(({ path }) => !said.has(path.join(".")));
  const findings = [...shape, ...ruleFindings(tree, issues, shape), ...repeatedNames(tree), ...exposed];
  return parsed.success && findings.length === 0 ? { config: parsed.data } : { findings };
};
