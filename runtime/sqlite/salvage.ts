/** Reads a damaged table by its integer key: forward, past what cannot be read, and back to the damage from behind it. */
import { Database } from "bun:sqlite";
import { closeSync, openSync, readSync, writeSync } from "node:fs";

const chunkRows = 200;

export type ReadableTable<Row> = {
  readonly table: string;
  readonly columns: string;
  /** The column that is the integer key. */
  readonly key: string;
  readonly keyOf: (row: Row) => number;
};

/** Opens what was set aside although it is cut short or its header is spoilt. Null when not even that helps. */
export const openDamaged = (path: string, sound: Database): Database | null => {
  try {
    lendHeader(path, sound.serialize().subarray(0, headerBytes));
    const damaged = new Database(path, { create: false, readwrite: true });
    // Lets a file be read that is shorter than its header says.
    damaged.run("PRAGMA writable_schema = ON");
    return damaged;
  } catch {
    return null;
  }
};

/** The file format's header: https://www.sqlite.org/fileformat2.html */
const headerBytes = 100;
const magic = "SQLite format 3\0";

/** A file that no longer begins as one of SQLite's gets the header of a sound one of the same tables, with its own length. */
const lendHeader = (path: string, header: Uint8Array): void => {
  const file = openSync(path, "r+");
  try {
    const start = new Uint8Array(magic.length);
    readSync(file, start, 0, start.length, 0);
    if (new TextDecoder().decode(start) === magic) return;
    const lent = header.slice();
    // No number of pages, which leaves it to the file's length, and no list of free ones: both are lost.
    lent.fill(0, 28, 40);
    writeSync(file, lent, 0, lent.length, 0);
  } finally {
    closeSync(file);
  }
};

/** Hands `store` every row that is met, some of them twice. False when there was damage. */
export const readAround = <Row>(
  database: Database,
  { table, columns, key, keyOf }: ReadableTable<Row>,
  store: (rows: readonly Row[]) => void,
): boolean => {
  const read = (direction: string, from: number, limit: number): readonly Row[] | null => {
    try {
      return database
        .query<Row, [number, number]>(`SELECT ${columns} FROM ${table} WHERE ${key} ${direction} LIMIT ?`)
        .all(from, limit);
    } catch {
      return null;
    }
  };

  /** Chunk by chunk, near the damage row by row; where it met the damage, null when it met none before `until`. */
  const copy = (direction: "up" | "down", first: number, until: (key: number) => boolean): number | null => {
    const sql = direction === "up" ? `> ? ORDER BY ${key}` : `< ? ORDER BY ${key} DESC`;
    let from = first;
    let size = chunkRows;
    for (;;) {
      const rows = read(sql, from, size);
      const last = rows?.at(-1);
      // A spoilt page may lead back to where the search has been.
      const astray = last !== undefined && (direction === "up" ? keyOf(last) <= from : keyOf(last) >= from);
      if (rows === null || astray) {
        if (size === 1) return from;
        size = 1;
        continue;
      }
      if (last === undefined) return null;
      store(rows);
      from = keyOf(last);
      if (until(from)) return null;
    }
  };

  let damage = copy("up", -1, () => false);
  const whole = damage === null;
  while (damage !== null) {
    const before: number = damage;
    let step = 1;
    while (step < Number.MAX_SAFE_INTEGER - before && read(`> ? ORDER BY ${key}`, before + step, 1) === null) step *= 2;
    const behind = Math.min(before + step, Number.MAX_SAFE_INTEGER);
    copy("down", behind + 1, (reached) => reached <= before);
    damage = behind === Number.MAX_SAFE_INTEGER ? null : copy("up", behind, () => false);
  }
  return whole;
};
