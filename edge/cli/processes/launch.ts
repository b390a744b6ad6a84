/** Starts a process that outlives its launcher, and finds out from its log where it listens. */
import { spawn } from "node:child_process";
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ConfigOptions } from "../../../config/load.ts";
import { Fault, reasonOf } from "../../../runtime/errors.ts";

export type Launched = {
  readonly pid: number;
  /** How the process ended; null while it runs. */
  readonly ended: () => string | null;
};

/** The words of `bun run start` that lead to the same configuration. */
export const wordsOf = ({ config, keys, kafka, set }: ConfigOptions): string[] => [
  ...(config ?? []).flatMap((file) => ["--config", file]),
  ...(keys === undefined ? [] : ["--keys", keys]),
  ...(kafka === undefined ? [] : ["--kafka", kafka]),
  ...(set ?? []).flatMap((each) => ["--set", each]),
];

const program = join(import.meta.dirname, "../../main.ts");

/** Its lines go to the end of `log`. */
export const launch = async (words: readonly string[], log: string): Promise<Launched> => {
  mkdirSync(dirname(log), { recursive: true });
  const file = openSync(log, "a", 0o600);
  const child = spawn(process.execPath, [program, ...words], { detached: true, stdio: ["ignore", file, file] });
  closeSync(file);
  let ended: string | null = null;
  child.once("exit", (status, signal) => {
    ended = signal === null ? `status ${status}` : signal;
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (thrown) => reject(new Fault("unavailable", `cannot start ${process.execPath}: ${reasonOf(thrown)}`)));
  });
  child.unref();
  return { pid: child.pid ?? 0, ended: () => ended };
};

const tailBytes = 1024 * 1024;

/** The lines that a process wrote since it started last, at most the last MiB of them. */
export const linesOf = (log: string): readonly string[] => {
  let text: string;
  try {
    const file = openSync(log, "r");
    const { size } = fstatSync(file);
    closeSync(file);
    text = readFileSync(log, "utf8").slice(-Math.min(size, tailBytes));
  } catch {
    return []; // it has not begun to write
  }
  const lines = text.split("\n").filter((line) => line !== "");
  const start = lines.findLastIndex((line) => line.includes('"event":"process.start"'));
  return lines.slice(Math.max(0, start));
};

/** Where a process listens, by its log; null until it says so. */
export const urlIn = (lines: readonly string[]): string | null => {
  for (const line of lines) {
    if (!line.includes('"event":"server.listening"')) continue;
    try {
      const { url } = JSON.parse(line) as { readonly url?: unknown }; // checked in the next line
      if (typeof url === "string") return url;
    } catch {
      // A line that is still being written.
    }
  }
  return null;
};
