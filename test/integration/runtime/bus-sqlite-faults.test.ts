/** What a crash, a damaged file, a full disk and a second process do to the embedded log. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { openSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { BusRecord } from "../../../runtime/bus.ts";
import { openSqliteBus, type SqliteBusOptions } from "../../../runtime/bus-sqlite.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { StartRefused } from "../../../runtime/errors.ts";
import { type Log, type LogFields, silentLog } from "../../../runtime/log.ts";
import { randomInt, seededRandom } from "../../../runtime/random.ts";
import { appendTexts, member, numbered, textsOf, toy, toyTopic, unique, untilTexts } from "../../support/bus-contract/toys.ts";
import { writtenTopic } from "../../support/bus-writer.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { thrownBy } from "../../support/thrown.ts";
import { within } from "../../support/wait.ts";

const open = (directory: string, options: Partial<SqliteBusOptions> = {}) =>
  openSqliteBus({ directory, clock: systemClock, log: silentLog, maxBytes: 1e9, minFreeBytes: 0, ...options });

const noting = () => {
  const lines: { readonly event: string; readonly fields: LogFields }[] = [];
  const note = (event: string, fields: LogFields = {}) => void lines.push({ event, fields });
  const log: Log = { debug: note, info: note, warn: note, error: note, with: () => log };
  return { lines, log, events: () => lines.map(({ event }) => event) };
};

const readAll = async (bus: Awaited<ReturnType<typeof open>>, topic: string): Promise<readonly BusRecord[]> => {
  const all: BusRecord[] = [];
  for (const { partition, next, oldest } of await bus.states(topic)) {
    for (let offset = oldest; offset < next; ) {
      const records = await bus.read(topic, partition, offset, 1_000);
      all.push(...records);
      offset = (records.at(-1)?.offset ?? next) + 1;
    }
  }
  return all;
};

test("kill -9 at any moment loses no acknowledged record, stores none twice and no call by half", async () => {
  await using directory = await tempDir();
  const random = seededRandom(7);
  const acknowledged = new Set<string>();
  for (let kill = 0; kill < 10; kill++) {
    const writer = Bun.spawn(
      [process.execPath, join(import.meta.dir, "../../support/bus-writer.ts"), directory.path, `${kill}`],
      {
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    let text = "";
    const wanted = randomInt(random, 600);
    for await (const chunk of writer.stdout) {
      text += new TextDecoder().decode(chunk);
      if (text.split("\n").length > wanted) writer.kill("SIGKILL");
    }
    await writer.exited;
    for (const id of text.split("\n").slice(1, -1)) acknowledged.add(id);
  }

  const bus = await open(directory.path);
  await bus.ensure([writtenTopic]);
  const records = await readAll(bus, writtenTopic.name);
  const stored = records.map(({ id }) => id);
  expect(acknowledged.size).toBeGreaterThan(100);
  expect([...acknowledged].filter((id) => !stored.includes(id))).toEqual([]);
  expect(new Set(stored).size).toBe(stored.length);
  const calls = Map.groupBy(stored, (id) => id.slice(0, id.lastIndexOf("-")));
  expect([...calls.values()].filter(({ length }) => length !== 3)).toEqual([]);
  for (const inPartition of Map.groupBy(records, ({ partition }) => partition).values())
    expect(inPartition.map(({ offset }) => offset)).toEqual(inPartition.map((_, index) => index));
  await bus.close();
}, 60_000);

test("a directory has one bus at a time, and the refusal names the process", async () => {
  await using directory = await tempDir();
  const bus = await open(directory.path);
  const second = open(directory.path).catch((thrown) => thrown);
  expect(await second).toBeInstanceOf(StartRefused);
  expect(await second).toMatchObject({ status: 78, message: expect.stringContaining(`process ${process.pid}`) });
  await bus.close();
  await (await open(directory.path)).close();
});

test("a directory that cannot be written is refused", async () => {
  const refused = await open("/proc/vedette").catch((thrown) => thrown);
  expect(refused).toMatchObject({ status: 78, message: expect.stringContaining("/proc/vedette") });
});

test("a file of a newer version is refused and left as it is", async () => {
  await using directory = await tempDir();
  await (await open(directory.path)).close();
  const path = join(directory.path, "log.sqlite");
  const database = new Database(path);
  database.run("PRAGMA user_version = 99");
  database.close();
  const before = readFileSync(path);
  const refused = await open(directory.path).catch((thrown) => thrown);
  expect(refused).toBeInstanceOf(StartRefused);
  expect(refused).toMatchObject({ status: 78, message: expect.stringContaining("schema 99") });
  expect(readFileSync(path).equals(before)).toBe(true);
});

/** A log as a crash leaves it: its file and write-ahead log, copied while the bus has them open. */
const crashed = async (source: string, target: string) => {
  for (const name of ["log.sqlite", "log.sqlite-wal"]) await cp(join(source, name), join(target, name));
};

test("after an unclean stop the log is checked and goes on", async () => {
  await using first = await tempDir();
  await using second = await tempDir();
  const topic = toyTopic({ partitions: 1 });
  const before = await open(first.path);
  await before.ensure([topic]);
  await appendTexts(before, topic, "1", numbered(10));
  await crashed(first.path, second.path);
  await before.close();

  const { lines, log } = noting();
  const bus = await open(second.path, { log });
  expect(lines[0]).toMatchObject({ event: "bus.unclean-stop", fields: { damaged: false } });
  await bus.ensure([topic]);
  expect(textsOf(await readAll(bus, topic.name))).toEqual(numbered(10));
  await bus.close();

  const again = noting();
  await (await open(second.path, { log: again.log })).close();
  expect(again.events()).not.toContain("bus.unclean-stop");
});

test("a damaged file is set aside and reported; what can be read of it goes on", async () => {
  await using first = await tempDir();
  await using second = await tempDir();
  const [whole, hurt] = [toyTopic({ partitions: 1, maxBytes: 65_536 }), toyTopic({ partitions: 1, maxBytes: 65_536 })];
  const before = await open(first.path);
  await before.ensure([whole, hurt]);
  await appendTexts(before, whole, "1", numbered(100));
  const consumer = member();
  const reader = await before.consume(whole.name, "group", consumer.events);
  await untilTexts(consumer.records, numbered(100));
  await reader.commit(0, 60);
  for (const text of numbered(100)) await before.append([toy(hurt, "1", text.padEnd(4_000, "."), text)]);
  await crashed(first.path, second.path);
  await before.close();

  // Everything into the file, so that the damage is not healed by the write-ahead log; then a later write leaves one behind.
  const path = join(second.path, "log.sqlite");
  const database = new Database(path);
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const pages = database
    .query<{ pageno: number }, [string]>("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno")
    .all(hurtTable(database, hurt.name));
  database.run("CREATE TABLE later (x)");
  const wal = readFileSync(`${path}-wal`);
  database.close();
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(8_192, 0xff), 0, 8_192, ((pages[Math.floor(pages.length / 2)]?.pageno ?? 0) - 1) * 8_192);
  await Bun.write(`${path}-wal`, wal);

  const { lines, log } = noting();
  const bus = await open(second.path, { log });
  expect(lines[0]).toMatchObject({ event: "bus.unclean-stop", fields: { damaged: true, partitionsCut: [`${hurt.name}/0`] } });
  expect(readdirSync(second.path).some((name) => name.startsWith("log.sqlite.damaged-"))).toBe(true);
  await bus.ensure([whole, hurt]);
  expect(textsOf(await readAll(bus, whole.name))).toEqual(numbered(100));
  expect(await bus.committed(whole.name, "group")).toEqual({ 0: 60 });
  const rest = await readAll(bus, hurt.name);
  expect(rest.length).toBeGreaterThan(80);
  expect(rest.length).toBeLessThan(100);
  expect([rest[0]?.offset, rest.at(-1)?.offset]).toEqual([0, 99]);
  expect((await appendTexts(bus, hurt, "1", ["later"]))[0]?.offset).toBe(100);
  await bus.close();
});

const hurtTable = (database: Database, topic: string): string => {
  const row = database.query<{ number: number }, [string]>("SELECT number FROM topics WHERE name = ?").get(topic);
  return `records_${row?.number}_0`;
};

test("a file that is not a log at all is set aside, and the log starts empty", async () => {
  await using directory = await tempDir();
  await Bun.write(join(directory.path, "log.sqlite"), "nothing of ours ".repeat(1_000));
  const { lines, log } = noting();
  const bus = await open(directory.path, { log });
  expect(lines[0]).toMatchObject({ event: "bus.unclean-stop", fields: { damaged: true, recordsKept: 0 } });
  const topic = toyTopic();
  await bus.ensure([topic]);
  await appendTexts(bus, topic, "1", ["a"]);
  await bus.close();
});

test("a log that is full lets go of what is processed, then refuses appends until its readers have caught up", async () => {
  await using directory = await tempDir();
  const maxBytes = 4 * 1_048_576;
  const { log, events } = noting();
  const bus = await open(directory.path, { maxBytes, log });
  const topic = toyTopic({ partitions: 1, maxBytes: 65_536, group: "group" });
  await bus.ensure([topic]);
  const append = () => bus.append([toy(topic, "1", "x".repeat(60_000), unique())]);
  const fill = async () => {
    for (let count = 0; count < 100; count++) await append();
  };
  expect(await fill().catch((thrown) => thrown)).toMatchObject({ code: "unavailable", message: expect.stringContaining("full") });
  expect(bus.health()).toMatchObject({ status: "away", detail: expect.stringContaining("full") });
  expect((await bus.states(topic.name))[0]?.oldest).toBe(0);

  const { events: heard, records } = member();
  const consumer = await bus.consume(topic.name, "group", heard);
  const [state] = await bus.states(topic.name);
  await within(20_000, "all records", () => records.length === state?.next);
  await consumer.commit(0, records.length);
  await within(20_000, "space", () => append().catch(() => null));
  expect(bus.health().status).toBe("up");
  expect((await bus.states(topic.name))[0]?.oldest).toBeGreaterThan(0);
  expect(events().filter((event) => /bus\.(away|back)/.test(event))).toEqual(["bus.away", "bus.back"]);
  await consumer.stop();
  await bus.close();
  expect(statSync(join(directory.path, "log.sqlite")).size).toBeLessThan(1.5 * maxBytes);
});

test("a disk with too little left stops appends, and reading goes on", async () => {
  await using directory = await tempDir();
  const topic = toyTopic({ partitions: 1 });
  const roomy = await open(directory.path);
  await roomy.ensure([topic]);
  await appendTexts(roomy, topic, "1", ["a"]);
  await roomy.close();

  const bus = await open(directory.path, { minFreeBytes: Number.MAX_SAFE_INTEGER });
  await bus.ensure([topic]);
  expect(await thrownBy(appendTexts(bus, topic, "1", ["b"]))).toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("disk is nearly full"),
  });
  expect(bus.health().detail).toContain("disk is nearly full");
  expect(textsOf(await bus.read(topic.name, 0, 0, 9))).toEqual(["a"]);
  await bus.close();
});

test("raising the partitions of a topic keeps its records and its ids, lowering them changes nothing", async () => {
  await using directory = await tempDir();
  const topic = toyTopic({ partitions: 2 });
  const bus = await open(directory.path);
  await bus.ensure([topic]);
  const records = numbered(20).map((text) => toy(topic, text, text, text));
  const first = await bus.append(records);
  await bus.ensure([{ ...topic, partitions: 8 }]);
  expect((await bus.append(records)).map(({ duplicate, ...place }) => place)).toEqual(
    first.map(({ duplicate, ...place }) => place),
  );
  await bus.append(numbered(50, 20).map((text) => toy(topic, text, text, text)));
  await bus.ensure([{ ...topic, partitions: 1 }]);
  expect((await bus.states(topic.name)).length).toBe(8);
  expect((await readAll(bus, topic.name)).length).toBe(70);
  await bus.close();
});

test("closing twice is closing once, and leaves nothing to recover", async () => {
  await using directory = await tempDir();
  const bus = await open(directory.path);
  await Promise.all([bus.close(), bus.close()]);
  expect(readdirSync(directory.path).toSorted()).toEqual(["lock", "log.sqlite"]);
});
