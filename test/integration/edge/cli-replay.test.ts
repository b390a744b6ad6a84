import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { resultByRules } from "../../../actors/scheduler/result.ts";
import { createCodec } from "../../../protocols/codec.ts";
import type { TopicDefinition } from "../../../protocols/topic.ts";
import { topics } from "../../../protocols/topics.ts";
import { openSqliteBus } from "../../../runtime/bus-sqlite.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { startLlmSim } from "../../../tools/llm-sim/server.ts";
import { jsonLines, runCli } from "../../support/cli.ts";
import { aTask } from "../../support/task.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { root } from "../../support/vedette.ts";

setDefaultTimeout(60_000);

const codec = createCodec([...topics.tasks.messages, ...topics.results.messages]);

/** A log of two tasks, both assessed by rules. */
const writeTasks = async (dataDir: string): Promise<void> => {
  const bus = await openSqliteBus({
    directory: join(dataDir, "log"),
    clock: systemClock,
    log: silentLog,
    maxBytes: 2 ** 30,
    minFreeBytes: 0,
  });
  const tasks = [1, 2].map((groupIndex) => aTask({ taskId: `request_group${groupIndex}`, groupIndex }));
  const results = tasks.map((task) => resultByRules(task, "en", Number.NEGATIVE_INFINITY));
  const append = <M extends { readonly type: string; readonly traceId: string }>(
    topic: TopicDefinition<M>,
    messages: readonly M[],
  ) =>
    bus.append(
      messages.map((message) => ({
        topic: topic.name,
        key: topic.keyOf(message),
        id: topic.idOf(message),
        type: message.type,
        trace: message.traceId,
        bytes: codec.encode(message),
      })),
    );
  await bus.ensure([topics.tasks, topics.results]);
  await append(topics.tasks, tasks);
  await append(topics.results, results);
  await bus.close();
};

test("recorded tasks are assessed by the rules, by a model and by another prompt, and compared", async () => {
  await using directory = await tempDir();
  await using sim = await startLlmSim({ latencyMs: [0, 0], level: "low" });
  await writeTasks(directory.path);
  const span = ["--from", "10m", "--to", "now", "--set", `data.dir=${directory.path}`];

  const rules = await runCli(["replay", ...span, "--set", "llm.groups=[]"]);
  expect(rules).toMatchObject({ status: 0, err: "" });
  expect(rules.out).toContain("2 tasks by rules: 2 same, 0 changed");
  expect((await runCli(["replay", "--diff", ...span, "--set", "llm.groups=[]"])).out.trim().split("\n")).toHaveLength(1);

  const config = join(directory.path, "model.yaml");
  writeFileSync(
    config,
    `llm: { minKeys: 0, groups: [{ name: main, baseUrl: "${sim.url}/v1", model: sim-vl, keys: [{ id: a, env: REPLAY_KEY }] }] }\n`,
  );
  const env = { REPLAY_KEY: "a-key" };
  const model = await runCli(["replay", "--json", ...span, "--config", config], env);
  expect(model.status).toBe(0);
  expect(jsonLines(model.out)).toMatchObject([
    {
      taskId: "request_group1",
      change: "changed",
      before: { assessedBy: "rules" },
      after: { riskLevel: "low", assessedBy: "sim-vl" },
    },
    { taskId: "request_group2", change: "changed" },
  ]);
  expect(model.err).toMatch(/2 tasks by sim-vl with prompt risk-v\d+: 0 same, 2 changed, .*; \d+ \+ \d+ tokens; median latency/);

  const prompt = join(directory.path, "prompt.txt");
  writeFileSync(
    prompt,
    readFileSync(join(root, "config/prompts/risk.en.txt"), "utf8").replace(/^version: .*$/m, "version: trial-9"),
  );
  const other = await runCli(["replay", "--prompt", prompt, "--model", "other-vl", ...span, "--config", config], env);
  expect(other.out).toContain("by other-vl with prompt trial-9");
  expect(sim.stats().requests).toBe(4);
});

test("what cannot be replayed is said", async () => {
  await using directory = await tempDir();
  const set = ["--set", `data.dir=${directory.path}`, "--set", "llm.groups=[]"];
  const none = await runCli(["replay", "--from", "10m", "--to", "now", ...set]);
  expect(none).toMatchObject({ status: 1, err: expect.stringContaining("no tasks are recorded in that time") });
  const model = await runCli(["replay", "--from", "10m", "--to", "now", "--model", "x", ...set]);
  expect(model).toMatchObject({ status: 1, err: expect.stringContaining("need a model") });
  expect(await runCli(["replay", "--from", "now", "--to", "10m", ...set])).toMatchObject({ status: 64 });
  expect(await runCli(["replay", "--from", "yesterday", "--to", "now", ...set])).toMatchObject({
    status: 64,
    err: expect.stringContaining("15m"),
  });
  expect(await runCli(["replay", "--from", "1m", "--to", "now", "--prompt", "none.txt", ...set])).toMatchObject({ status: 64 });
});
