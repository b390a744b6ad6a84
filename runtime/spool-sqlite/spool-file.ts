/** The spool on its file. Synchronous, and without a clock of its own: it runs in the spool's Worker. */
import type { Database } from "bun:sqlite";
import type { LetGo, SpooledRecord, SpoolRow, SpoolSize } from "../spool.ts";
import type { Removal, SpoolCalls } from "./calls.ts";

export const migrations = [
  `CREATE TABLE spooled (seq INTEGER PRIMARY KEY, lane TEXT NOT NULL, minor INTEGER NOT NULL, topic TEXT NOT NULL,
     key TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, trace TEXT NOT NULL, bytes BLOB NOT NULL);
   CREATE INDEX spooled_lane ON spooled (lane);
   CREATE INDEX spooled_minor ON spooled (seq) WHERE minor = 1;`,
];

/** Beside its bytes, about. */
const recordBytes = 256;
const shedRows = 256;
/** An empty file larger than this gives its room back. */
const emptyBytesMax = 32 * 1_048_576;

export const rowColumns = "seq, lane, minor, topic, key, id, type, trace, bytes";
export type RowValues = [
  seq: number | null,
  lane: string,
  minor: number,
  topic: string,
  key: string,
  id: string,
  type: string,
  trace: string,
  bytes: Uint8Array,
];
type SizeRow = {
  readonly seq: number;
  readonly lane: string;
  readonly minor: number;
  readonly type: string;
  readonly size: number;
};

export type SpoolFile = {
  readonly lanes: () => readonly string[];
  readonly size: () => SpoolSize;
  readonly write: (args: {
    readonly changes: Parameters<SpoolCalls["write"]>[0]["changes"];
    /** Of the file; above, records are let go. */
    readonly maxBytes: number;
  }) => readonly LetGo[];
  readonly read: SpoolCalls["read"];
  /** Bytes of the file that hold something. */
  readonly usedBytes: () => number;
  /** Reads and writes what the first append needs, and leaves the file as it was: throws where it is damaged. */
  readonly tryOut: () => void;
};

export const createSpoolFile = (database: Database): SpoolFile => {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const insert = database.prepare<unknown, RowValues>(`INSERT INTO spooled (${rowColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const sizesOfLane = database.prepare<{ seq: number; size: number }, [string, number]>(
    "SELECT seq, length(bytes) AS size FROM spooled WHERE lane = ? ORDER BY seq LIMIT ?",
  );
  const select = database.prepare<SpoolRow, [string, number]>(
    "SELECT seq, topic, key, id, type, trace, bytes FROM spooled WHERE lane = ? AND seq <= ? ORDER BY seq",
  );
  const removed = database.prepare<{ size: number }, [string, number]>(
    "DELETE FROM spooled WHERE lane = ? AND seq <= ? RETURNING length(bytes) AS size",
  );
  const shedColumns = "seq, lane, minor, type, length(bytes) AS size";
  const oldest = database.prepare<SizeRow, [number, number]>(
    `SELECT ${shedColumns} FROM spooled WHERE seq > ? ORDER BY seq LIMIT ?`,
  );
  const oldestMinor = database.prepare<SizeRow, [number, number]>(
    `SELECT ${shedColumns} FROM spooled WHERE minor = 1 AND seq > ? ORDER BY seq LIMIT ?`,
  );
  const removeOne = database.prepare<unknown, [number]>("DELETE FROM spooled WHERE seq = ?");
  const pages = database.prepare<{ page_count: number }, []>("PRAGMA page_count");
  const freePages = database.prepare<{ freelist_count: number }, []>("PRAGMA freelist_count");
  const pageBytes = database.query<{ page_size: number }, []>("PRAGMA page_size").get()?.page_size ?? 0;

  /** Up to where a lane is on its way to the bus. */
  const sending = new Map<string, number>();
  let size: SpoolSize = { records: 0, bytes: 0 };
  const measure = () => {
    const sum = database
      .query<{ records: number; bytes: number | null }, []>(
        "SELECT count(*) AS records, sum(length(bytes)) AS bytes FROM spooled",
      )
      .get();
    size = { records: sum?.records ?? 0, bytes: (sum?.bytes ?? 0) + recordBytes * (sum?.records ?? 0) };
  };
  measure();
  const grow = (records: number, bytes: number) => {
    size = { records: size.records + records, bytes: size.bytes + bytes + recordBytes * records };
  };

  const usedBytes = () => ((pages.get()?.page_count ?? 0) - (freePages.get()?.freelist_count ?? 0)) * pageBytes;

  const append = (records: readonly SpooledRecord[]) => {
    for (const { lane, isMinor, topic, key, id, type, trace, bytes } of records) {
      insert.run(null, lane, isMinor ? 1 : 0, topic, key, id, type, trace, bytes);
      grow(1, bytes.length);
    }
  };

  const remove = ({ lane, through }: Removal) => {
    for (const { size: bytes } of removed.all(lane, through)) grow(-1, -bytes);
    sending.delete(lane);
  };

  /** Lets go of the oldest that `next` finds until the file fits; what is on its way to the bus stays. */
  const shedFrom = (next: typeof oldest, maxBytes: number, letGo: SizeRow[]) => {
    let from = 0;
    while (usedBytes() > maxBytes) {
      const rows = next.all(from, shedRows);
      const last = rows.at(-1);
      if (last === undefined) return;
      from = last.seq;
      for (const row of rows) {
        if (row.seq <= (sending.get(row.lane) ?? 0)) continue;
        removeOne.run(row.seq);
        grow(-1, -row.size);
        letGo.push(row);
      }
    }
  };

  const counted = (rows: readonly SizeRow[]): readonly LetGo[] =>
    [...Map.groupBy(rows, ({ type, minor }) => `${minor} ${type}`).values()].flatMap(([first, ...rest]) =>
      first ? [{ type: first.type, isMinor: first.minor === 1, count: rest.length + 1 }] : [],
    );

  return {
    lanes: () =>
      database
        .query<{ lane: string }, []>("SELECT DISTINCT lane FROM spooled")
        .all()
        .map(({ lane }) => lane),
    size: () => size,

    write({ changes, maxBytes }) {
      const before = size;
      const letGo: SizeRow[] = [];
      begin.run();
      try {
        for (const change of changes) {
          if ("append" in change) append(change.append);
          else remove(change.remove);
        }
        shedFrom(oldestMinor, maxBytes, letGo);
        shedFrom(oldest, maxBytes, letGo);
        commit.run();
      } catch (thrown) {
        if (database.inTransaction) database.run("ROLLBACK");
        size = before;
        throw thrown;
      }
      if (size.records === 0 && (pages.get()?.page_count ?? 0) * pageBytes > emptyBytesMax) database.run("VACUUM");
      return counted(letGo);
    },

    read({ lane, limit, bytesMax }) {
      let bytes = 0;
      let last = -1;
      for (const row of sizesOfLane.all(lane, limit)) {
        bytes += row.size;
        if (last >= 0 && bytes > bytesMax) break;
        last = row.seq;
      }
      if (last < 0) return [];
      sending.set(lane, last);
      return select.all(lane, last);
    },

    usedBytes,

    tryOut() {
      begin.run();
      try {
        append([{ lane: "", isMinor: true, topic: "", key: "", id: "", type: "", trace: "", bytes: new Uint8Array() }]);
        database.query("SELECT DISTINCT lane FROM spooled").all();
        database.run("CREATE TABLE tried_out (x)");
      } finally {
        if (database.inTransaction) database.run("ROLLBACK");
        measure();
      }
    },
  };
};
