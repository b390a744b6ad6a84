/** The tables of the log file: which there are, and the statements that use them. One rowid table per topic-partition, made when first written. */
import type { Database, Statement } from "bun:sqlite";
import type { TopicSpec } from "./calls.ts";

export const migrations = [
  `CREATE TABLE topics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, retention_ms INTEGER);
   CREATE TABLE partitions (topic INTEGER NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
     PRIMARY KEY (topic, partition)) WITHOUT ROWID;
   CREATE TABLE groups (topic INTEGER NOT NULL, name TEXT NOT NULL, seen_ms INTEGER NOT NULL,
     PRIMARY KEY (topic, name)) WITHOUT ROWID;
   CREATE TABLE commits (topic INTEGER NOT NULL, name TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
     PRIMARY KEY (topic, name, partition)) WITHOUT ROWID;`,
];

export const recordsTable = (topic: number, partition: number): string => `records_${topic}_${partition}`;
export const idsTable = (topic: number): string => `ids_${topic}`;

export const createIds = (database: Database, topic: number): void => {
  database.run(
    `CREATE TABLE IF NOT EXISTS ${idsTable(topic)}
       (id TEXT PRIMARY KEY, partition INTEGER NOT NULL, offset INTEGER NOT NULL) WITHOUT ROWID`,
  );
};

export type Topic = TopicSpec & { readonly number: number };

export type RecordRow = {
  readonly offset: number;
  readonly at_ms: number;
  readonly key: string;
  readonly id: string;
  readonly type: string;
  readonly trace: string;
  readonly bytes: Uint8Array;
};
export const recordColumns = "offset, at_ms, key, id, type, trace, bytes";
/** The values of a row, in the order of its columns. */
export type RecordValues = [
  offset: number,
  atMs: number,
  key: string,
  id: string,
  type: string,
  trace: string,
  bytes: Uint8Array,
];

/** What can be known of a record without its bytes. */
export type SizeRow = { readonly offset: number; readonly at_ms: number; readonly size: number };

/** One partition's table. */
export type Partition = {
  readonly topic: Topic;
  readonly partition: number;
  readonly table: string;
  next: number;
  lastAtMs: number;
  /** The end at the last compaction. */
  compactedTo: number;
  readonly insert: Statement<unknown, RecordValues>;
  readonly select: Statement<RecordRow, [offset: number, limit: number]>;
  readonly sizes: Statement<SizeRow, [offset: number, limit: number]>;
};

/** The ids of one topic, for as long as their records are kept. */
export type Ids = {
  readonly insert: Statement<unknown, [id: string, partition: number, offset: number]>;
  readonly find: Statement<{ readonly partition: number; readonly offset: number }, [id: string]>;
};

export type Catalog = {
  readonly topic: (number: number) => Topic;
  readonly topics: () => readonly Topic[];
  readonly ensure: (spec: TopicSpec) => Topic;
  readonly ids: (topic: Topic) => Ids;
  /** Null while the partition has no table. */
  readonly partition: (topic: Topic, partition: number) => Partition | null;
  readonly created: (topic: Topic, partition: number) => Partition;
  /** All partitions that have a table. */
  readonly partitions: () => readonly Partition[];
  /** After a rollback: what is known of the tables is read again. */
  readonly forget: () => void;
};

type TopicRow = {
  readonly number: number;
  readonly name: string;
  readonly partitions: number;
  readonly retention_ms: number | null;
};

const placeOf = (topic: Topic, partition: number): number => topic.number * 65_536 + partition;

export const createCatalog = (database: Database): Catalog => {
  let topics = new Map<number, Topic>();
  let partitions = new Map<number, Partition>();
  let ids = new Map<number, Ids>();

  const load = () => {
    const rows = database.query<TopicRow, []>("SELECT * FROM topics").all();
    topics = new Map(
      rows.map(({ number, name, partitions, retention_ms }) => [
        number,
        { number, name, partitions, retentionMs: retention_ms, group: null },
      ]),
    );
  };
  load();

  const topic = (number: number): Topic => {
    const found = topics.get(number);
    if (!found) throw new Error(`the log has no topic number ${number}`);
    return found;
  };

  const opened = (of: Topic, partition: number, floor: number): Partition => {
    const table = recordsTable(of.number, partition);
    const last = database
      .query<{ offset: number; at_ms: number }, []>(`SELECT offset, at_ms FROM ${table} ORDER BY offset DESC LIMIT 1`)
      .get();
    return {
      topic: of,
      partition,
      table,
      next: Math.max(floor, last ? last.offset + 1 : 0),
      lastAtMs: last?.at_ms ?? 0,
      compactedTo: 0,
      insert: database.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?, ?, ?, ?)`),
      select: database.prepare(`SELECT ${recordColumns} FROM ${table} WHERE offset >= ? ORDER BY offset LIMIT ?`),
      sizes: database.prepare(
        `SELECT offset, at_ms, length(bytes) AS size FROM ${table} WHERE offset >= ? ORDER BY offset LIMIT ?`,
      ),
    };
  };

  const partition = (of: Topic, number: number): Partition | null => {
    const known = partitions.get(placeOf(of, number));
    if (known) return known;
    const row = database
      .query<{ next: number }, [number, number]>("SELECT next FROM partitions WHERE topic = ? AND partition = ?")
      .get(of.number, number);
    if (row === null) return null;
    const found = opened(of, number, row.next);
    partitions.set(placeOf(of, number), found);
    return found;
  };

  return {
    topic,
    topics: () => [...topics.values()],

    ensure(spec) {
      const known = [...topics.values()].find(({ name }) => name === spec.name);
      const partitions = Math.max(spec.partitions, known?.partitions ?? 0);
      database
        .query<unknown, [string, number, number | null]>(
          `INSERT INTO topics (name, partitions, retention_ms) VALUES (?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET partitions = excluded.partitions, retention_ms = excluded.retention_ms`,
        )
        .run(spec.name, partitions, spec.retentionMs);
      const row = database.query<{ number: number }, [string]>("SELECT number FROM topics WHERE name = ?").get(spec.name);
      const number = row?.number ?? -1;
      createIds(database, number);
      const ensured = known ?? { ...spec, partitions, number };
      // Partitions that are open hold on to their topic, so it changes in place.
      topics.set(number, Object.assign(ensured, { partitions, retentionMs: spec.retentionMs }));
      return ensured;
    },

    ids({ number }) {
      const known = ids.get(number);
      if (known) return known;
      const made: Ids = {
        insert: database.prepare(`INSERT INTO ${idsTable(number)} VALUES (?, ?, ?) ON CONFLICT DO NOTHING`),
        find: database.prepare(`SELECT partition, offset FROM ${idsTable(number)} WHERE id = ?`),
      };
      ids.set(number, made);
      return made;
    },

    partition,

    created(of, number) {
      const known = partition(of, number);
      if (known) return known;
      const table = recordsTable(of.number, number);
      database.run(
        `CREATE TABLE ${table} (offset INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
           type TEXT NOT NULL, trace TEXT NOT NULL, bytes BLOB NOT NULL)`,
      );
      if (of.retentionMs === null) database.run(`CREATE INDEX ${table}_key ON ${table} (key, offset)`);
      database
        .query<unknown, [number, number]>("INSERT INTO partitions (topic, partition, next) VALUES (?, ?, 0)")
        .run(of.number, number);
      const made = opened(of, number, 0);
      partitions.set(placeOf(of, number), made);
      return made;
    },

    partitions: () =>
      database
        .query<{ topic: number; partition: number }, []>("SELECT topic, partition FROM partitions ORDER BY topic, partition")
        .all()
        .flatMap((row) => partition(topic(row.topic), row.partition) ?? []),

    forget() {
      load();
      partitions = new Map();
      ids = new Map();
    },
  };
};
