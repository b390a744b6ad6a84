import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { stringify } from "yaml";
import { type ConfigOptions, loadConfig } from "../../config/load.ts";
import { printConfig } from "../../config/print.ts";
import { leafPaths } from "../../config/shape.ts";
import { StartRefused } from "../../runtime/errors.ts";
import { runs } from "../support/runs.ts";

const root = mkdtempSync(join(tmpdir(), "vedette-config-property-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Loads, or is refused in order; anything else is the fault that these tests look for. */
const outcome = (options: ConfigOptions): "loaded" | "refused" => {
  try {
    printConfig(loadConfig({ root, environment: {}, ...options }));
    return "loaded";
  } catch (thrown) {
    if (!(thrown instanceof StartRefused)) throw thrown;
    expect(thrown.status).toBe(78);
    expect(thrown.message.length).toBeLessThan(100_000);
    return "refused";
  }
};
const outcomeOf = (text: string, as: "config" | "keys" | "kafka"): "loaded" | "refused" => {
  writeFileSync(join(root, "file.yaml"), text);
  return outcome(as === "config" ? { config: ["file.yaml"] } : { [as]: "file.yaml" });
};

const folder = join(import.meta.dirname, "../../config");
const examples = readdirSync(folder)
  .filter((name) => name.endsWith(".example.yaml"))
  .map((name) => readFileSync(join(folder, name), "utf8"));
const as = fc.constantFrom("config", "keys", "kafka");

test("an example with any cut and any insertion loads or is refused", () => {
  const insertion = fc.constantFrom(
    "",
    ":",
    "[",
    "{",
    "- ",
    "\n",
    "  ",
    '"',
    "&a ",
    "*a ",
    "<<: ",
    "__proto__: ",
    "null",
    "1e999",
    "!!binary ",
    "\u0000",
    "? ",
  );
  fc.assert(
    fc.property(fc.constantFrom(...examples), fc.nat(), fc.nat(12), insertion, as, (text, at, cut, added, kind) => {
      const index = at % text.length;
      outcomeOf(text.slice(0, index) + added + text.slice(index + cut), kind);
    }),
    { numRuns: runs(300) },
  );
});

test("a tree of any values at the schema's own keys, and of the seeds', loads or is refused", () => {
  const keys = [
    ...new Set(leafPaths().flat().map(String)),
    "api_keys",
    "keys",
    "scheduler",
    "producer",
    "prometheus",
    "topics",
    "key_id",
    "__proto__",
    "0",
  ];
  const { tree } = fc.letrec((tie) => ({
    tree: fc.dictionary(fc.constantFrom(...keys), tie("value"), { maxKeys: 6 }),
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(null, true, -1, 0, 1.5, 8080, "", "kafka", "a:1", "auto", "all", "sim://junction"),
      fc.array(tie("value"), { maxLength: 3 }),
      tie("tree"),
    ),
  }));
  fc.assert(
    fc.property(tree, as, (value, kind) => {
      outcomeOf(stringify(value), kind);
    }),
    { numRuns: runs(300) },
  );
});

test("any text of a variable or of --set loads or is refused", () => {
  const path = fc.oneof(fc.constantFrom(...leafPaths().map((each) => each.join("."))), fc.string({ maxLength: 20 }));
  const text = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom("[", "{a: b}", "- a", "*x", "&x [*x]", "9".repeat(400), "null", "true"),
  );
  fc.assert(
    fc.property(path, text, (where, value) => {
      outcome({ set: [`${where}=${value}`] });
      const name = where.replaceAll(".", "__").replace(/[A-Z]/g, (letter) => `_${letter}`);
      outcome({ environment: { [`VEDETTE__${name.toUpperCase()}`]: value } });
    }),
    { numRuns: runs(300) },
  );
});
