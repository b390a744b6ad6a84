/** Runs a subcommand as a process of its own. */
import { join } from "node:path";
import { root } from "./vedette.ts";

export type Ran = { readonly status: number; readonly out: string; readonly err: string };

export const runCli = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> => {
  const child = Bun.spawn([process.execPath, join(root, "edge/cli.ts"), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [status, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status, out, err };
};

/** The lines of an answer in JSON, one object each. */
export const jsonLines = (text: string): Readonly<Record<string, unknown>>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
