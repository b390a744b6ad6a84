import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startLlmSim } from "../../../tools/llm-sim/server.ts";
import { jsonLines, runCli } from "../../support/cli.ts";
import { tempDir } from "../../support/temp-dir.ts";

setDefaultTimeout(60_000);

const good = "a-good-key-0001";
const bad = "a-wrong-key-0002";

const configOf = (baseUrl: string) => `
llm:
  groups:
    - name: main
      baseUrl: ${baseUrl}/v1
      model: sim-vl
      keys: [{ id: first, env: CLI_KEY_GOOD }, { id: second, env: CLI_KEY_BAD }, { id: third, env: CLI_KEY_NONE }, { id: fourth, env: CLI_KEY_GOOD, enabled: false }]
`;

test("each enabled key is tried, and what is said shows none of them", async () => {
  await using directory = await tempDir();
  await using sim = await startLlmSim({ latencyMs: [0, 0], accounts: { a: [good] } });
  const path = join(directory.path, "keys.yaml");
  writeFileSync(path, configOf(sim.url));
  const env = { CLI_KEY_GOOD: good, CLI_KEY_BAD: bad };

  const text = await runCli(["keys", "verify", "--config", path], env);
  expect(text.status).toBe(1);
  expect(text.out).toMatch(/^usable +main\/first +variable CLI_KEY_GOOD +sim-vl +\d+ ms +answered$/m);
  expect(text.out).toMatch(/^failed +main\/second +variable CLI_KEY_BAD/m);
  expect(text.out).toContain("1/3 keys usable");
  expect(text.err).toContain("fewer than llm.minKeys 3");

  const json = await runCli(["keys", "verify", "--json", "--config", path], env);
  expect(jsonLines(json.out)[0]).toMatchObject({
    usable: 1,
    total: 3,
    minKeys: 3,
    keys: [
      { id: "first", state: "usable" },
      { id: "second", state: "failed" },
      { id: "third", state: "failed", detail: "variable CLI_KEY_NONE holds nothing", ms: null },
      { id: "fourth", state: "off" },
    ],
  });
  for (const key of [good, bad]) expect(JSON.stringify([text, json])).not.toContain(key);
  expect(sim.stats().requests).toBe(4);
});

test("keys that are all good end with 0; a provider that is away is no key's fault, and said", async () => {
  await using directory = await tempDir();
  const path = join(directory.path, "keys.yaml");
  const env = { CLI_KEY_GOOD: good };
  const write = (baseUrl: string) =>
    writeFileSync(
      path,
      `llm: { minKeys: 1, groups: [{ name: main, baseUrl: "${baseUrl}/v1", keys: [{ id: first, env: CLI_KEY_GOOD }] }] }\n`,
    );
  await using sim = await startLlmSim({ latencyMs: [0, 0], accounts: { a: [good] } });
  write(sim.url);
  expect(await runCli(["keys", "verify", "--config", path], env)).toMatchObject({
    status: 0,
    err: "",
    out: expect.stringContaining("1/1 keys usable"),
  });
  write("http://127.0.0.1:1");
  const away = await runCli(["keys", "verify", "--json", "--config", path], env);
  expect(away.status).toBe(1);
  expect(jsonLines(away.out)[0]).toMatchObject({
    usable: 0,
    keys: [{ state: "failed", detail: expect.stringMatching(/connect/i) }],
  });
});

test("without keys there is nothing to try", async () => {
  const none = await runCli(["keys", "verify", "--set", "llm.groups=[]"]);
  expect(none).toEqual({ status: 0, out: "no llm.groups are configured: the rules assess\n", err: "" });
});
