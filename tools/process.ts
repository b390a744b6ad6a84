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
  /** Gets the output line by line as it comes, which is then not collected. */
  readonly line?: (text: string) => void;
  readonly cwd?: string;
  /** Beside what this process has. */
  readonly env?: Readonly<Record<string, string>>;
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
const closeMs = 500;

/** Cuts text as it comes into lines; what follows the last line end waits for the next piece. */
const byLine = (line: (text: string) => void): ((text: string) => void) => {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const each of lines) line(each);
  };
};

/** Never rejects: a program that cannot be started has status null. */
export const run = (command: string, args: readonly string[], options: RunOptions): Promise<Outcome> =>
  new Promise((resolve) => {
    const startedAt = systemClock.monotonicMs();
    let output = "";
    let timedOut = false;
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: !isWindows,
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      const take = options.line && byLine(options.line);
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        if (take) take(text);
        else if (output.length < outputMax) output += text;
      });
      stream.on("end", () => take?.("\n"));
    }
    const cancel = systemClock.after(options.timeoutMs, () => {
      timedOut = true;
      end(child);
    });
    let isOver = false;
    const finish = (status: number | null) => {
      if (isOver) return;
      isOver = true;
      cancel();
      running.delete(child);
      end(child); // what it left running
      resolve({ status, output, timedOut, tookMs: systemClock.monotonicMs() - startedAt });
    };
    child.on("error", (error) => {
      output += error.message;
      finish(null);
    });
    child.on("close", finish);
    // Pipes may be held open by a grandchild: what was written until then is enough.
    child.on("exit", (status) => void systemClock.after(closeMs, () => finish(status)));
  });
