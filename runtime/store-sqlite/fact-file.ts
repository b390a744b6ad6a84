/** The facts on their file. Synchronous, and without a clock of its own: it runs in the store's Worker. */
import type { Database } from "bun:sqlite";
import type { Change, Listed, StoreCalls } from "./calls.ts";

const chunkFacts = 500;
const listBytesMax = 32 * 1_048_576;

export const migrations = [
  `CREATE TABLE facts (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, expires_ms INTEGER NOT NULL, bytes BLOB NOT NULL);
   CREATE INDEX facts_expiry ON facts (expires_ms);`,
];

export type FactFile = Pick<StoreCalls, "get" | "list" | "write" | "prune"> & {
  readonly count: () => number;
  /** Reads and writes what a start and the first write need, and leaves the file as it was: throws where it is damaged. */
  readonly tryOut: () => void;
};

export const createFactFile = (database: Database): FactFile => {
  const get = database.prepare<{ bytes: Uint8Array }, [string, number]>(
    "SELECT bytes FROM facts WHERE key = ? AND expires_ms > ?",
  );
  // The greatest code point ends what starts with the prefix.
  const list = database.prepare<{ key: string; size: number }, [string, string, string, number, number]>(
    `SELECT key, length(bytes) AS size FROM facts
     WHERE key >= ? AND key < ? || char(1114111) AND key > ? AND expires_ms > ? ORDER BY key LIMIT ?`,
  );
  const put = database.prepare<unknown, [string, number, Uint8Array]>(
    `INSERT INTO facts (key, expires_ms, bytes) VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET expires_ms = excluded.expires_ms, bytes = excluded.bytes`,
  );
  const remove = database.prepare<unknown, [string]>("DELETE FROM facts WHERE key = ?");
  const expired = database.prepare<unknown, [number, number]>(
    "DELETE FROM facts WHERE number IN (SELECT number FROM facts WHERE expires_ms <= ? LIMIT ?)",
  );
  const count = database.prepare<{ facts: number }, []>("SELECT count(*) AS facts FROM facts");

  const write = database.transaction((changes: readonly Change[]) => {
    for (const change of changes) {
      if ("put" in change) for (const { key, expiresAtMs, bytes } of change.put) put.run(key, expiresAtMs, bytes);
      else for (const key of change.delete) remove.run(key);
    }
  });

  return {
    get: ({ key, nowMs }) => get.get(key, nowMs)?.bytes ?? null,

    list({ prefix, limit, after, nowMs }) {
      const listed: Listed[] = [];
      let bytes = 0;
      for (const { key, size } of list.all(prefix, prefix, after, nowMs, limit)) {
        if (listed.length > 0 && bytes + size > listBytesMax) break;
        bytes += size;
        const fact = get.get(key, nowMs);
        if (fact !== null) listed.push({ key, bytes: fact.bytes });
      }
      return listed;
    },

    write: ({ changes }) => void write.immediate(changes),

    prune({ nowMs }) {
      // What has expired is not read again, so its removal need not be durable.
      database.run("PRAGMA synchronous = NORMAL");
      try {
        return expired.run(nowMs, chunkFacts).changes > 0;
      } finally {
        database.run("PRAGMA synchronous = FULL");
      }
    },

    count: () => count.get()?.facts ?? 0,

    tryOut() {
      count.get();
      database.run("BEGIN IMMEDIATE");
      try {
        put.run("", 0, new Uint8Array());
        // Also takes a page, from the free ones when there are some.
        database.run("CREATE TABLE tried_out (x)");
      } finally {
        if (database.inTransaction) database.run("ROLLBACK");
      }
    },
  };
};
