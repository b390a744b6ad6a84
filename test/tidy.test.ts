/** The rules of CONTRIBUTING.md that a program can judge. Each finding reads `file:line: what is wrong, what to use`. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { calls, size } from "./support/tidy/code.ts";
import { arrows, endings, globals, json, packages } from "./support/tidy/imports.ts";
import { homes, leftovers, links, names, pictures, registries, scripts, tests } from "./support/tidy/places.ts";
import { fileOf, type Rule, readTree } from "./support/tidy/text.ts";

const root = join(import.meta.dirname, "..");
const rules: readonly Rule[] = [
  arrows,
  packages,
  globals,
  endings,
  json,
  calls,
  size,
  names,
  leftovers,
  registries,
  pictures,
  homes,
  scripts,
  links,
  tests,
];
const files = readTree(root);
/** The rules' own examples break them. */
const ownExamples = /^test\/support\/tidy\//;

const known = new Set(files.map(({ path }) => path));
const existsHere = (path: string): boolean => known.has(path) || existsSync(join(root, path));

test.each(rules.map((rule) => [rule.name, rule] as const))("%s", (_name, rule) => {
  const findings = files
    .filter(({ path }) => rule.applies(path) && !ownExamples.test(path))
    .flatMap((file) => rule.check(file, existsHere).map(({ line, says }) => `${file.path}:${line}: ${says}`));
  expect(findings).toEqual([]);
});

describe("each rule finds what was planted for it", () => {
  const existsThere = (path: string): boolean => /there\.ts$/.test(path);
  for (const rule of rules)
    test(rule.name, () => {
      const found = ({ path, text }: { path: string; text: string }) =>
        rule.applies(path) ? rule.check(fileOf(path, text), existsThere).length : 0;
      expect(rule.broken.filter((example) => found(example) === 0)).toEqual([]);
      expect(rule.sound.filter((example) => found(example) > 0)).toEqual([]);
    });

  test("the tree was read", () => {
    expect(files.length).toBeGreaterThan(100);
    for (const path of ["protocols/topics.ts", "package.json", "test/tidy.test.ts"]) expect(known.has(path)).toBe(true);
  });
});

describe("dependencies", () => {
  type Manifest = { readonly dependencies?: Record<string, string>; readonly devDependencies?: Record<string, string> };
  const pinsOf = ({ dependencies = {}, devDependencies = {} }: Manifest) => ({ ...dependencies, ...devDependencies });
  const json = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
  const pins = pinsOf(json("package.json"));

  test("are pinned exactly", () => {
    expect(Object.entries(pins).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  test("are the same in package-lock.json", () => {
    const { packages: locked } = json("package-lock.json");
    expect(pinsOf(locked[""])).toEqual(pins);
    expect(Object.fromEntries(Object.keys(pins).map((name) => [name, locked[`node_modules/${name}`]?.version]))).toEqual(pins);
  });

  test("are the same in bun.lock", () => {
    // bun.lock is JSON with trailing commas.
    const { workspaces, packages: locked } = JSON.parse(
      readFileSync(join(root, "bun.lock"), "utf8").replace(/,(?=\s*[}\]])/g, ""),
    );
    expect(pinsOf(workspaces[""])).toEqual(pins);
    expect(Object.keys(pins).filter((name) => locked[name]?.[0] !== `${name}@${pins[name]}`)).toEqual([]);
  });
});
