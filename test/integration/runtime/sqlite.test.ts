/** The parts of the SQLite drivers, on real files, without their Workers. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type AppendCall, offsetOf, packBatch } from "../../../runtime/bus-sqlite/batch.ts";
import { migrations } from "../../../runtime/bus-sqlite/catalog.ts";
import { packRecords, unpackRead } from "../../../runtime/bus-sqlite/columns.ts";
import { createLogFile, type LogFile } from "../../../runtime/bus-sqlite/log-file.ts";
import { closeSqliteFile, openSqliteFile } from "../../../runtime/sqlite/file.ts";
import { keysOf, textsOf, toy, toyTopic } from "../../support/bus-contract/toys.ts";
import { tempDir } from "../../support/temp-dir.ts";

const topic = toyTopic({ name: "t", partitions: 2 });
const known = { name: "t", number: 1, partitions: 2, maxBytes: 4_096 };
const spec = { name: "t", partitions: 2, retentionMs: 1_000, group: null };

const memoryLog = () => {
  const database = new Database(":memory:");
  for (const migration of migrations) database.run(migration);
  const log = createLogFile(database);
  log.ensure({ topics: [spec], nowMs: 0 });
  return { database, log };
};
const call = (key: string, ...texts: string[]): AppendCall =>
  packRecords(
    texts.map((text) => toy(topic, key, text, text)),
    () => known,
  );
const write = (log: LogFile, nowMs: number, ...calls: AppendCall[]) => log.write(packBatch({ nowMs, calls, commits: [] }));
const textsIn = (log: LogFile, partition: number) =>
  textsOf(unpackRead("t", partition, log.read({ topic: 1, partition, offset: 0, limit: 1_000, bytesMax: 1e9 })));
const [even = "", odd = ""] = keysOf(2);

test("a write that fails leaves nothing behind: neither records nor tables, ids or offsets", () => {
  const { database, log } = memoryLog();
  write(log, 1, call(even, "a"));
  database.run(`PRAGMA max_page_count = ${database.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count}`);
  const huge = packRecords([{ ...toy(topic, odd, "", "huge"), bytes: new Uint8Array(1e6) }], () => known);
  expect(() => write(log, 2, call(even, "b"), huge)).toThrow("full");
  expect(textsIn(log, 0)).toEqual(["a"]);
  expect(log.states({ topic: 1 })).toEqual([
    { topic: "t", partition: 0, oldest: 0, next: 1 },
    { topic: "t", partition: 1, oldest: 0, next: 0 },
  ]);

  database.run("PRAGMA max_page_count = 1000000");
  const written = write(log, 3, call(even, "b", "c"), huge);
  expect([0, 1, 2].map((index) => offsetOf(written, index))).toEqual([1, 2, 0]);
  expect(written.duplicates).toEqual([]);
});

test("a read ends before its bytes are passed, but has one record at least", () => {
  const { log } = memoryLog();
  write(log, 1, call(even, "aaaa", "bbbb", "cccc"));
  const read = (bytesMax: number) =>
    textsOf(unpackRead("t", 0, log.read({ topic: 1, partition: 0, offset: 0, limit: 9, bytesMax })));
  expect(read(1)).toEqual(["aaaa"]);
  expect(read(8)).toEqual(["aaaa", "bbbb"]);
  expect(read(11)).toEqual(["aaaa", "bbbb"]);
  expect(read(12)).toEqual(["aaaa", "bbbb", "cccc"]);
});

test("times never go back within a partition, so a place is found by time though the clock jumped", () => {
  const { log } = memoryLog();
  const times = [100, 50, 200, 150, 150, 300];
  for (const [index, nowMs] of times.entries()) write(log, nowMs, call(even, `${index}`));
  const records = unpackRead("t", 0, log.read({ topic: 1, partition: 0, offset: 0, limit: 9, bytesMax: 1e9 }));
  expect(records.map(({ appendedAtMs }) => appendedAtMs)).toEqual([100, 100, 200, 200, 200, 300]);
  const at = (sinceMs: number) => log.offsetAt({ topic: 1, partition: 0, sinceMs });
  expect([0, 100, 101, 200, 201, 300, 301].map(at)).toEqual([0, 0, 2, 2, 5, 5, 6]);
});

test("a group not seen for long no longer holds records back", () => {
  const { log } = memoryLog();
  write(log, 1, call(even, "a"));
  log.join({ topic: 1, group: "gone", nowMs: 10 });
  const prune = (groupsSinceMs: number) => log.prune({ nowMs: 100_000, full: false, groupsSinceMs, joined: [] });
  expect(prune(10)).toBe(false);
  expect(prune(11)).toBe(true);
  expect(textsIn(log, 0)).toEqual([]);
});

test("a group that is here is seen", () => {
  const { log } = memoryLog();
  write(log, 1, call(even, "a"));
  log.join({ topic: 1, group: "idle", nowMs: 10 });
  const joined = [{ topic: 1, group: "idle" }];
  expect(log.prune({ nowMs: 1e10, full: false, groupsSinceMs: 10, joined })).toBe(false);
  expect(log.prune({ nowMs: 1e10, full: false, groupsSinceMs: 1e10, joined: [] })).toBe(false);
});

test("a full log lets go of the oldest processed records first, whatever their age, of a compacted topic never", () => {
  const { log } = memoryLog();
  log.ensure({ topics: [{ ...spec, name: "compacted", retentionMs: null }], nowMs: 0 });
  const compacted = packRecords([{ ...toy(topic, "1", "x", "x"), topic: "compacted" }], () => ({ ...known, number: 2 }));
  write(log, 1, compacted);
  write(log, 2, call(odd, "older"));
  write(log, 3, call(even, "younger", "open"));
  log.join({ topic: 1, group: "g", nowMs: 3 });
  log.write(
    packBatch({
      nowMs: 4,
      calls: [],
      commits: [
        { topic: 1, group: "g", partition: 0, offset: 1 },
        { topic: 1, group: "g", partition: 1, offset: 1 },
      ],
    }),
  );
  const prune = (full: boolean) => log.prune({ nowMs: 5, full, groupsSinceMs: 0, joined: [] });
  expect(prune(false)).toBe(false);
  expect(prune(true)).toBe(true);
  expect([textsIn(log, 0), textsIn(log, 1)]).toEqual([["younger", "open"], []]);
  expect(prune(true)).toBe(true);
  expect(prune(true)).toBe(false);
  expect(textsIn(log, 0)).toEqual(["open"]);
  expect(log.states({ topic: 2 }).some(({ oldest, next }) => next > oldest)).toBe(true);
});

test("the log answers as a plain model does, whatever is appended, committed and pruned", () => {
  type Step = { readonly kind: "append" | "commit" | "prune"; readonly partition: number; readonly number: number };
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom("append", "append", "append", "commit", "prune"),
    partition: fc.constantFrom(0, 1),
    number: fc.nat(30),
  });
  const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const { log } = memoryLog();
    log.join({ topic: 1, group: "g", nowMs: 0 });
    const model = [0, 1].map(() => ({ records: [] as { offset: number; text: string; atMs: number }[], next: 0, committed: 0 }));
    let nowMs = 0;
    for (const { kind, partition, number } of steps) {
      nowMs += 100;
      const mine = model[partition];
      if (!mine) continue;
      if (kind === "append") {
        const text = `${partition}-${number}`;
        if (!mine.records.some((record) => record.text === text)) mine.records.push({ offset: mine.next++, text, atMs: nowMs });
        write(log, nowMs, call(partition === 0 ? even : odd, text));
      } else if (kind === "commit") {
        const offset = Math.min(number, mine.next);
        mine.committed = Math.max(mine.committed, offset);
        log.write(packBatch({ nowMs, calls: [], commits: [{ topic: 1, group: "g", partition, offset }] }));
      } else {
        while (log.prune({ nowMs, full: false, groupsSinceMs: 0, joined: [] }));
        for (const each of model)
          each.records = each.records.filter(({ offset, atMs }) => offset >= each.committed || atMs >= nowMs - 1_000);
      }
    }
    for (const [partition, { records, next, committed }] of model.entries()) {
      expect(textsIn(log, partition)).toEqual(records.map(({ text }) => text));
      expect(log.states({ topic: 1 })[partition]).toEqual({ topic: "t", partition, oldest: records[0]?.offset ?? next, next });
      expect(log.committed({ topic: 1, group: "g" })[partition]).toBe(committed);
    }
  });
  fc.assert(property, { numRuns: 60 });
});

test("a file is brought forward once, in one transaction", async () => {
  await using directory = await tempDir();
  const path = join(directory.path, "a.sqlite");
  const first = "CREATE TABLE a (x); INSERT INTO a VALUES (1)";
  closeSqliteFile(openSqliteFile(path, [first], 0).database);
  expect(() => openSqliteFile(path, [first, "CREATE TABLE b (x)", "CREATE TABLE b (x)"], 0)).toThrow("already exists");
  const { database, unclean } = openSqliteFile(path, [first, "INSERT INTO a VALUES (2)"], 0);
  expect(unclean).toBe(false);
  expect(database.query("SELECT x FROM a ORDER BY x").values()).toEqual([[1], [2]]);
  closeSqliteFile(database);
});

test("of the files set aside the last three are kept", async () => {
  await using directory = await tempDir();
  const path = join(directory.path, "a.sqlite");
  for (let nowMs = 1; nowMs <= 5; nowMs++) {
    await Bun.write(path, "garbage ".repeat(1_000));
    const { database, damaged } = openSqliteFile(path, [], nowMs);
    expect(damaged).toBe(`${path}.damaged-${nowMs}`);
    closeSqliteFile(database);
  }
  const kept = readdirSync(directory.path).filter((name) => /damaged-\d+$/.test(name));
  expect(kept.toSorted()).toEqual(["a.sqlite.damaged-3", "a.sqlite.damaged-4", "a.sqlite.damaged-5"]);
});

test("what is committed is on the disk: a write-ahead log that is synced at each commit, also after pruning", async () => {
  await using directory = await tempDir();
  const { database } = openSqliteFile(join(directory.path, "log.sqlite"), migrations, 0);
  const modes = () => [
    database.query<{ journal_mode: string }, []>("PRAGMA journal_mode").get()?.journal_mode,
    database.query<{ synchronous: number }, []>("PRAGMA synchronous").get()?.synchronous,
  ];
  expect(modes()).toEqual(["wal", 2]);
  createLogFile(database).prune({ nowMs: 0, full: false, groupsSinceMs: 0, joined: [] });
  expect(modes()).toEqual(["wal", 2]);
  closeSqliteFile(database);
});
