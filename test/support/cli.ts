/** Runs a subcommand as a process of its own. */
import { type Ran, runProgram } from "./vedette.ts";

export const runCli = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  runProgram("edge/cli.ts", args, env);

/** The lines of an answer in JSON, one object each. */
export const jsonLines = (text: string): Readonly<Record<string, unknown>>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
