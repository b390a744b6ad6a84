/** One process at a time in a directory. The operating system lets go of the lock when the process ends, however it ends. */
import { Database } from "bun:sqlite";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { reasonOf, StartRefused } from "../errors.ts";

export type DirectoryLock = { readonly release: () => void };

/** Creates the directory when it is missing. Throws `StartRefused(78)` when another process, or another part of this one, has it. */
export const lockDirectory = (directory: string): DirectoryLock => {
  const pidFile = join(directory, "lock.pid");
  let database: Database;
  try {
    mkdirSync(directory, { recursive: true });
    database = new Database(join(directory, "lock"), { create: true });
  } catch (thrown) {
    throw new StartRefused(78, `cannot write to ${directory}: ${reasonOf(thrown)}; set data.dir to a directory of this user`);
  }
  try {
    // An open exclusive transaction is a file lock on every platform; nothing is ever written in it.
    database.run("BEGIN EXCLUSIVE");
  } catch (thrown) {
    database.close();
    throw new StartRefused(
      78,
      `${directory} is in use by ${holder(pidFile)} (${reasonOf(thrown)}); stop it or set another data.dir`,
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    release() {
      rmSync(pidFile, { force: true });
      database.close();
    },
  };
};

const holder = (pidFile: string): string => {
  try {
    return `process ${Number.parseInt(readFileSync(pidFile, "utf8"), 10)}`;
  } catch {
    // Its owner has not written it yet, or it may not be read.
    return "another process";
  }
};
