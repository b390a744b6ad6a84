/** Runs a program with a bound on its time; at the bound it ends with everything that it started. */
import { type ChildProcess, spawn } from "node:child_process";
import { systemClock } from "../runtime/clock.ts";

export type Outcome = {
  readonly status: number | null;
  readonly output: string;
  readonly timedOut: boolean;
  readonly tookMs: number;
};
export type RunOptions = {
  readonly timeoutMs: number;
  /** True hands the output on as it comes, false collects it. */
  readonly isShown: boolean;
  readonly cwd?: string;
};

const isWindows = process.platform === "win32";
const running = new Set<ChildProcess>();

/** The whole process group, so that no test leaves a server behind. */
const end = (child: ChildProcess): void => {
  if (child.pid === undefined) return;
  try {
    if (isWindows) spawn("taskkill", ["/pid", String(child.pid), "/t", "/f"]);
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
};

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    for (const child of running) end(child);
    process.exit(130);
  });

const outputMax = 1_000_000;

/** Never rejects: a program that cannot be started has status null. */
export const run = (command: string, args: readonly string[], options: RunOptions): Promise<Outcome> =>
  new Promise((resolve) => {
    const startedAt = systemClock.monotonicMs();
    let output = "";
    let timedOut = false;
    const child = spawn(command, args, {
      stdio: ["ignore", options.isShown ? "inherit" : "pipe", options.isShown ? "inherit" : "pipe"],
      detached: !isWindows,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    running.add(child);
    const collect = (chunk: Buffer) => {
      if (output.length < outputMax) output += chunk.toString();
    };
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    const cancel = systemClock.after(options.timeoutMs, () => {
      timedOut = true;
      end(child);
    });
    const finish = (status: number | null) => {
      cancel();
      running.delete(child);
      end(child); // what it left running
      resolve({ status, output, timedOut, tookMs: systemClock.monotonicMs() - startedAt });
    };
    child.on("error", (error) => {
      output += error.message;
      finish(null);
    });
    child.on("exit", (status) => {
      // Pipes may be held open by a grandchild; what was written until now is enough.
      if (options.isShown) finish(status);
      else systemClock.after(20, () => finish(status));
    });
  });
