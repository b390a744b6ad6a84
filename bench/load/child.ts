/** A program of a load run: started, waited for until it says where it is, ended in order. */
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { delay, systemClock } from "../../runtime/clock.ts";
import { cpuMsOf, rssMaxMbOf, type Threads, threadsOf } from "./processes.ts";

export type Child = {
  readonly name: string;
  /** What the pattern's group found in its output. */
  readonly said: string;
  readonly cpuMs: () => number;
  readonly threads: () => Threads;
  readonly rssMaxMb: () => number;
  readonly hasEnded: () => boolean;
  /** Its output so far, and where that is. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
};

export type ChildPlan = {
  readonly name: string;
  readonly command: readonly string[];
  /** Its first group is what the program says; a second one is the process whose costs count, when it is another. */
  readonly until: RegExp;
  readonly folder: string;
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
};

/** None outlives this program, however it ends. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const startMs = 60_000;
const stopMs = 15_000;
const pollMs = 20;
const tailChars = 600;

/** Output goes to a file: nobody need read it on, and a full pipe would stop the program. */
export const startChild = async ({ name, command, until, folder, cwd, environment = {} }: ChildPlan): Promise<Child> => {
  const path = join(folder, `${name}.log`);
  const file = openSync(path, "w");
  const child = Bun.spawn([...command], { cwd, stdio: ["ignore", file, file], env: { ...process.env, ...environment } });
  running.add(child);
  void child.exited.then(() => running.delete(child));
  const output = () => readFileSync(path, "utf8");
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const endMs = systemClock.monotonicMs() + startMs;
  for (;;) {
    const [, said, other] = until.exec(output()) ?? [];
    if (said !== undefined) {
      const pid = other === undefined ? child.pid : Number(other);
      return {
        ...{ name, said, output, hasEnded: ended },
        cpuMs: () => cpuMsOf(pid),
        threads: () => threadsOf(pid),
        rssMaxMb: () => rssMaxMbOf(pid),
        async stop() {
          child.kill("SIGTERM");
          const cancel = systemClock.after(stopMs, () => child.kill("SIGKILL"));
          await child.exited;
          cancel();
        },
      };
    }
    if (ended()) throw new Error(`${name} ended with ${child.exitCode}: ${output().slice(-tailChars)}`);
    if (systemClock.monotonicMs() > endMs) {
      child.kill("SIGKILL");
      throw new Error(`${name} did not begin within ${startMs / 1_000} s: ${output().slice(-tailChars)}`);
    }
    await delay(systemClock, pollMs);
  }
};
