/** Commands that look into a log that no process has: dead letters, damaged files. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createCodec } from "../../../protocols/codec.ts";
import { DeadLetter, deadLettersOf } from "../../../protocols/dead-letter.ts";
import { topics } from "../../../protocols/topics.ts";
import { openSqliteBus } from "../../../runtime/bus-sqlite.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { jsonLines, runCli } from "../../support/cli.ts";
import { tempDir } from "../../support/temp-dir.ts";

// Each runs a few processes.
setDefaultTimeout(60_000);

const dead = deadLettersOf(topics.tasks);
const codec = createCodec([DeadLetter]);

const openLog = (dataDir: string) =>
  openSqliteBus({ directory: join(dataDir, "log"), clock: systemClock, log: silentLog, maxBytes: 2 ** 30, minFreeBytes: 0 });

const letter = (offset: number, disposition: DeadLetter["disposition"]): DeadLetter => ({
  type: "dead.letter",
  topic: topics.tasks.name,
  partition: 3,
  offset,
  key: "7",
  id: `task-${offset}`,
  trace: "1".repeat(32),
  recordType: "assessment.task",
  value: new Uint8Array([0x80]),
  disposition,
  reason: `no good\u001b[31m ${offset}`,
  attempts: 3,
});

const writeLetters = async (dataDir: string): Promise<void> => {
  const bus = await openLog(dataDir);
  await bus.ensure([topics.tasks, dead]);
  const letters = [letter(0, "poison"), letter(1, "expired")];
  await bus.append(
    letters.map((each) => ({
      topic: dead.name,
      key: each.key,
      id: dead.idOf(each),
      type: each.type,
      trace: each.trace,
      bytes: codec.encode(each),
    })),
  );
  await bus.close();
};

test("dead letters are listed with their reason, and put back once", async () => {
  await using directory = await tempDir();
  const set = ["--set", `data.dir=${directory.path}`];
  expect(await runCli(["dlq", "list", ...set])).toMatchObject({ status: 0, out: "there are no dead letters\n" });
  await writeLetters(directory.path);

  const listed = await runCli(["dlq", "list", "--json", ...set]);
  expect(jsonLines(listed.out)).toMatchObject([
    { topic: "assessment-tasks", id: "task-0", disposition: "poison", attempts: 3, bytes: 1 },
    { id: "task-1", disposition: "expired" },
  ]);
  const table = await runCli(["dlq", "list", "--topic", "assessment-tasks", "--disposition", "poison", ...set]);
  expect(table.out.trimEnd().split("\n")).toHaveLength(2);
  expect(table.out).toContain("no good?[31m 0");

  const replay = ["dlq", "replay", "--id", "task-0", ...set];
  expect(await runCli(replay)).toMatchObject({ status: 0, out: "1 put back\n" });
  expect(await runCli(replay)).toMatchObject({ status: 0, out: "0 put back, 1 were put back before\n" });
  const bus = await openLog(directory.path);
  await bus.ensure([topics.tasks]);
  const states = await bus.states(topics.tasks.name);
  const records = (await Promise.all(states.map(({ partition }) => bus.read(topics.tasks.name, partition, 0, 10)))).flat();
  await bus.close();
  expect(records).toMatchObject([{ id: "task-0~replay-3-0", key: "7", type: "assessment.task", bytes: new Uint8Array([0x80]) }]);
  expect(await runCli(["dlq", "replay", "--topic", "cameras", ...set])).toMatchObject({ status: 1 });
});

test("dead letters of a log in use are not put back behind its owner's back", async () => {
  await using directory = await tempDir();
  await writeLetters(directory.path);
  const bus = await openLog(directory.path);
  try {
    const set = ["--set", `data.dir=${directory.path}`, "--set", "server.port=1"];
    expect((await runCli(["dlq", "list", ...set])).out).toContain("task-1");
    expect(await runCli(["dlq", "replay", ...set])).toMatchObject({ status: 1 });
  } finally {
    await bus.close();
  }
});

test("a damaged file is found, and named", async () => {
  await using directory = await tempDir();
  const set = ["--set", `data.dir=${directory.path}`];
  expect(await runCli(["store", "check", ...set])).toMatchObject({
    status: 0,
    out: expect.stringContaining("nothing was written yet"),
  });
  await writeLetters(directory.path);
  const sound = await runCli(["store", "check", "--json", ...set]);
  expect(jsonLines(sound.out)[0]).toMatchObject({
    ok: true,
    files: [{ state: "sound", detail: "2 records" }, { state: "missing" }],
  });
  const path = join(directory.path, "log", "log.sqlite");
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 8_192, 40_000);
  writeFileSync(path, bytes);
  const spoilt = await runCli(["store", "check", ...set]);
  expect(spoilt).toMatchObject({ status: 1, out: expect.stringContaining(`BAD  ${path}`) });
});
