/** The spool on the disk: what it acknowledged is there after a crash, and what it lets go of. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import type { LetGo, SpooledRecord } from "../../../runtime/spool.ts";
import { openSpool, type SpoolOptions } from "../../../runtime/spool-sqlite.ts";
import { writtenLane } from "../../support/spool-writer.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { root } from "../../support/vedette.ts";
import { within } from "../../support/wait.ts";

let directory: Awaited<ReturnType<typeof tempDir>>;
let count = 0;
beforeAll(async () => {
  directory = await tempDir();
});
afterAll(() => directory[Symbol.asyncDispose]());

const options = (overrides: Partial<SpoolOptions> = {}): SpoolOptions => ({
  directory: join(directory.path, `spool-${count++}`),
  maxBytes: 2 ** 30,
  minFreeBytes: 0,
  letGo() {},
  clock: systemClock,
  log: silentLog,
  ...overrides,
});
const record = (id: string, overrides: Partial<SpooledRecord> = {}): SpooledRecord => ({
  ...{ topic: "toys", key: "1", id, type: "toy", trace: "", bytes: new TextEncoder().encode(id) },
  ...{ lane: "toys/0", isMinor: false },
  ...overrides,
});
const idsOf = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);

test("records come back as they were given, oldest first, until they are removed; lanes are apart", async () => {
  const spool = await openSpool(options());
  const buffer = new TextEncoder().encode("before-this-after");
  const appending = spool.append([record("a", { bytes: buffer.subarray(7, 11) }), record("b", { bytes: new Uint8Array() })]);
  buffer.fill(0);
  await appending;
  await spool.append([record("c", { lane: "toys/1" }), record("d")]);
  const rows = await spool.read("toys/0", 2, 1_000);
  expect(rows).toMatchObject([{ topic: "toys", key: "1", id: "a", type: "toy", trace: "" }, { id: "b" }]);
  expect(rows.map(({ bytes }) => new TextDecoder().decode(bytes))).toEqual(["this", ""]);
  expect(spool.size().records).toBe(4);
  await spool.remove("toys/0", rows.at(-1)?.seq ?? 0);
  expect(idsOf(await spool.read("toys/0", 9, 1_000))).toEqual(["d"]);
  expect(idsOf(await spool.read("toys/1", 9, 1_000))).toEqual(["c"]);
  expect(await spool.read("toys/2", 9, 1_000)).toEqual([]);
  expect(spool.size().records).toBe(2);
  await spool.close();
});

test("a read stays below its bytes, and brings one record at least", async () => {
  const spool = await openSpool(options());
  await spool.append([1, 2, 3].map((number) => record(`${number}`, { bytes: new Uint8Array(400) })));
  expect(idsOf(await spool.read("toys/0", 9, 900))).toEqual(["1", "2"]);
  expect(idsOf(await spool.read("toys/0", 9, 10))).toEqual(["1"]);
  await spool.close();
});

test("full, it lets go of minor records first, then of the oldest, and never of those on their way to the bus", async () => {
  const letGo: LetGo[] = [];
  const spool = await openSpool(options({ maxBytes: 3_000_000, letGo: (what) => void letGo.push(what) }));
  const large = (id: string, overrides: Partial<SpooledRecord> = {}) =>
    record(id, { bytes: new Uint8Array(100_000), ...overrides });
  await spool.append([large("sending")]);
  expect(idsOf(await spool.read("toys/0", 9, 1))).toEqual(["sending"]);
  for (let number = 0; number < 10; number++) {
    await spool.append([large(`minor-${number}`, { lane: "toys/1", isMinor: true })]);
    await spool.append([large(`kept-${number}`)]);
  }
  expect(letGo).toEqual([]);
  for (let number = 10; number < 25; number++) await spool.append([large(`kept-${number}`)]);
  const minor = letGo.filter(({ isMinor }) => isMinor).reduce((sum, each) => sum + each.count, 0);
  expect(minor).toBeGreaterThan(3);
  expect(letGo.every(({ isMinor, type }) => isMinor && type === "toy")).toBe(true);
  for (let number = 25; number < 60; number++) await spool.append([large(`kept-${number}`)]);
  const others = letGo.filter(({ isMinor }) => !isMinor).reduce((sum, each) => sum + each.count, 0);
  expect(letGo.filter(({ isMinor }) => isMinor).reduce((sum, each) => sum + each.count, 0)).toBe(10);
  expect(await spool.read("toys/1", 9, 1_000)).toEqual([]);
  const left = idsOf(await spool.read("toys/0", 1_000, 1e9));
  expect(left).toEqual(["sending", ...Array.from({ length: 60 - others }, (_, index) => `kept-${others + index}`)]);
  expect(spool.size().records).toBe(left.length);
  await spool.close();
});

test("on a disk that is nearly full it grows no more", async () => {
  const letGo: LetGo[] = [];
  const spool = await openSpool(options({ minFreeBytes: 2 ** 60, letGo: (what) => void letGo.push(what) }));
  for (let number = 0; number < 20; number++) await spool.append([record(`${number}`, { bytes: new Uint8Array(50_000) })]);
  expect(letGo.reduce((sum, { count: each }) => sum + each, 0)).toBeGreaterThan(15);
  await spool.close();
});

test("emptied, it gives the disk its room back", async () => {
  const with_ = options();
  const spool = await openSpool(with_);
  for (let number = 0; number < 50; number++) await spool.append([record(`${number}`, { bytes: new Uint8Array(1_000_000) })]);
  const rows = await spool.read("toys/0", 1_000, 1e9);
  await spool.remove("toys/0", rows.at(-1)?.seq ?? 0);
  await spool.close();
  expect(statSync(join(with_.directory, "spool.sqlite")).size).toBeLessThan(1_000_000);
});

test("one process at a time has it", async () => {
  const with_ = options();
  const spool = await openSpool(with_);
  expect(openSpool(with_)).rejects.toMatchObject({ status: 78 });
  await spool.close();
});

test("what was acknowledged is there after kill -9, in its order", async () => {
  const with_ = options();
  const writer = Bun.spawn([process.execPath, join(root, "test/support/spool-writer.ts"), with_.directory], {
    stdout: "pipe",
    stderr: "inherit",
  });
  let text = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of writer.stdout) text += decoder.decode(chunk);
  })();
  await within(20_000, "acknowledged records", () => text.split("\n").length > 200);
  writer.kill("SIGKILL");
  await Promise.all([writer.exited, reading]);
  const acknowledged = text.trim().split("\n");
  const spool = await openSpool(with_);
  expect(spool.lanes).toEqual([writtenLane]);
  const ids = idsOf(await spool.read(writtenLane, 1_000_000, 1e9));
  expect(ids.slice(0, acknowledged.length)).toEqual(acknowledged);
  expect(ids).toEqual(ids.map((_, index) => String(index)));
  await spool.close();
}, 60_000);

test("of a damaged file what can be read is kept, and it is set aside", async () => {
  const with_ = options();
  const spool = await openSpool(with_);
  for (let number = 0; number < 300; number++) await spool.append([record(`${number}`, { bytes: new Uint8Array(2_000) })]);
  await spool.close();
  const path = join(with_.directory, "spool.sqlite");
  truncateSync(path, Math.floor(statSync(path).size * 0.6));
  const events: string[] = [];
  const again = await openSpool({ ...with_, log: { ...silentLog, warn: (event) => void events.push(event) } });
  expect(events).toEqual(["bus.unclean-stop"]);
  expect(again.size().records).toBeGreaterThan(100);
  expect(again.size().records).toBeLessThan(300);
  expect(readdirSync(with_.directory).some((name) => name.startsWith("spool.sqlite.damaged-"))).toBe(true);
  await again.append([record("fresh")]);
  await again.close();
});
