/**
 * What an append to the embedded log costs, and what reading it back does. Goal: 0.8 of what a bare loop over bun:sqlite
 * manages at the same durability, with one append under way and with sixteen. Not asked: retention, a disk whose sync takes
 * longer than this one's.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { message } from "../protocols/message.ts";
import { topic } from "../protocols/topic.ts";
import type { Bus, Outgoing } from "../runtime/bus.ts";
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

const openLog = async (directory: string): Promise<Bus> => {
  const bus = await openSqliteBus({ directory, clock: systemClock, log: silentLog, maxBytes: 4_096 * mebibyte });
  await bus.ensure([records]);
  return bus;
};

/** Sends `size` records; each append that is done makes room for the next. */
const embedded = async ({ together, underWay }: Shape): Promise<Contestant> => {
  const folder = emptyFolder();
  const bus = await openLog(folder.path);
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

const openBare = (directory: string): Database => {
  const database = new Database(join(directory, "bare.sqlite"), { create: true });
  database.run("PRAGMA page_size = 8192");
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  database.run(`PRAGMA wal_autocheckpoint = ${(32 * mebibyte) / 8_192}`);
  database.run(
    "CREATE TABLE records (offset INTEGER PRIMARY KEY, at_ms INTEGER, key TEXT, id TEXT, type TEXT, trace TEXT, bytes BLOB)",
  );
  database.run("CREATE TABLE ids (id TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID");
  return database;
};

/** The same durability: write-ahead log, a sync at each commit, and as many records a commit as wait for one. */
const bare = (name: string, { together, underWay }: Shape, hasIds: boolean): Contestant => {
  const folder = emptyFolder();
  const database = openBare(folder.path);
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

/** Records that are there to be read, and how many a read asks for: as many as a consumer does. */
const stored = 8_192;
const readAtOnce = 256;

/** Reads `size` records one read after the other, from the first on, again where they end. */
const readThrough = (read: (offset: number) => Promise<number> | number): Contestant["run"] =>
  rateOf(async (size) => {
    for (let done = 0; done < size; done += readAtOnce) {
      if ((await read(done % stored)) !== readAtOnce) throw new Error("a read gave fewer records than there are");
    }
    return size;
  });

const reading = async (): Promise<Contest> => {
  const folder = emptyFolder();
  const bus = await openLog(folder.path);
  const make = recordMaker();
  for (let left = stored; left > 0; left -= commitMax) await bus.append(Array.from({ length: Math.min(left, commitMax) }, make));
  await bus.close();
  // The same file for both: a reader beside the log is no writer.
  const again = await openLog(folder.path);
  const database = new Database(join(folder.path, "log.sqlite"), { readonly: true });
  const [table] = database.query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE name LIKE 'records_%'").all();
  const select = database.prepare(`SELECT * FROM ${table?.name} WHERE offset >= ? ORDER BY offset LIMIT ?`);
  return {
    unit: "records/s",
    size: 40 * readAtOnce,
    rounds: 11,
    subject: {
      name: "embedded log",
      run: readThrough(async (offset) => (await again.read(records.name, 0, offset, readAtOnce)).length),
      async close() {
        database.close();
        await again.close();
        folder.remove();
      },
    },
    versus: [{ name: "a bare SELECT", run: readThrough((offset) => select.all(offset, readAtOnce).length) }],
  };
};

export const log = (): Bench => ({
  name: "log",
  notes: [
    `Records of ${recordBytes} bytes, one partition, write-ahead log, a sync at each commit. The log writes in a Worker and keeps`,
    "each id unique; the bare loop blocks its thread, writes the same columns in one transaction for all that is under way,",
    "and keeps no index of ids unless it says so. Reads are of the same file, by the Worker or on the bare loop's own thread.",
    "CPU is of the whole process, the Worker included.",
  ],
  contests: [
    { name: "appends of one record, one under way", open: appended({ together: 1, underWay: 1 }, 300) },
    { name: "appends of one record, 16 under way", open: appended({ together: 1, underWay: 16 }, 2_000) },
    { name: "appends of 100 records, one under way", open: appended({ together: 100, underWay: 1 }, 3_000) },
    { name: "appends of 100 records, 16 under way", open: appended({ together: 100, underWay: 16 }, 8_000) },
    { name: `reads of ${readAtOnce} records, one after the other`, open: reading },
  ],
});
