/**
 * The embedded log read beside the process that has it, or without one. Nothing is written: not the file, not an offset.
 * Meant for one look at a time; what is appended later is seen by the next one.
 */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BusRecord, Position, TopicState } from "../bus.ts";
import { Fault, StartRefused } from "../errors.ts";
import { migrations, type RecordRow, recordColumns, recordsTable } from "./catalog.ts";

/** SQLite's own wait, for the moments in which another process switches the file's journal. */
const busyMs = 2_000;

export type LoggedTopic = { readonly name: string; readonly partitions: number; readonly retentionMs: number | null };

export type LogReader = Disposable & {
  readonly topics: () => readonly LoggedTopic[];
  readonly states: (topic: string) => readonly TopicState[];
  /** The groups that have committed in a topic, or were declared for it. */
  readonly groups: (topic: string) => readonly string[];
  readonly committed: (topic: string, group: string) => Position;
  /** Records of one partition from `offset` on. */
  readonly read: (topic: string, partition: number, offset: number, limit: number) => readonly BusRecord[];
  /** The first offset whose record was appended at or after `sinceMs`; the end when there is none. */
  readonly offsetAt: (topic: string, partition: number, sinceMs: number) => number;
};

/** Null where there is no log yet. Throws `StartRefused(78)` for a log of a newer version. */
export const openLogReader = (directory: string): LogReader | null => {
  const path = join(directory, "log.sqlite");
  if (!existsSync(path)) return null;
  const database = new Database(path, { readonly: true });
  try {
    database.run(`PRAGMA busy_timeout = ${busyMs}`);
    const version = database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    if (version > migrations.length)
      throw new StartRefused(78, `${path} has schema ${version}, this version of vedette knows ${migrations.length}`);
    if (version === 0) {
      database.close();
      return null; // made a moment ago, and not written yet
    }
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  return readerOf(database);
};

type TopicRow = LoggedTopic & { readonly number: number };

const readerOf = (database: Database): LogReader => {
  const known = database
    .query<{ number: number; name: string; partitions: number; retention_ms: number | null }, []>(
      "SELECT number, name, partitions, retention_ms FROM topics ORDER BY name",
    )
    .all()
    .map(({ number, name, partitions, retention_ms }): TopicRow => ({ number, name, partitions, retentionMs: retention_ms }));
  const topicOf = (name: string): TopicRow => {
    const found = known.find((topic) => topic.name === name);
    if (!found) throw new Fault("not_found", `there is no topic ${name}: there are ${known.map((each) => each.name).join(", ")}`);
    return found;
  };
  /** The table of a partition, null while nothing was ever written there. */
  const tableOf = ({ number, name, partitions }: TopicRow, partition: number): string | null => {
    if (!(Number.isInteger(partition) && partition >= 0 && partition < partitions))
      throw new Fault("not_found", `topic ${name} has no partition ${partition}: it has 0 to ${partitions - 1}`);
    const row = database
      .query<{ next: number }, [number, number]>("SELECT next FROM partitions WHERE topic = ? AND partition = ?")
      .get(number, partition);
    return row ? recordsTable(number, partition) : null;
  };

  return {
    topics: () => known.map(({ name, partitions, retentionMs }) => ({ name, partitions, retentionMs })),

    states(topic) {
      const row = topicOf(topic);
      const floors = new Map(
        database
          .query<{ partition: number; next: number }, [number]>("SELECT partition, next FROM partitions WHERE topic = ?")
          .all(row.number)
          .map(({ partition, next }) => [partition, next]),
      );
      return Array.from({ length: row.partitions }, (_, partition): TopicState => {
        const floor = floors.get(partition);
        if (floor === undefined) return { topic, partition, oldest: 0, next: 0 };
        // Two statements: SQLite looks up the end of an index for a lone min or max only.
        const table = recordsTable(row.number, partition);
        const oldest = database.query<{ at: number | null }, []>(`SELECT min(offset) AS at FROM ${table}`).get()?.at;
        const last = database.query<{ at: number | null }, []>(`SELECT max(offset) AS at FROM ${table}`).get()?.at;
        const next = Math.max(floor, (last ?? -1) + 1);
        return { topic, partition, oldest: oldest ?? next, next };
      });
    },

    groups: (topic) =>
      database
        .query<{ name: string }, [number, number]>(
          "SELECT name FROM groups WHERE topic = ? UNION SELECT name FROM commits WHERE topic = ? ORDER BY name",
        )
        .all(topicOf(topic).number, topicOf(topic).number)
        .map(({ name }) => name),

    committed(topic, group) {
      const { number, partitions } = topicOf(topic);
      const offsets: Record<number, number> = {};
      for (let partition = 0; partition < partitions; partition++) offsets[partition] = 0;
      const rows = database
        .query<{ partition: number; offset: number }, [number, string]>(
          "SELECT partition, offset FROM commits WHERE topic = ? AND name = ?",
        )
        .all(number, group);
      for (const { partition, offset } of rows) offsets[partition] = offset;
      return offsets;
    },

    read(topic, partition, offset, limit) {
      const table = tableOf(topicOf(topic), partition);
      if (table === null) return [];
      return database
        .query<RecordRow, [number, number]>(`SELECT ${recordColumns} FROM ${table} WHERE offset >= ? ORDER BY offset LIMIT ?`)
        .all(offset, limit)
        .map(({ at_ms, ...record }) => ({ ...record, topic, partition, appendedAtMs: at_ms }));
    },

    offsetAt(topic, partition, sinceMs) {
      const table = tableOf(topicOf(topic), partition);
      if (table === null) return 0;
      const at = database.query<{ offset: number; at_ms: number }, [number]>(
        `SELECT offset, at_ms FROM ${table} WHERE offset >= ? ORDER BY offset LIMIT 1`,
      );
      const end = database.query<{ at: number | null }, []>(`SELECT max(offset) + 1 AS at FROM ${table}`).get()?.at ?? 0;
      // Times never go back within a partition; offsets may have gaps, so each probe takes the record at or after the middle.
      let low = at.get(0)?.offset ?? end;
      let high = end;
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const probe = at.get(middle);
        if (probe !== null && probe.at_ms < sinceMs) low = probe.offset + 1;
        else high = middle;
      }
      return at.get(low)?.offset ?? end;
    },

    [Symbol.dispose]: () => database.close(),
  };
};
