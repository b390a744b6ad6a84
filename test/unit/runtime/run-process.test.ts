import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { type ProcessResult, runProcess } from "../../../runtime/run-process.ts";

test.each<[string, string[], number, ProcessResult | null]>([
  ["a program that is not here", ["no-such-program-of-vedette"], 5_000, null],
  ["one that ends well", [process.execPath, "-e", ""], 10_000, { exitCode: 0, errors: "" }],
  [
    "one that fails",
    [process.execPath, "-e", "process.stderr.write(' why\\n'); process.exit(3)"],
    10_000,
    { exitCode: 3, errors: "why" },
  ],
  ["one past its time", [process.execPath, "-e", "setInterval(() => {}, 1000)"], 200, { exitCode: -1, errors: "" }],
])("%s", async (_name, command, timeoutMs, expected) => {
  expect(await runProcess(command, { cwd: tmpdir(), timeoutMs })).toEqual(expected);
});
