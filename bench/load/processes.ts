/** What processes cost, read from Linux's /proc; elsewhere nothing is known of it. */
import { readdirSync, readFileSync } from "node:fs";

/** Processor time in milliseconds, by the name of the thread. */
export type Threads = ReadonlyMap<string, number>;

/** A tick of `utime` and `stime`; 100 a second on every Linux that Bun runs on. */
const tickMs = 10;

const statOf = (path: string): { readonly name: string; readonly cpuMs: number } => {
  const text = readFileSync(path, "utf8");
  const end = text.lastIndexOf(")"); // the name may hold spaces and brackets
  const fields = text.slice(end + 2).split(" ");
  return { name: text.slice(text.indexOf("(") + 1, end), cpuMs: (Number(fields[11]) + Number(fields[12])) * tickMs };
};

/** Threads of one name together: the pool of readers has many. */
const kindOf = (name: string): string => name.replace(/[\s:#-]*\d+$/, "") || name;

/** Empty where there is no /proc, or the process has ended. */
export const threadsOf = (pid: number): Threads => {
  const threads = new Map<string, number>();
  try {
    for (const id of readdirSync(`/proc/${pid}/task`)) {
      const { name, cpuMs } = statOf(`/proc/${pid}/task/${id}/stat`);
      const kind = Number(id) === pid ? "main" : kindOf(name);
      threads.set(kind, (threads.get(kind) ?? 0) + cpuMs);
    }
  } catch {
    // A thread that ends meanwhile takes its file with it; what it used is missing from this look.
  }
  return threads;
};

/** Of the whole process, threads that have ended included. */
export const cpuMsOf = (pid: number): number => {
  try {
    return statOf(`/proc/${pid}/stat`).cpuMs;
  } catch {
    return Number.NaN;
  }
};

/** The most memory that the process ever had resident. */
export const rssMaxMbOf = (pid: number): number => {
  try {
    const kilobytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes) / 1_024;
  } catch {
    return Number.NaN;
  }
};
