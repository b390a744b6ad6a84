import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { knownVariables } from "../../../config/environment.ts";
import { loadConfig } from "../../../config/load.ts";

const root = join(import.meta.dirname, "../../..");
const environment = { VEDETTE_OPERATOR_TOKEN: "one", VEDETTE_LOBBY_TOKEN: "two", DASHSCOPE_API_KEY: "three" };

const examples = readdirSync(join(root, "config")).filter((name) => name.endsWith(".example.yaml"));
test("there are examples", () => expect(examples.length).toBeGreaterThan(0));

test.each(examples)("%s loads without a warning", (name) => {
  const { warnings } = loadConfig({ root: "/", config: [join(root, "config", name)], environment });
  // That there is one key, and where it came from, is this test's doing.
  const ours = /^variable DASHSCOPE_API_KEY is set|^llm\.groups hold 1 usable key,/;
  expect(warnings.filter((warning) => !ours.test(warning))).toEqual([]);
});

test("every variable that is understood is documented", () => {
  const text = readFileSync(join(root, "config/README.md"), "utf8");
  const names = [...knownVariables.map(({ name }) => name), "DASHSCOPE_API_KEY", "OPENAI_API_KEY"];
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});
