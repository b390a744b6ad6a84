/** Takes over from a damaged log what can still be read: each partition from its start and from its end, up to the damage. */
import { Database } from "bun:sqlite";
import { createCatalog, createIds, idsTable, type RecordRow, type RecordValues, recordColumns, recordsTable } from "./catalog.ts";

const chunkRecords = 200;

export type Salvaged = { readonly kept: number; readonly lost: readonly string[] };

export const salvageLog = (damagedPath: string, into: Database): Salvaged => {
  let damaged: Database;
  try {
    damaged = new Database(damagedPath, { create: false, readwrite: true });
  } catch {
    // Not even its header can be read: there is nothing to take over.
    return { kept: 0, lost: ["all"] };
  }
  try {
    return salvage(damaged, into);
  } finally {
    damaged.close();
  }
};

const salvage = (damaged: Database, into: Database): Salvaged => {
  const topics = readable<TopicRow>(damaged, "SELECT * FROM topics");
  if (topics.length === 0) return { kept: 0, lost: ["all"] };
  const copyFacts = into.transaction(() => {
    for (const topic of topics) {
      into.query("INSERT INTO topics VALUES (?, ?, ?, ?)").run(topic.number, topic.name, topic.partitions, topic.retention_ms);
      createIds(into, topic.number);
    }
    for (const { topic, name, seen_ms } of readable<GroupRow>(damaged, "SELECT * FROM groups"))
      into.query("INSERT INTO groups VALUES (?, ?, ?)").run(topic, name, seen_ms);
    for (const { topic, name, partition, offset } of readable<CommitRow>(damaged, "SELECT * FROM commits"))
      into.query("INSERT INTO commits VALUES (?, ?, ?, ?)").run(topic, name, partition, offset);
  });
  copyFacts();

  const catalog = createCatalog(into);
  let kept = 0;
  const lost: string[] = [];
  for (const { number, name, partitions } of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      if (!exists(damaged, recordsTable(number, partition))) continue;
      const { table } = into.transaction(() => catalog.created(catalog.topic(number), partition))();
      const copied = copyRecords(damaged, into, table, idsTable(number), partition);
      kept += copied.kept;
      if (!copied.whole) lost.push(`${name}/${partition}`);
    }
  }
  // Offsets go on where they were, also behind what is lost.
  const raise = into.prepare("UPDATE partitions SET next = max(next, ?) WHERE topic = ? AND partition = ?");
  for (const { topic, partition, next } of readable<NextRow>(damaged, "SELECT * FROM partitions"))
    raise.run(next, topic, partition);
  for (const { topic, partition, offset } of readable<CommitRow>(into, "SELECT * FROM commits"))
    raise.run(offset, topic, partition);
  return { kept, lost };
};

type TopicRow = {
  readonly number: number;
  readonly name: string;
  readonly partitions: number;
  readonly retention_ms: number | null;
};
type GroupRow = { readonly topic: number; readonly name: string; readonly seen_ms: number };
type CommitRow = { readonly topic: number; readonly name: string; readonly partition: number; readonly offset: number };
type NextRow = { readonly topic: number; readonly partition: number; readonly next: number };

/** The rows of a query, none when it meets the damage. */
const readable = <Row>(database: Database, sql: string): readonly Row[] => {
  try {
    return database.query<Row, []>(sql).all();
  } catch {
    // What is missing shows in the report.
    return [];
  }
};

const exists = (database: Database, table: string): boolean =>
  readable(database, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = '${table}'`).length > 0;

const copyRecords = (damaged: Database, into: Database, table: string, ids: string, partition: number) => {
  const insert = into.prepare<unknown, RecordValues>(`INSERT OR IGNORE INTO ${table} VALUES (?, ?, ?, ?, ?, ?, ?)`);
  const insertId = into.prepare<unknown, [string, number, number]>(`INSERT OR IGNORE INTO ${ids} VALUES (?, ?, ?)`);
  let kept = 0;
  const store = into.transaction((rows: readonly RecordRow[]) => {
    for (const { offset, at_ms, key, id, type, trace, bytes } of rows) {
      kept += insert.run(offset, at_ms, key, id, type, trace, bytes).changes;
      insertId.run(id, partition, offset);
    }
  });

  /** Reads chunk by chunk; false when it met the damage. */
  const copy = (direction: string, first: number): boolean => {
    const sql = `SELECT ${recordColumns} FROM ${table} WHERE offset ${direction} LIMIT ?`;
    let from = first;
    let size = chunkRecords;
    for (;;) {
      let rows: RecordRow[];
      try {
        rows = damaged.query<RecordRow, [number, number]>(sql).all(from, size);
      } catch {
        // Near the damage: record by record, so that the last readable one is kept.
        if (size === 1) return false;
        size = 1;
        continue;
      }
      store(rows);
      const last = rows.at(-1);
      if (last === undefined) return true;
      from = last.offset;
    }
  };

  const whole = copy("> ? ORDER BY offset", -1);
  if (!whole) copy("< ? ORDER BY offset DESC", Number.MAX_SAFE_INTEGER);
  return { kept, whole };
};
