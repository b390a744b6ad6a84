import { Database } from "bun:sqlite";
import { join } from "node:path";
import { openSqliteBus } from "../../../runtime/bus-sqlite.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { busContract } from "../../support/bus-contract.ts";
import { tempDir } from "../../support/temp-dir.ts";

busContract("sqlite", async () => {
  const directory = await tempDir();
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const open = () => openSqliteBus({ directory: directory.path, clock, log: silentLog, maxBytes: 1e9, minFreeBytes: 0 });
  let bus = await open();
  let blocker: Database | null = null;
  return {
    bus,
    async reopen() {
      await bus.close();
      bus = await open();
      return bus;
    },
    // Whoever holds SQLite's write lock keeps the Worker from writing, as a disk that fails does.
    away() {
      blocker = new Database(join(directory.path, "log.sqlite"));
      blocker.run("BEGIN IMMEDIATE");
    },
    back() {
      blocker?.close();
      blocker = null;
    },
    age(ms) {
      aheadMs += ms;
    },
    async dispose() {
      blocker?.close();
      await bus.close();
      await directory[Symbol.asyncDispose]();
    },
  };
});
