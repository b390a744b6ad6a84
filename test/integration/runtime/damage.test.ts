/** What a disk does to the files after a clean stop: a start never ends because of it, says what it found, and keeps what can be read. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BusRecord } from "../../../runtime/bus.ts";
import { openSqliteBus } from "../../../runtime/bus-sqlite.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { type Log, type LogFields, silentLog } from "../../../runtime/log.ts";
import { randomInt, seededRandom } from "../../../runtime/random.ts";
import { openSqliteStore } from "../../../runtime/store-sqlite.ts";
import { toyTopic } from "../../support/bus-contract/toys.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { thrownBy } from "../../support/thrown.ts";
import { within } from "../../support/wait.ts";

const pageBytes = 8_192;

/** Bytes from where to where, of a file of so many, are noise; or the length it is cut to. */
type Damage = {
  readonly what: string;
  readonly noise?: (bytes: number) => readonly [from: number, to: number];
  readonly length?: (bytes: number) => number;
  /** The least share of what was stored that is still there. */
  readonly kept: number;
  /** Of the log, where it is more: it finds its topics by their names' index, too. */
  readonly keptOfLog?: number;
};
const pages = (first: number, count: number) => (): readonly [number, number] => [
  (first - 1) * pageBytes,
  (first - 1 + count) * pageBytes,
];
const middle =
  (count: number) =>
  (bytes: number): readonly [number, number] => {
    const first = Math.floor(bytes / pageBytes / 2) * pageBytes;
    return [first, first + count * pageBytes];
  };

const damages: readonly Damage[] = [
  { what: "page 2", noise: pages(2, 1), kept: 0, keptOfLog: 1 },
  { what: "page 3", noise: pages(3, 1), kept: 0.9 },
  { what: "page 4", noise: pages(4, 1), kept: 0.9 },
  { what: "page 5", noise: pages(5, 1), kept: 0.9 },
  { what: "page 6", noise: pages(6, 1), kept: 0.9 },
  { what: "half of page 3 and of page 4", noise: () => [2.5 * pageBytes, 3.5 * pageBytes], kept: 0.9 },
  { what: "a page in the middle", noise: middle(1), kept: 0.9 },
  { what: "6 pages in the middle", noise: middle(6), kept: 0.8 },
  { what: "12 pages in the middle", noise: middle(12), kept: 0.5 },
  { what: "the header", noise: () => [0, 100], kept: 0.9 },
  { what: "the first page", noise: pages(1, 1), kept: 0 },
  { what: "the last third, which is cut off", length: (bytes) => Math.floor(bytes / 1.5), kept: 0.5 },
  { what: "all but 1,000 bytes, which is cut off", length: () => 1_000, kept: 0 },
  { what: "all, which is cut off", length: () => 0, kept: 0 },
];

const spoil = async (path: string, { noise, length }: Damage, seed = 1): Promise<void> => {
  const random = seededRandom(seed);
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    if (noise !== undefined) {
      const [from, to] = noise(size);
      await file.write(
        Uint8Array.from({ length: to - from }, () => randomInt(random, 256)),
        0,
        to - from,
        from,
      );
    }
    if (length !== undefined) await file.truncate(length(size));
  } finally {
    await file.close();
  }
};

const listening = () => {
  const said: { readonly event: string; readonly fields: LogFields }[] = [];
  const note = (event: string, fields: LogFields = {}) => void said.push({ event, fields });
  const log: Log = { ...silentLog, info: note, warn: note, error: note, with: () => log };
  return { said, log };
};

const setAside = async (directory: string, file: string) =>
  (await readdir(directory)).filter((name) => name.startsWith(`${basename(file)}.damaged-`));

const facts = 800;
const filledStore = async (directory: string) => {
  const store = await openSqliteStore({ directory, clock: systemClock, log: silentLog });
  for (let batch = 0; batch < facts / 20; batch++) {
    await store.put(
      Array.from({ length: 20 }, (_, index) => ({
        key: `fact:${batch}-${index}`,
        bytes: new Uint8Array(400).fill(7),
        ttlMs: 600_000,
      })),
    );
  }
  await store.close();
  return join(directory, "store.sqlite");
};

const readAllFacts = async (store: Awaited<ReturnType<typeof openSqliteStore>>) =>
  (await store.list("fact:", 1_000)).filter(({ bytes }) => bytes.length === 400);

test.each(damages)("a store starts whatever is damaged: $what", async (damage) => {
  await using directory = await tempDir();
  const path = await filledStore(directory.path);
  await spoil(path, damage);

  const { said, log } = listening();
  const store = await openSqliteStore({ directory: directory.path, clock: systemClock, log });
  expect(said.find(({ event }) => event === "store.failed")?.fields).toMatchObject({
    reason: expect.stringContaining("damaged: "),
    setAside: expect.stringContaining("store.sqlite.damaged-"),
  });
  expect(await setAside(directory.path, path)).not.toEqual([]);
  expect((await readAllFacts(store)).length).toBeGreaterThanOrEqual(damage.kept * facts);
  await store.put([{ key: "new", bytes: new Uint8Array([1]), ttlMs: 60_000 }]);
  expect(store.health().status).toBe("up");
  await store.close();

  const again = listening();
  const after = await openSqliteStore({ directory: directory.path, clock: systemClock, log: again.log });
  expect(again.said.map(({ event }) => event)).toEqual(["store.ready"]);
  expect(await after.get("new")).toEqual(new Uint8Array([1]));
  await after.close();
});

const topic = toyTopic({ name: "spoilt", partitions: 2, maxBytes: 4_096, group: "group" });
const records = 800;
const record = (id: string) => ({ topic: topic.name, key: id, id, type: "toy", trace: "", bytes: new Uint8Array(2_000).fill(7) });
const openBus = (directory: string, log: Log) =>
  openSqliteBus({ directory, clock: systemClock, log, maxBytes: 2 ** 40, minFreeBytes: 0 });
const filledLog = async (directory: string, count = records) => {
  const bus = await openBus(directory, silentLog);
  await bus.ensure([topic]);
  for (let batch = 0; batch < count / 40; batch++)
    await bus.append(Array.from({ length: 40 }, (_, index) => record(`${batch}-${index}`)));
  await bus.close();
  return join(directory, "log.sqlite");
};

const readAllRecords = async (bus: Awaited<ReturnType<typeof openBus>>): Promise<readonly BusRecord[]> => {
  const all: BusRecord[] = [];
  for (const { partition, next } of await bus.states(topic.name)) {
    for (let offset = 0; offset < next; ) {
      const read = await bus.read(topic.name, partition, offset, 1_000);
      all.push(...read);
      offset = (read.at(-1)?.offset ?? next) + 1;
    }
  }
  return all;
};

test.each(damages)("a log starts whatever is damaged: $what", async (damage) => {
  await using directory = await tempDir();
  const path = await filledLog(directory.path);
  await spoil(path, damage);

  const { said, log } = listening();
  const bus = await openBus(directory.path, log);
  expect(said[0]).toMatchObject({
    event: "bus.unclean-stop",
    fields: { damaged: true, reason: expect.any(String), setAside: expect.stringContaining("log.sqlite.damaged-") },
  });
  expect(await setAside(directory.path, path)).not.toEqual([]);
  await bus.ensure([topic]);
  expect((await readAllRecords(bus)).length).toBeGreaterThanOrEqual((damage.keptOfLog ?? damage.kept) * records);
  await bus.append([record("new")]);
  expect(bus.health().status).toBe("up");
  await bus.close();

  const again = listening();
  const after = await openBus(directory.path, again.log);
  await after.ensure([topic]);
  expect(again.said.map(({ event }) => event)).toEqual(["bus.ready"]);
  expect((await after.append([record("new")]))[0]?.duplicate).toBe(true);
  await after.close();
});

test("damage met at work stops appends and says why, and the next start mends it", async () => {
  await using directory = await tempDir();
  // Larger than what is checked at each start.
  const path = await filledLog(directory.path, 36_000);
  await spoil(path, { what: "", noise: middle(4), kept: 0 });

  const bus = await openBus(directory.path, silentLog);
  await bus.ensure([topic]);
  expect(bus.health().status).toBe("up");
  expect(await thrownBy(readAllRecords(bus))).toMatchObject({ code: "unavailable" });
  expect(bus.health()).toMatchObject({ status: "away", detail: expect.stringContaining(`${path} is damaged`) });
  expect(await thrownBy(bus.append([record("refused")]))).toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("restart vedette"),
  });
  await bus.close();
  expect(existsSync(`${path}.suspect`)).toBe(true);

  const { said, log } = listening();
  const mended = await openBus(directory.path, log);
  expect(said[0]).toMatchObject({ event: "bus.unclean-stop", fields: { damaged: true } });
  await mended.ensure([topic]);
  expect((await readAllRecords(mended)).length).toBeGreaterThan(35_000);
  await mended.append([record("taken")]);
  await mended.close();
}, 60_000);

test("of a large file what a start needs is looked at", async () => {
  await using directory = await tempDir();
  const path = await filledLog(directory.path, 36_000);
  await spoil(path, { what: "", noise: pages(2, 5), kept: 0 });
  const { said, log } = listening();
  const bus = await openBus(directory.path, log);
  expect(said[0]).toMatchObject({ event: "bus.unclean-stop", fields: { damaged: true } });
  await bus.ensure([topic]);
  await bus.append([record("taken")]);
  expect(bus.health().status).toBe("up");
  await bus.close();
}, 60_000);

test("a store damaged while it is open refuses writes and says why, and the next start mends it", async () => {
  await using directory = await tempDir();
  const path = await filledStore(directory.path);
  const store = await openSqliteStore({ directory: directory.path, clock: systemClock, log: silentLog });
  await spoil(path, { what: "", noise: (bytes) => [pageBytes, bytes], kept: 0 });
  await within(20_000, "the damage to be met", async () => {
    await store.list("fact:", 1_000).catch(() => null);
    return store.health().status === "away";
  });
  expect(await thrownBy(store.put([{ key: "a", bytes: new Uint8Array(1), ttlMs: 1_000 }]))).toMatchObject({
    code: "unavailable",
    message: expect.stringContaining(`${path} is damaged`),
  });
  await store.close().catch(() => null);

  const { said, log } = listening();
  const mended = await openSqliteStore({ directory: directory.path, clock: systemClock, log });
  expect(said[0]).toMatchObject({ event: "store.failed" });
  await mended.put([{ key: "a", bytes: new Uint8Array(1), ttlMs: 1_000 }]);
  await mended.close();
});
