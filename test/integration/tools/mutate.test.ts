/** The mutation tool plants faults in one small file, and the tests of that file find most of them. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hosts } from "../../../tools/portable.ts";
import { run } from "../../../tools/process.ts";
import { tempDir } from "../../support/temp-dir.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const hasNode = hosts.some(({ name, program }) => name === "node" && existsSync(program));

test.skipIf(!hasNode)(
  "bun run mutate intensity",
  async () => {
    await using folder = await tempDir();
    const list = join(folder.path, "survivors.txt");
    const args = [join(root, "tools", "mutate.ts"), "--survivors", list, "runtime/intensity.ts"];
    const { status, output } = await run(process.execPath, args, { timeoutMs: 110_000, cwd: root });
    expect(output).toMatch(
      /^runtime\/intensity\.ts: \d+\.\d % \(\d+ killed, \d+ hung, \d+ survived\)\nall: \d+\.\d %; what survived is in /,
    );
    expect(status).toBe(0);
    expect(readFileSync(list, "utf8")).toMatch(/^(runtime\/intensity\.ts:\d+:\d+ {2}\w+: .+ => .*\n)*$/);
  },
  120_000,
);
