/**
 * What an append to the embedded log costs. Goal: 0.8 of what a bare loop over bun:sqlite manages at the same durability, with
 * one append under way and with sixteen. Not asked: reading, retention, a disk whose sync takes longer than this one's.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { message } from "../protocols/message.ts";
import { topic } from "../protocols/topic.ts";
import type { Outgoing } from "../runtime/bus.ts";
import { openSqliteBus } from "../runtime/bus-sqlite.ts";
import { systemClock } from "../runtime/clock.ts";
import { silentLog } from "../runtime/log.ts";
import { seededRandom, uuidV7 } from "../runtime/random.ts";
import type { Bench } from "./bench.ts";
import { emptyFolder } from "./folder.ts";
import { type Contest, type Contestant, rateOf } from "./harness.ts";

const recordBytes = 1_024;
/** Records that the log takes into one commit at most. */
const commitMax = 1_000;
const mebibyte = 1_048_576;

const records = topic({
  name: "bench-records",
  doc: "Records of one kind.",
  messages: [message("bench.record", "A record.", {})],
  partitions: 1,
  retentionMs: 3_600_000,
  maxBytes: mebibyte,
  group: null,
  keyOf: () => "",
  idOf: () => "",
});

/** `together` records an append, `underWay` appends at a time. */
type Shape = { readonly together: number; readonly underWay: number };

const recordMaker = () => {
  const random = seededRandom(5);
  const bytes = Uint8Array.from({ length: recordBytes }, () => random.next() * 256);
  let made = 0;
  return (): Outgoing => {
    const id = uuidV7(1_700_000_000_000 + made++, random);
    return { topic: records.name, key: "7", id, type: "bench.record", trace: "0af7651916cd43dd8448eb211c80319c", bytes };
  };
};

/** Sends `size` records; each append that is done makes room for the next. */
const embedded = async ({ together, underWay }: Shape): Promise<Contestant> => {
  const folder = emptyFolder();
  const bus = await openSqliteBus({ directory: folder.path, clock: systemClock, log: silentLog, maxBytes: 4_096 * mebibyte });
  await bus.ensure([records]);
  const make = recordMaker();
  const run = rateOf(async (size) => {
    let left = size;
    const lane = async () => {
      while (left > 0) {
        const batch = Array.from({ length: Math.min(together, left) }, make);
        left -= batch.length;
        await bus.append(batch);
      }
    };
    await Promise.all(Array.from({ length: underWay }, lane));
    return size;
  });
  return {
    name: "embedded log",
    run,
    async close() {
      await bus.close();
      folder.remove();
    },
  };
};

/** The same durability: write-ahead log, a sync at each commit, and as many records a commit as wait for one. */
const bare = (name: string, { together, underWay }: Shape, hasIds: boolean): Contestant => {
  const folder = emptyFolder();
  const database = new Database(join(folder.path, "bare.sqlite"), { create: true });
  database.run("PRAGMA page_size = 8192");
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  database.run(`PRAGMA wal_autocheckpoint = ${(32 * mebibyte) / 8_192}`);
  database.run(
    "CREATE TABLE records (offset INTEGER PRIMARY KEY, at_ms INTEGER, key TEXT, id TEXT, type TEXT, trace TEXT, bytes BLOB)",
  );
  database.run("CREATE TABLE ids (id TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID");
  type Row = [offset: number, atMs: number, key: string, id: string, type: string, trace: string, bytes: Uint8Array];
  const insert = database.prepare<unknown, Row>("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)");
  const insertId = database.prepare<unknown, [id: string, offset: number]>("INSERT INTO ids VALUES (?, ?)");
  const make = recordMaker();
  let offset = 0;
  const write = database.transaction((count: number) => {
    for (let each = 0; each < count; each++) {
      const { key, id, type, trace, bytes } = make();
      if (hasIds) insertId.run(id, offset);
      insert.run(offset++, systemClock.nowMs(), key, id, type, trace, bytes);
    }
  });
  const run = rateOf(async (size) => {
    const commit = Math.min(commitMax, together * underWay);
    for (let left = size; left > 0; left -= commit) write(Math.min(left, commit));
    return size;
  });
  return {
    name,
    run,
    close() {
      database.close();
      folder.remove();
    },
  };
};

const appended = (shape: Shape, size: number) => async (): Promise<Contest> => ({
  unit: "records/s",
  size,
  rounds: 11,
  subject: await embedded(shape),
  versus: [
    { ...bare("a bare bun:sqlite loop", shape, false), target: { of: "ratio", limit: 0.8 } },
    { ...bare("the same with a table of unique ids", shape, true), target: { of: "ratio", limit: 0.8 } },
  ],
});

export const log = (): Bench => ({
  name: "log",
  notes: [
    `Records of ${recordBytes} bytes, one partition, write-ahead log, a sync at each commit. The log writes in a Worker and keeps`,
    "each id unique; the bare loop blocks its thread, writes the same columns in one transaction for all that is under way,",
    "and keeps no index of ids unless it says so. CPU is of the whole process, the Worker included.",
  ],
  contests: [
    { name: "appends of one record, one under way", open: appended({ together: 1, underWay: 1 }, 300) },
    { name: "appends of one record, 16 under way", open: appended({ together: 1, underWay: 16 }, 2_000) },
    { name: "appends of 100 records, one under way", open: appended({ together: 100, underWay: 1 }, 3_000) },
    { name: "appends of 100 records, 16 under way", open: appended({ together: 100, underWay: 16 }, 8_000) },
  ],
});
