import { expect, test } from "bun:test";
import { join } from "node:path";
import { createCodec } from "../../protocols/codec.ts";
import { DeadLetter, deadLettersOf } from "../../protocols/dead-letter.ts";
import { topics } from "../../protocols/topics.ts";
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { jsonLines, runCli } from "../support/cli.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const junction = `cameras:\n  - { id: 7, name: junction, url: "sim://junction?seed=7&act=near-miss&fps=4" }\n`;

test("a running process is looked at, given a camera and driven, without stopping it", async () => {
  await using it = await startVedette({ config: junction });
  const set = ["--set", `data.dir=${it.dataDir}`];
  const at = [...set, "--server", it.url];

  const added = await runCli(["camera", "add", "--id", "8", "--name", "gate", "--url", "sim://junction?seed=2", ...at]);
  expect(added).toMatchObject({ status: 0, out: expect.stringContaining("camera 8 gate is added") });
  expect(await runCli(["camera", "check", "--id", "8", ...at])).toMatchObject({
    status: 0,
    out: expect.stringContaining("it delivers"),
  });
  const refused = await runCli(["camera", "check", "--id", "9", "--url", "rtsp://127.0.0.1:1/none", ...at]);
  expect(refused).toMatchObject({ status: 1, out: expect.stringContaining("it does not deliver") });
  const listed = await runCli(["camera", "list", ...at]);
  expect(listed.out.split("\n").filter((line) => /^[78] /.test(line))).toHaveLength(2);
  expect(await runCli(["camera", "remove", "--id", "8", ...at])).toMatchObject({ status: 0 });
  const gone = await runCli(["camera", "remove", "--id", "8", ...at]);
  expect(gone).toMatchObject({ status: 1, err: "vedette: unknown_camera: there is no camera 8\n" });

  const tasks = await runCli([
    "tail",
    "--topic",
    "assessment-tasks",
    "--from",
    "earliest",
    "--count",
    "1",
    "--timeout",
    "20",
    "--json",
    ...set,
  ]);
  const [task] = jsonLines(tasks.out);
  expect(task).toMatchObject({
    topic: "assessment-tasks",
    type: "assessment.task",
    value: { image: { bytes: expect.any(Number) } },
  });
  const { requestId: request = "" } = (task?.value ?? {}) as { requestId?: string };
  const lineage = await runCli(["tail", "--request", request, ...set]);
  expect(lineage.status).toBe(0);
  for (const topic of ["detection-results/", "assessment-tasks/", "risk-assessment-results/", "incidents/"])
    expect(lineage.out).toContain(topic);
  expect(lineage.out.trimEnd().split("\n").at(-1)).toContain("final and complete");
  const unknown = await runCli(["tail", "--request", "none", "--timeout", "1", ...set]);
  expect(unknown).toMatchObject({ status: 1, err: expect.stringContaining("nothing is recorded about request none") });

  const topics = await runCli(["topics", "list", "--json", ...set]);
  const names = ((jsonLines(topics.out)[0]?.topics ?? []) as { name: string; exists: boolean }[]).map(({ name, exists }) => [
    name,
    exists,
  ]);
  expect(Object.fromEntries(names)).toMatchObject({ "detection-results": true, incidents: true, "assessment-tasks.dlq": true });
  const lag = await runCli(["topics", "lag", "--topic", "assessment-tasks", "--json", ...set]);
  expect(jsonLines(lag.out)[0]).toMatchObject({ groups: [{ group: "llm-task-scheduler", topic: "assessment-tasks" }] });
  expect(await runCli(["topics", "describe", "--topic", "cameras", ...set])).toMatchObject({ status: 0 });
  expect(await runCli(["topics", "init", ...set])).toMatchObject({
    status: 0,
    out: expect.stringContaining("incidents was there"),
  });
  const raised = await runCli(["topics", "init", "--topic", "incidents", "--partitions", "20", ...set]);
  expect(raised).toMatchObject({ status: 1, err: expect.stringContaining(`is in use by process ${it.pid}`) });
  expect(await runCli(["store", "check", ...set])).toMatchObject({ status: 0, out: expect.stringContaining("records") });

  const driven = await runCli(["drive", "--mode", "e2e", "--count", "5", "--duration", "40", ...at]);
  expect(driven).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^e2e: \d+ messages, \d+ tasks, \d+ results \(\d+ ok\)/),
  });
  expect(await runCli(["drive", "--mode", "producer", "--num-messages", "4", ...at])).toMatchObject({
    status: 0,
    out: "producer: 4 of 4 messages acknowledged\n",
  });
  expect(await runCli(["drive", "--mode", "consumer", "--timeout", "5", ...set])).toMatchObject({ status: 0 });
  const left = (await (await it.get("/api/cameras")).json()) as { items: { id: number }[] };
  expect(left.items.map(({ id }) => id)).toEqual([7]);
  it.kill("SIGTERM");
  expect(await it.exited).toBe(0);

  // The same looks without the process, and what only then may be done.
  expect(await runCli(["tail", "--once", "--count", "3", ...set])).toMatchObject({
    status: 0,
    out: expect.stringContaining("\n"),
  });
  const later = await runCli(["topics", "init", "--topic", "incidents", "--partitions", "20", ...set]);
  expect(later).toMatchObject({ status: 0, out: "incidents is raised, 20 partitions\n", err: expect.stringContaining("order") });
  const lower = await runCli(["topics", "init", "--topic", "incidents", "--partitions", "2", ...set]);
  expect(lower).toMatchObject({
    status: 0,
    out: "incidents was there, 20 partitions\n",
    err: expect.stringContaining("never lowered"),
  });
  const away = await runCli(["camera", "list", ...at]);
  expect(away).toMatchObject({ status: 1, err: expect.stringContaining(`no vedette answers at ${it.url}`) });
}, 120_000);

test("a dead letter of a running process is put back by the process", async () => {
  await using directory = await tempDir();
  const dead = deadLettersOf(topics.tasks);
  const letter: DeadLetter = {
    ...{ type: "dead.letter", topic: topics.tasks.name, partition: 3, offset: 41, key: "7", id: "x", trace: "1".repeat(32) },
    ...{ recordType: "assessment.task", value: new Uint8Array([0xc1]), disposition: "poison", reason: "no good", attempts: 3 },
  };
  const options = { clock: systemClock, log: silentLog, maxBytes: 2 ** 30, minFreeBytes: 0 };
  const bus = await openSqliteBus({ directory: join(directory.path, "log"), ...options });
  await bus.ensure([dead]);
  const bytes = createCodec([DeadLetter]).encode(letter);
  await bus.append([{ topic: dead.name, key: "7", id: dead.idOf(letter), type: letter.type, trace: letter.trace, bytes }]);
  await bus.close();

  await using it = await startVedette({ dataDir: directory.path, config: "cameras: []\n" });
  const set = ["--set", `data.dir=${it.dataDir}`];
  expect(await runCli(["dlq", "list", ...set])).toMatchObject({ status: 0, out: expect.stringContaining("no good") });
  const replay = ["dlq", "replay", "--id", "x", "--server", it.url, ...set];
  expect(await runCli(replay)).toMatchObject({ status: 0, out: "1 put back\n" });
  expect(await runCli(replay)).toMatchObject({ status: 0, out: "0 put back, 1 were put back before\n" });
  // It is no better than before, and comes back with the reason.
  await it.line("delivery.dead-lettered");
  await within(
    20_000,
    "the second letter",
    async () => (await runCli(["dlq", "list", ...set])).out.includes("x~replay-3-41") || null,
  );
}, 90_000);

test("a process with tokens is asked by the token of its own configuration, and by no other", async () => {
  await using directory = await tempDir();
  const path = join(directory.path, "auth.yaml");
  await Bun.write(path, "cameras: []\nauth: { tokens: [{ name: ops, env: CLI_OPS, role: operator }] }\n");
  const env = { CLI_OPS: "an-operators-word" };
  await using it = await startVedette({ args: ["--config", path], env });
  const port = new URL(it.url).port;
  const own = await runCli(["camera", "list", "--config", path, "--set", `server.port=${port}`], env);
  expect(own).toMatchObject({ status: 0, out: "there are no cameras\n" });
  const named = await runCli(["camera", "list", "--server", it.url, "--token-env", "CLI_OPS"], env);
  expect(named).toMatchObject({ status: 0 });
  const without = await runCli(["camera", "list", "--server", it.url], env);
  expect(without).toMatchObject({ status: 1, err: expect.stringContaining("VEDETTE_TOKEN") });
  expect(JSON.stringify([own, named, without])).not.toContain(env.CLI_OPS);
}, 60_000);

test("without a process, drive brings one of its own and leaves nothing behind", async () => {
  await using directory = await tempDir();
  const set = ["--set", `data.dir=${join(directory.path, "none")}`];
  const driven = await runCli(["drive", "--count", "3", "--duration", "40", ...set]);
  expect(driven).toMatchObject({ status: 0, out: expect.stringMatching(/^e2e: /), err: expect.stringContaining("temporary") });
  expect(await Bun.file(join(directory.path, "none")).exists()).toBe(false);
  const consumed = await runCli(["drive", "--mode", "consumer", "--timeout", "1", ...set]);
  expect(consumed).toMatchObject({ status: 1, out: "consumer: 0 valid messages from detection-results\n" });
}, 90_000);

test("wrong words and a wrong configuration end with 64 and 78, and one line", async () => {
  const words = await runCli(["camera", "add"]);
  expect(words).toEqual({ status: 64, out: "", err: "vedette: --id is missing; see bun run vedette camera add --help\n" });
  expect(await runCli(["topics", "list", "--set", "tasks.cooldwonMs=5"])).toMatchObject({ status: 78 });
  expect(await runCli(["--help"])).toMatchObject({ status: 0, err: "" });
  expect(await runCli(["drive", "--mode", "sideways"])).toMatchObject({ status: 64 });
});
