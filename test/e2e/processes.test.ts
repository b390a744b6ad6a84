/** `vedette up`, `status` and `down`, as a person uses them. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jsonLines, runCli } from "../support/cli.ts";
import { tempDir } from "../support/temp-dir.ts";
import { within } from "../support/wait.ts";

const setUp = async () => {
  const directory = await tempDir();
  const config = join(directory.path, "site.yaml");
  const dataDir = join(directory.path, "data");
  await writeFile(
    config,
    `cameras:\n  - { id: 1, name: junction, url: "sim://junction?seed=1&render=0", fps: 2 }\nserver: { port: 0 }\n`,
  );
  const vedette = (command: string, ...words: string[]) =>
    runCli([command, "--config", config, "--set", `data.dir=${dataDir}`, ...words]);
  return {
    dataDir,
    vedette,
    pidOf: async (name: string) => Number(await readFile(join(dataDir, "run", `${name}.pid`), "utf8")),
    async [Symbol.asyncDispose]() {
      await vedette("down");
      await directory[Symbol.asyncDispose]();
    },
  };
};

test("up starts it in the background and waits until it is ready; status shows it; down ends it in order", async () => {
  await using it = await setUp();
  expect(await it.vedette("status")).toMatchObject({ status: 1, out: "nothing is running\n" });
  const up = await it.vedette("up");
  expect(up).toMatchObject({ status: 0 });
  expect(up.out).toMatch(/^all +(ready|degraded) +pid \d+ +http:\/\/127\.0\.0\.1:\d+ +\S+logs\/all\.log\n$/);

  const status = await it.vedette("status", "--json");
  const [report] = jsonLines(status.out);
  expect(status.status).toBe(0);
  expect(report).toMatchObject({ name: "all", pid: await it.pidOf("all") });
  expect((await fetch(`${report?.url}/api/cameras`)).status).toBe(200);

  const again = await it.vedette("up");
  expect([again.status, again.out.split(/ +/)[3]]).toEqual([0, up.out.split(/ +/)[3]]);
  expect(await it.vedette("down")).toMatchObject({ status: 0, out: "all stopped\n" });
  expect(existsSync(join(it.dataDir, "run", "all.pid"))).toBe(false);
  const log = await readFile(join(it.dataDir, "logs", "all.log"), "utf8");
  expect(log).toMatch(/"event":"process\.stopped".*"inTime":true/);
  expect(await it.vedette("down")).toMatchObject({ status: 0, out: "nothing is running\n" });
}, 60_000);

test("a process that was killed counts as stopped, and so does one that took over its number", async () => {
  await using it = await setUp();
  expect((await it.vedette("up")).status).toBe(0);
  process.kill(await it.pidOf("all"), "SIGKILL");
  await within(20_000, "a stopped process", async () =>
    (await it.vedette("status", "--roles", "all")).out.startsWith("all  stopped"),
  );
  await writeFile(join(it.dataDir, "run", "all.pid"), `${process.pid}\n`);
  expect(await it.vedette("down", "--roles", "all")).toMatchObject({ status: 0, out: "all was not running\n" });
}, 60_000);

test.each([
  ["roles apart on the embedded log", ["--roles", "eyes,edge"], 78, /set bus: kafka/],
  ["a role that is none", ["--roles", "eyes,nose"], 64, /there is no role "nose"/],
  ["all beside a role", ["--roles", "all,edge"], 64, /leave the others out/],
])(
  "%s: refused at once",
  async (_what, words, code, says) => {
    await using it = await setUp();
    const { status, err } = await it.vedette("up", ...words);
    expect(status).toBe(code);
    expect(err).toMatch(says);
    expect(existsSync(join(it.dataDir, "run"))).toBe(false);
  },
  30_000,
);

test("what ends the start is shown", async () => {
  using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
  await using it = await setUp();
  const { status, err } = await it.vedette("up", "--set", `server.port=${taken.port}`);
  expect(status).toBe(1);
  expect(err).toContain(`cannot listen on 127.0.0.1:${taken.port}: another process has this port; `);
}, 30_000);
