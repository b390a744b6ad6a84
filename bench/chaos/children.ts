/** Every program that a run has started; none of them outlives it. */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { delay, systemClock } from "../../runtime/clock.ts";

const running = new Set<ChildProcess>();
const killAll = (): void => {
  for (const child of running) child.kill("SIGKILL");
};
let isWatching = false;

/** What the process does at a signal is its own business; its end, of whatever kind, ends these. */
export const adopt = (child: ChildProcess): ChildProcess => {
  if (!isWatching) process.on("exit", killAll);
  isWatching = true;
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
};

/** Writes what the program says to the end of `logFile`. */
export const startChild = (
  command: string,
  args: readonly string[],
  logFile: string,
  env: Readonly<Record<string, string>> = {},
): ChildProcess => {
  const log = openSync(logFile, "a");
  return adopt(spawn(command, args, { stdio: ["ignore", log, log], env: { ...process.env, ...env } }));
};

export const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

/** By `kill -9`; resolves when it is gone. */
export const killChild = async (child: ChildProcess): Promise<void> => {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
};

/** In order; its exit status, or null when it had to be killed after `limitMs`. */
export const stopChild = async (child: ChildProcess, limitMs: number): Promise<number | null> => {
  if (hasEnded(child)) return child.exitCode;
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = delay(systemClock, limitMs).then(() => killChild(child).then(() => null));
  return Promise.race([ended, late]);
};
