/** Takes over from a damaged log what can still be read: each partition's records around the damage. */
import type { Database } from "bun:sqlite";
import { openDamaged, readAround } from "../sqlite/salvage.ts";
import { createCatalog, createIds, idsTable, type RecordRow, type RecordValues, recordColumns, recordsTable } from "./catalog.ts";

export type Salvaged = { readonly kept: number; readonly lost: readonly string[] };

export const salvageLog = (damagedPath: string, into: Database): Salvaged => {
  const damaged = openDamaged(damagedPath, into);
  if (damaged === null) return nothing;
  try {
    return salvage(damaged, into);
  } finally {
    damaged.close();
  }
};

const nothing: Salvaged = { kept: 0, lost: ["all"] };

const salvage = (damaged: Database, into: Database): Salvaged => {
  const topics = readableTopics(damaged);
  if (topics.length === 0) return nothing;
  const groups = readable<GroupRow>(damaged, "SELECT * FROM groups");
  const commits = readable<CommitRow>(damaged, "SELECT * FROM commits");
  const copyFacts = into.transaction(() => {
    for (const topic of topics) {
      into
        .query("INSERT OR IGNORE INTO topics VALUES (?, ?, ?, ?)")
        .run(topic.number, topic.name, topic.partitions, topic.retention_ms);
      createIds(into, topic.number);
    }
    for (const { topic, name, seen_ms } of groups ?? [])
      into.query("INSERT OR IGNORE INTO groups VALUES (?, ?, ?)").run(topic, name, seen_ms);
    for (const { topic, name, partition, offset } of commits ?? [])
      into.query("INSERT OR IGNORE INTO commits VALUES (?, ?, ?, ?)").run(topic, name, partition, offset);
  });
  copyFacts();

  const catalog = createCatalog(into);
  let kept = 0;
  // Without their positions the groups read on from the start.
  const lost: string[] = [...(groups === null ? ["groups"] : []), ...(commits === null ? ["commits"] : [])];
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
  for (const { topic, partition, next } of readable<NextRow>(damaged, "SELECT * FROM partitions") ?? [])
    raise.run(next, topic, partition);
  for (const { topic, partition, offset } of commits ?? []) raise.run(offset, topic, partition);
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

/** The rows of a query, null when it meets the damage. */
const readable = <Row>(database: Database, sql: string): readonly Row[] | null => {
  try {
    return database.query<Row, []>(sql).all();
  } catch {
    // What is missing shows in the report.
    return null;
  }
};

/** The topics, when their table is damaged from the index of their names and from the names of the records' tables. */
const readableTopics = (database: Database): readonly TopicRow[] => {
  const rows = readable<TopicRow>(database, "SELECT * FROM topics");
  if (rows !== null) return rows.filter(({ number, name }) => Number.isSafeInteger(number) && typeof name === "string");
  const named = readable<Pick<TopicRow, "number" | "name">>(
    database,
    "SELECT number, name FROM topics INDEXED BY sqlite_autoindex_topics_1 ORDER BY name",
  );
  const tables = readable<{ name: string; indexes: number }>(
    database,
    `SELECT name, (SELECT count(*) FROM sqlite_schema AS i WHERE i.tbl_name = t.name AND i.type = 'index') AS indexes
       FROM sqlite_schema AS t WHERE type = 'table'`,
  );
  return (named ?? []).map(({ number, name }) => {
    const prefix = recordsTable(number, 0).slice(0, -1);
    const own = (tables ?? []).filter((table) => table.name.startsWith(prefix));
    const partitions = Math.max(0, ...own.map((table) => Number(table.name.slice(prefix.length)) + 1));
    // Only a compacted topic has an index; the others get their time back when the topic is ensured, before anything is pruned.
    const compacted = own.some(({ indexes }) => indexes > 0);
    return { number, name, partitions, retention_ms: compacted ? null : Number.MAX_SAFE_INTEGER };
  });
};

const exists = (database: Database, table: string): boolean =>
  (readable(database, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = '${table}'`) ?? []).length > 0;

const copyRecords = (damaged: Database, into: Database, table: string, ids: string, partition: number) => {
  const insert = into.prepare<unknown, RecordValues>(`INSERT OR IGNORE INTO ${table} VALUES (?, ?, ?, ?, ?, ?, ?)`);
  const insertId = into.prepare<unknown, [string, number, number]>(`INSERT OR IGNORE INTO ${ids} VALUES (?, ?, ?)`);
  let kept = 0;
  const store = into.transaction((rows: readonly RecordRow[]) => {
    for (const { offset, at_ms, key, id, type, trace, bytes } of rows.filter(isRecord)) {
      kept += insert.run(offset, at_ms, key, id, type, trace, bytes).changes;
      insertId.run(id, partition, offset);
    }
  });

  const whole = readAround<RecordRow>(
    damaged,
    { table, columns: recordColumns, key: "offset", keyOf: ({ offset }) => offset },
    store,
  );
  return { kept, whole };
};

/** A spoilt page may also read as rows of anything. */
const isRecord = ({ offset, at_ms, key, id, type, trace, bytes }: RecordRow): boolean =>
  Number.isSafeInteger(offset) &&
  Number.isSafeInteger(at_ms) &&
  [key, id, type, trace].every((text) => typeof text === "string") &&
  bytes instanceof Uint8Array;
