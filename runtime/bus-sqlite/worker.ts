/** The Worker that has the log file: checkpoints and slow disks stall it, not the pipeline. */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { closeSqliteFile, damageMet, openSqliteFile } from "../sqlite/file.ts";
import { answerCalls } from "../sqlite/worker-calls.ts";
import type { LogCalls } from "./calls.ts";
import { migrations } from "./catalog.ts";
import { createLogFile, type LogFile } from "./log-file.ts";
import { salvageLog } from "./salvage.ts";

let opened: {
  readonly file: LogFile;
  readonly checkpoint: () => void;
  readonly freeBytes: () => number;
  readonly close: () => void;
} | null = null;

let path = "";

const log = () => {
  if (opened === null) throw new Error("the log is not open");
  return opened;
};

answerCalls<LogCalls>(
  {
    open({ directory, nowMs }) {
      path = join(directory, "log.sqlite");
      const { database, unclean, checkMs, damaged, reason } = openSqliteFile(path, migrations, nowMs, (each) =>
        createLogFile(each).tryOut(nowMs),
      );
      const salvaged = damaged === null ? { kept: 0, lost: [] } : salvageLog(damaged, database);
      const file = createLogFile(database);
      const freeBytes = () => {
        const { bavail, bsize } = statfsSync(directory);
        return bavail * bsize;
      };
      opened = {
        file,
        checkpoint: () => database.run("PRAGMA wal_checkpoint(PASSIVE)"),
        freeBytes,
        close: () => closeSqliteFile(database),
      };
      return { value: { unclean, checkMs, damaged, reason, ...salvaged, usedBytes: file.usedBytes(), freeBytes: freeBytes() } };
    },
    ensure: (args) => ({ value: log().file.ensure(args) }),
    write(batch) {
      const value = log().file.write(batch);
      return { value, transfer: [value.bytes] };
    },
    read(args) {
      const value = log().file.read(args);
      return { value, transfer: [value.bytes] };
    },
    offsetAt: (args) => ({ value: log().file.offsetAt(args) }),
    states: (args) => ({ value: log().file.states(args) }),
    committed: (args) => ({ value: log().file.committed(args) }),
    join: (args) => ({ value: log().file.join(args) }),
    prune(args) {
      const { file, freeBytes } = log();
      const more = file.prune(args);
      return { value: { more, usedBytes: file.usedBytes(), freeBytes: freeBytes() } };
    },
    checkpoint: () => ({ value: log().checkpoint() }),
    close() {
      log().close();
      opened = null;
      return { value: undefined };
    },
  },
  (thrown) => damageMet(path, thrown),
);
