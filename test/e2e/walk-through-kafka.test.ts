/** The lines of `docs/walk-through.md`, one after another, as a person would type them. */
import { expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { brokerCache } from "../../tools/broker/jars.ts";
import { tempDir } from "../support/temp-dir.ts";
import { root } from "../support/vedette.ts";

const page = readFileSync(join(root, "docs/walk-through.md"), "utf8");
const lines = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = ""]) => block.trim().split("\n"));
const scripts = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> }).scripts;

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });

test("every line does what the page says", async () => {
  await using directory = await tempDir();
  const [kafka, model] = [await freePort(), await freePort()];
  const env = { ...process.env, DASHSCOPE_API_KEY: "any-value" };
  /** The ports of the page may be taken, and its data directory may be in use. */
  const here: Readonly<Record<string, readonly string[]>> = {
    broker: ["--port", String(kafka)],
    "llm-sim": ["--port", String(model)],
    vedette: [
      `kafka.bootstrapServers=127.0.0.1:${kafka}`,
      `llm.groups.0.baseUrl=http://127.0.0.1:${model}/v1`,
      `data.dir=${join(directory.path, "data")}`,
      "server.port=0",
    ].flatMap((set) => ["--set", set]),
  };
  const start = (line: string) => {
    const [, script = "", ...words] = /^bun run (\S+) ?(.*?)( &)?$/.exec(line) ?? [];
    const [, program = ""] = (scripts[script] ?? "").split(" ");
    const given = (words[0] ?? "").split(" ").filter((word) => word !== "");
    const command = [process.execPath, join(root, program), ...given, ...(here[script] ?? [])];
    return Bun.spawn(command, { cwd: root, env, stdout: "pipe", stderr: "pipe" });
  };
  const said = new Map<string, string>();
  const background: ReturnType<typeof start>[] = [];
  const run = async (line: string): Promise<void> => {
    const child = start(line);
    if (line.endsWith("&")) {
      background.push(child);
      for await (const _ of child.stdout) return; // it says where it listens, and goes on
    }
    const [status, out, err] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    said.set(line, out);
    if (status !== 0) throw new Error(`${line}: status ${status}\n${out}${err}`);
  };
  try {
    for (const line of lines) if (!line.startsWith("export ")) await run(line);
  } finally {
    if (!said.has("bun run broker stop")) {
      const ends = lines.filter((line) => /vedette down|broker stop/.test(line));
      for (const line of ends) await run(line).catch(() => {}); // what failed first is thrown
    }
    for (const child of background) child.kill();
    rmSync(join(brokerCache, `broker-${kafka}`), { recursive: true, force: true, maxRetries: 3 });
  }
  const answer = (part: string): string => [...said].find(([line]) => line.includes(part))?.[1] ?? "";
  expect(answer("topics init")).toContain("detection-results is made, 16 partitions");
  expect(answer("keys verify")).toContain("1/1 keys usable");
  expect(answer(" up ").trim().split("\n")).toHaveLength(5);
  expect(answer("drive")).toMatch(/^e2e: 5 messages, 5 tasks, 5 results \(5 ok\)/);
  expect(answer("tail").trim().split("\n")).toHaveLength(5);
  expect(answer(" down ").trim().split("\n")).toHaveLength(5);
}, 300_000);
