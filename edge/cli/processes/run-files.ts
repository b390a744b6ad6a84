/** What is known of processes in the background: a pid and a log each, below the data directory. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** `all`, or one role. */
export type ProcessName = string;

export type RunFiles = {
  readonly logOf: (name: ProcessName) => string;
  readonly dataOf: (name: ProcessName) => string;
  /** Of a process that runs and is ours; null for a file that a crash or a restart of the machine left behind. */
  readonly pidOf: (name: ProcessName) => number | null;
  readonly note: (name: ProcessName, pid: number) => void;
  readonly forget: (name: ProcessName) => void;
  /** Every process that runs. */
  readonly names: () => readonly ProcessName[];
};

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown && thrown.code === "EPERM";
  }
};

/** The command line of a process, empty for one that has ended and was not waited for; null where it cannot be told. */
const commandOf = (pid: number): string | null => {
  if (process.platform === "win32") return null;
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    if (command !== "") return command;
    // For a moment it is empty while a process replaces itself, as ours does when it starts.
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8")) ? "" : null;
  } catch {
    // Only Linux keeps it there.
  }
  const asked = spawnSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" });
  return asked.status === 0 && asked.stdout.trim() !== "" ? asked.stdout : null;
};

export const createRunFiles = (dataDir: string): RunFiles => {
  const folder = join(dataDir, "run");
  const fileOf = (name: ProcessName) => join(folder, `${name}.pid`);
  // A process of a part of the roles has its own log, store and spool: a data directory belongs to one.
  const dataOf = (name: ProcessName) => (name === "all" ? dataDir : join(dataDir, "roles", name));

  const pidOf = (name: ProcessName): number | null => {
    let pid: number;
    try {
      pid = Number.parseInt(readFileSync(fileOf(name), "utf8"), 10);
    } catch {
      return null; // never started, or ended by `down`
    }
    // Numbers of processes are used again: the command must be the one that was started.
    const command = isRunning(pid) ? commandOf(pid) : "";
    return command === null || command.includes(`data.dir=${dataOf(name)}`) ? pid : null;
  };

  return {
    logOf: (name) => join(dataDir, "logs", `${name}.log`),
    dataOf,
    pidOf,
    note(name, pid) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(fileOf(name), `${pid}\n`, { mode: 0o600 });
    },
    forget: (name) => rmSync(fileOf(name), { force: true }),
    names() {
      try {
        return readdirSync(folder)
          .filter((file) => file.endsWith(".pid"))
          .map((file) => file.slice(0, -".pid".length))
          .filter((name) => pidOf(name) !== null);
      } catch {
        return []; // nothing was started from here yet
      }
    },
  };
};
