import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jsonLines, runCli } from "../../support/cli.ts";
import { redisMissing, startRedis } from "../../support/redis.ts";
import { tempDir } from "../../support/temp-dir.ts";

// Each runs a few processes.
setDefaultTimeout(60_000);

type Finding = { readonly name: string; readonly status: string; readonly detail: string; readonly mend?: string };

/** What `doctor --json` says, by name; the last one of a name stands. */
const diagnose = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const { status, out, err } = await runCli(["doctor", "--json", ...args], env);
  const [report] = jsonLines(out) as unknown as { ok: boolean; findings: Finding[] }[];
  const of = (name: string): Finding | undefined => report?.findings.findLast((each) => each.name === name);
  return { status, err, ok: report?.ok, of };
};

test("a machine on which nothing runs is fit, and nothing is written", async () => {
  await using directory = await tempDir();
  const dir = join(directory.path, "data");
  const { status, ok, of, err } = await diagnose([
    "--set",
    `data.dir=${dir}`,
    "--set",
    "server.port=0",
    "--set",
    "data.minFreeBytes=0",
  ]);
  expect({ status, ok, err }).toEqual({ status: 0, ok: true, err: "" });
  for (const name of ["runtime", "config", "data", "files", "port", "media", "engine"])
    expect([name, of(name)?.status]).toEqual([name, "ok"]);
  expect(of("redis")?.status).toBe("skip");
  expect(await Bun.file(dir).exists()).toBe(false);
  const text = await runCli(["doctor", "--set", `data.dir=${dir}`, "--set", "server.port=0", "--set", "data.minFreeBytes=0"]);
  expect(text.out).toMatch(/^ok {4}runtime: bun /);
});

describe("what is wrong is named, with what to do", () => {
  test("a port that another program has", async () => {
    using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
    const { status, of } = await diagnose(["--set", `server.port=${taken.port}`]);
    expect(status).toBe(1);
    expect(of("port")).toMatchObject({
      status: "fail",
      detail: expect.stringContaining(`127.0.0.1:${taken.port}`),
      mend: expect.stringContaining("server.port"),
    });
  });

  test("a model that is none, and one that is not there", async () => {
    const text = await diagnose(["--set", "detector.model=README.md"]);
    expect(text.of("model")).toMatchObject({ status: "fail", detail: expect.stringContaining("README.md is not an ONNX model") });
    const none = await diagnose(["--set", "detector.model=none.onnx"]);
    expect(none.of("model")).toMatchObject({ status: "fail", detail: "detector.model none.onnx does not exist" });
  });

  test("a data directory that is a file, a damaged log, a disk without room", async () => {
    await using directory = await tempDir();
    const file = join(directory.path, "file");
    writeFileSync(file, "");
    expect((await diagnose(["--set", `data.dir=${file}`])).of("data")).toMatchObject({
      status: "fail",
      detail: `${file} is a file`,
    });
    const dir = join(directory.path, "data");
    mkdirSync(join(dir, "log"), { recursive: true });
    writeFileSync(join(dir, "log", "log.sqlite"), "no database at all ".repeat(1_000));
    const { of } = await diagnose(["--set", `data.dir=${dir}`, "--set", "data.minFreeBytes=900TiB"]);
    expect(of("files")).toMatchObject({ status: "fail", mend: expect.stringContaining("sets the damaged file aside") });
    expect(of("disk")).toMatchObject({ status: "fail", detail: expect.stringContaining("below data.minFreeBytes") });
  });

  test("a wrong configuration", async () => {
    const { status, of } = await diagnose(["--set", "tasks.cooldwonMs=5"]);
    expect(status).toBe(1);
    expect(of("config")).toMatchObject({ status: "fail", detail: expect.stringContaining("cooldownMs") });
  });

  test("keys that hold nothing or are too few; none is printed", async () => {
    await using directory = await tempDir();
    const path = join(directory.path, "keys.yaml");
    writeFileSync(path, "llm: { groups: [{ name: main, keys: [{ id: a, env: DOCTOR_A }, { id: b, env: DOCTOR_B }] }] }\n");
    const one = await diagnose(["--config", path], { DOCTOR_A: "a-value-that-is-secret" });
    expect(one.of("keys")).toMatchObject({
      status: "warn",
      detail: "1 of 2 keys in 1 group can be read, fewer than llm.minKeys 3",
    });
    expect((await diagnose(["--config", path])).of("keys")).toMatchObject({ status: "fail" });
  });
});

const missing = redisMissing();
test.skipIf(missing !== null)(
  "a configured Redis is asked, and named when it is away",
  async () => {
    await using server = await startRedis();
    const set = ["--set", `store.redis=${server.url}`];
    expect((await diagnose(set)).of("redis")).toMatchObject({
      status: "ok",
      detail: expect.stringMatching(/redis \d+\.\d+\.\d+ answers in/),
    });
    expect(await runCli(["store", "check", ...set])).toMatchObject({ status: 0, out: expect.stringContaining("answers in") });
    await server.kill();
    expect((await diagnose(set)).of("redis")).toMatchObject({ status: "fail", detail: expect.stringContaining("ECONNREFUSED") });
    expect(await runCli(["store", "check", ...set])).toMatchObject({ status: 1, out: expect.stringContaining("BAD") });
  },
  60_000,
);
