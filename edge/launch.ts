/** What must stand in the environment before the first native call: set by starting the same program once more. */
import { spawnSync } from "node:child_process";
import type { Variables } from "../config/environment.ts";
import type { Config } from "../config/schema.ts";

/** A blocking read of a camera takes a thread of this pool; stalled cameras must not hold the others up. */
const readerThreads = (config: Config): number => Math.max(64, config.cameras.list.length + 32);

/** Replaces this process by one with the right environment; returns at once when it is right already. */
export const relaunch = (config: Config, environment: Variables): void => {
  const wanted = {
    UV_THREADPOOL_SIZE: String(readerThreads(config)),
    BUN_CONFIG_MAX_HTTP_REQUESTS: String(Math.max(512, 2 * config.llm.maxConcurrentTasks)),
  };
  const marker = "VEDETTE_RELAUNCHED";
  if (environment[marker] !== undefined) return;
  const next: Record<string, string> = { ...wanted, [marker]: "1" };
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) next[name] = value;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // In place where the system can, so that signals and the process id stay what the caller knows.
  if (process.execve && process.platform !== "win32") process.execve(process.execPath, command, next);
  const [program = process.execPath, ...args] = command;
  const child = spawnSync(program, args, { env: next, stdio: "inherit" });
  process.exit(child.status ?? 1);
};
