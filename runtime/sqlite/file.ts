/** Opens a SQLite file of ours: durable, migrated forward, and set aside when a check after an unclean stop finds it damaged. */
import { Database, SQLiteError } from "bun:sqlite";
import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { systemClock } from "../clock.ts";
import { reasonOf, StartRefused } from "../errors.ts";

/** Records carry pictures: larger pages mean shorter overflow chains, and were not slower for small records. */
const pageBytes = 8_192;
/** The write-ahead log is checkpointed in quiet moments; this bounds it when there are none. */
const walBytesMax = 32 * 1_048_576;
const damagedFilesKept = 3;
/** A file up to this size is checked at every start; a larger one after an unclean stop, or when damage was met at work. */
const checkedBytesMax = 64 * 1_048_576;

export type OpenedFile = {
  readonly database: Database;
  /** The last process that had it did not close it. */
  readonly unclean: boolean;
  /** How long the check took; 0 when none was made. */
  readonly checkMs: number;
  /** Where the damaged file was moved to. */
  readonly damaged: string | null;
  /** What was found damaged; null when nothing was. */
  readonly reason: string | null;
};

/**
 * `migrations[n]` brings a file from version n to n + 1. A file of a newer version throws `StartRefused(78)`. `look` reads what
 * the opener will need: damage that it meets counts as found by the check.
 */
export const openSqliteFile = (
  path: string,
  migrations: readonly string[],
  nowMs: number,
  look: (database: Database) => void = () => {},
): OpenedFile => {
  // Closing empties the write-ahead log.
  const unclean = existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0;
  const isSmall = existsSync(path) && statSync(path).size <= checkedBytesMax;
  const check = unclean || isSmall || existsSync(suspicionOf(path));
  const startedMs = systemClock.monotonicMs();
  // SQLite takes an empty file for one that was never written; ours has its tables from the moment it is made.
  const first = isEmptied(path) ? "the file is empty (0 bytes)" : tryOpen(path, migrations, check, look);
  const checkMs = check ? systemClock.monotonicMs() - startedMs : 0;
  rmSync(suspicionOf(path), { force: true });
  if (typeof first !== "string") return { database: first, unclean, checkMs, damaged: null, reason: null };

  const damaged = setAside(path, nowMs);
  const replacement = tryOpen(path, migrations, false, look);
  if (typeof replacement === "string") throw new Error(`a fresh file at ${path} is damaged: ${replacement}`);
  return { database: replacement, unclean, checkMs, damaged, reason: first };
};

/** Checkpoints and closes, so that the next start finds one clean file. */
export const closeSqliteFile = (database: Database): void => {
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  try {
    // Takes the write-ahead log away at once; else that waits until the last statement is garbage.
    database.run("PRAGMA journal_mode = DELETE");
  } catch {
    // Another program is reading the file; the log stays beside it, empty.
  }
  database.close();
};

const suspicionOf = (path: string): string => `${path}.suspect`;

const isEmptied = (path: string): boolean => existsSync(path) && statSync(path).size === 0;

/**
 * What to say of damage met at work, null when `thrown` is something else. It is remembered beside the file, so that the next
 * start checks the whole of it.
 */
export const damageMet = (path: string, thrown: unknown): string | null => {
  if (!isDamage(thrown)) return null;
  try {
    writeFileSync(suspicionOf(path), "");
  } catch {
    // A full disk must not hide the damage: the start then finds it where the opener looks, or at work again.
  }
  return `${path} is damaged (${reasonOf(thrown)}): restart vedette, which sets the file aside and keeps what can be read`;
};

/** What is damaged, when the file is. */
const tryOpen = (
  path: string,
  migrations: readonly string[],
  check: boolean,
  look: (database: Database) => void,
): Database | string => {
  const database = new Database(path, { create: true });
  try {
    refuseNewer(database, path, migrations.length);
    database.run(`PRAGMA page_size = ${pageBytes}`);
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    database.run(`PRAGMA wal_autocheckpoint = ${walBytesMax / pageBytes}`);
    database.run(`PRAGMA journal_size_limit = ${walBytesMax}`);
    const found = check ? quickCheck(database) : null;
    if (found === null) {
      migrate(database, migrations);
      look(database);
      return database;
    }
    database.close();
    return found;
  } catch (thrown) {
    database.close();
    if (isDamage(thrown)) return reasonOf(thrown);
    throw thrown;
  }
};

const isDamage = (thrown: unknown): boolean =>
  thrown instanceof SQLiteError &&
  (/^SQLITE_(CORRUPT|NOTADB|FORMAT|IOERR_SHORT_READ|IOERR_CORRUPTFS)/.test(thrown.code ?? "") ||
    // A spoilt schema or header shows so.
    /no such table|unsupported file format/.test(thrown.message));

/** The first thing that is wrong, null when all is sound. */
const quickCheck = (database: Database): string | null => {
  const [first] = database.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").all();
  return first?.quick_check === "ok" ? null : (first?.quick_check ?? "the check says nothing");
};

const versionOf = (database: Database): number =>
  database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;

const refuseNewer = (database: Database, path: string, known: number) => {
  const version = versionOf(database);
  if (version <= known) return;
  throw new StartRefused(
    78,
    `${path} has schema ${version}, this version of vedette knows ${known}: start the newer version, or move the file away`,
  );
};

const migrate = (database: Database, migrations: readonly string[]) => {
  const version = versionOf(database);
  if (version === migrations.length) return;
  database.transaction(() => {
    for (const migration of migrations.slice(version)) database.run(migration);
    database.run(`PRAGMA user_version = ${migrations.length}`);
  })();
};

const setAside = (path: string, nowMs: number): string => {
  const prefix = `${basename(path)}.damaged-`;
  const damaged = join(dirname(path), `${prefix}${nowMs}`);
  renameSync(path, damaged);
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${damaged}-wal`);
  rmSync(`${path}-shm`, { force: true });
  const older = readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && /\d$/.test(name))
    .toSorted();
  for (const name of older.slice(0, -damagedFilesKept))
    for (const ending of ["", "-wal", "-shm"]) rmSync(join(dirname(path), name + ending), { force: true });
  return damaged;
};
