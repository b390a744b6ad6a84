/** Reads a damaged table by its integer key: forward, past what cannot be read, and back to the damage from behind it. */
import { Database } from "bun:sqlite";
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

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
    mendHeader(path, sound.serialize().slice(0, headerBytes));
    return new Database(path, { create: false, readwrite: true });
  } catch {
    return null;
  }
};

/** The file format's header: https://www.sqlite.org/fileformat2.html */
const headerBytes = 100;
const magic = "SQLite format 3\0";
const pageBytesAt = 16;
const pagesAt = 28;
const freePagesAt = 32;

/**
 * A file that no longer begins as one of SQLite's gets the header of a sound one with the same tables. One that is shorter than
 * its header says is refused as a whole by SQLite; without a number of pages it goes by its length.
 */
const mendHeader = (path: string, sound: Uint8Array): void => {
  const file = openSync(path, "r+");
  try {
    const own = new Uint8Array(headerBytes);
    readSync(file, own, 0, headerBytes, 0);
    if (new TextDecoder().decode(own.subarray(0, magic.length)) === magic) {
      const header = new DataView(own.buffer);
      if (fstatSync(file).size < header.getUint32(pagesAt) * header.getUint16(pageBytesAt)) writeSync(file, zeros, 0, 4, pagesAt);
      return;
    }
    // Neither its number of pages nor its list of free ones is known any more.
    sound.fill(0, pagesAt, freePagesAt + 8);
    writeSync(file, sound, 0, headerBytes, 0);
  } finally {
    closeSync(file);
  }
};
const zeros = new Uint8Array(4);

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
