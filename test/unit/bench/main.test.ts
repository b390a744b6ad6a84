import { expect, test } from "bun:test";
import { join } from "node:path";
import { run } from "../../../tools/process.ts";

const bench = (...args: string[]) =>
  run(process.execPath, [join(import.meta.dirname, "../../../bench/main.ts"), ...args], { timeoutMs: 20_000 });

test.each([
  ["no name", [], "say which bench to run: "],
  ["a name that is none", ["speed"], "there is no bench speed; there are "],
  ["two names", ["codec", "runtime"], "one bench at a time, not also runtime"],
  ["an unknown option", ["codec", "--fast"], "--fast"],
])("%s is refused with one line", async (_says, args, expected) => {
  const { status, output } = await bench(...args);
  expect(status).toBe(1);
  expect(output).toStartWith("bench: ");
  expect(output).toContain(expected);
  expect(output.trim().split("\n")).toHaveLength(1);
});

test("--help lists every bench", async () => {
  const { status, output } = await bench("--help");
  expect(status).toBe(0);
  for (const name of ["runtime", "codec", "all"]) expect(output).toContain(`  ${name} `);
});
