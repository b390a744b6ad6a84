/** The Worker that has the spool's file: a write waits for the disk, and the pipeline must not. */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { closeSqliteFile, damageMet, openSqliteFile } from "../sqlite/file.ts";
import { answerCalls } from "../sqlite/worker-calls.ts";
import type { SpoolCalls } from "./calls.ts";
import { salvageSpool } from "./salvage.ts";
import { createSpoolFile, migrations, type SpoolFile } from "./spool-file.ts";

let opened: {
  readonly file: SpoolFile;
  readonly freeBytes: () => number;
  readonly checkpoint: () => void;
  readonly close: () => void;
} | null = null;

let path = "";

const spool = () => {
  if (opened === null) throw new Error("the spool is not open");
  return opened;
};

answerCalls<SpoolCalls>(
  {
    open({ directory, nowMs }) {
      path = join(directory, "spool.sqlite");
      const { database, damaged, reason } = openSqliteFile(path, migrations, nowMs, (each) => createSpoolFile(each).tryOut());
      const kept = damaged === null ? 0 : salvageSpool(damaged, database);
      const file = createSpoolFile(database);
      opened = {
        file,
        freeBytes() {
          const { bavail, bsize } = statfsSync(directory);
          return bavail * bsize;
        },
        checkpoint: () => database.run("PRAGMA wal_checkpoint(PASSIVE)"),
        close: () => closeSqliteFile(database),
      };
      return { value: { lanes: file.lanes(), size: file.size(), damaged, reason, kept } };
    },
    write({ changes, maxBytes, minFreeBytes }) {
      const { file, freeBytes } = spool();
      // On a disk that is nearly full the file may use what it has, and does not grow.
      const roomBytes = freeBytes() < minFreeBytes ? Math.min(maxBytes, file.usedBytes()) : maxBytes;
      const letGo = file.write({ changes, maxBytes: roomBytes });
      return { value: { size: file.size(), letGo } };
    },
    read(args) {
      const rows = spool().file.read(args);
      return { value: rows, transfer: rows.map(({ bytes }) => bytes.buffer as ArrayBuffer) }; // each row has a buffer of its own
    },
    checkpoint: () => ({ value: spool().checkpoint() }),
    close() {
      spool().close();
      opened = null;
      return { value: undefined };
    },
  },
  (thrown) => damageMet(path, thrown),
);
