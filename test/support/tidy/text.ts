/** The repository's files as the tidy rules read them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type TextFile = { readonly path: string; readonly text: string; readonly lines: readonly string[] };
export type Finding = { readonly line: number; readonly says: string };

export type Rule = {
  readonly name: string;
  readonly applies: (path: string) => boolean;
  readonly check: (file: TextFile, exists: (path: string) => boolean) => readonly Finding[];
  /** Files that break the rule: the self-test. */
  readonly broken: readonly { readonly path: string; readonly text: string }[];
  /** Files that come near and keep it. */
  readonly sound: readonly { readonly path: string; readonly text: string }[];
};

export const fileOf = (path: string, text: string): TextFile => ({ path, text, lines: text.split("\n") });

const skippedFolders = new Set(["node_modules", ".git", ".cache", ".data", "coverage", "results"]);
const textEnding =
  /\.(ts|tsx|js|mjs|json|jsonc|yaml|yml|md|html|css|toml|txt|sh|sql|lock|example)$|^(Dockerfile|LICENSE|NOTICE|run|\.gitignore|\.npmrc)$/;
const bytesMax = 2_000_000;

/** Every text file of the repository, by its path with forward slashes. */
export const readTree = (root: string, folder = ""): TextFile[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : readTree(root, path);
    if (!entry.isFile() || !textEnding.test(entry.name)) return [];
    const text = readFileSync(join(root, path), "utf8");
    return text.length > bytesMax ? [] : [fileOf(path, text)];
  });

/** The line without what stands in quotes or behind `//`, so that talk about a call is not taken for one. */
export const codeOf = (line: string): string => {
  if (/^\s*(\*|\/\*|\/\/)/.test(line)) return "";
  return line
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/'(?:[^'\\]|\\.)*'/g, "''")
    .replace(/(^|\s)\/\/.*$/, "");
};

/** What a comment says, if the line has one. */
export const commentOf = (line: string): string | null => {
  const whole = /^\s*(?:\/\*\*?|\*|\/\/)\s?(.*?)\s*(?:\*\/)?$/.exec(line);
  if (whole) return whole[1] ?? null;
  const bare = line
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/'(?:[^'\\]|\\.)*'/g, "''")
    .replace(/`[^`]*`/g, "``");
  return /\s\/\/\s(.*)$/.exec(bare)?.[1] ?? null;
};

/** A finding for each line that `broken` objects to. */
export const eachLine = (file: TextFile, broken: (line: string) => string | null): Finding[] =>
  file.lines.flatMap((line, index) => {
    const says = broken(line);
    return says === null ? [] : [{ line: index + 1, says }];
  });

export const isTypeScript = (path: string): boolean => path.endsWith(".ts");
export const isTest = (path: string): boolean => path.startsWith("test/");
