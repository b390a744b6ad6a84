import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "../../../runtime/clock.ts";
import { StartRefused } from "../../../runtime/errors.ts";
import { silentLog } from "../../../runtime/log.ts";
import { openSqliteStore } from "../../../runtime/store-sqlite.ts";
import { storeContract } from "../../support/store-contract.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { thrownBy } from "../../support/thrown.ts";
import { within } from "../../support/wait.ts";

storeContract("sqlite", async () => {
  const directory = await tempDir();
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const open = () => openSqliteStore({ directory: directory.path, clock, log: silentLog });
  let store = await open();
  return {
    store,
    async reopen() {
      await store.close();
      store = await open();
      return store;
    },
    age(ms) {
      aheadMs += ms;
    },
    async dispose() {
      await store.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}, ["away"]);

test("a write that fails says so, and the next one that works mends it", async () => {
  await using directory = await tempDir();
  const store = await openSqliteStore({ directory: directory.path, clock: systemClock, log: silentLog });
  const fact = { key: "a:1", bytes: new Uint8Array(3), ttlMs: 60_000 };
  const blocker = new Database(join(directory.path, "store.sqlite"));
  blocker.run("BEGIN IMMEDIATE");
  expect(await thrownBy(store.put([fact]))).toMatchObject({ code: "unavailable" });
  expect(store.health().status).toBe("away");
  blocker.close();
  await store.put([fact]);
  expect(store.health().status).toBe("up");
  await store.close();
});

test("what has expired leaves the file", async () => {
  await using directory = await tempDir();
  const store = await openSqliteStore({ directory: directory.path, clock: systemClock, log: silentLog });
  const facts = Array.from({ length: 1_200 }, (_, index) => ({ key: `a:${index}`, bytes: new Uint8Array(10), ttlMs: 1 }));
  await store.put([...facts, { key: "b", bytes: new Uint8Array(10), ttlMs: 60_000 }]);
  const reader = new Database(join(directory.path, "store.sqlite"), { readonly: true });
  const count = () => reader.query<{ facts: number }, []>("SELECT count(*) AS facts FROM facts").get()?.facts;
  await within(20_000, "an empty file", () => count() === 1);
  reader.close();
  await store.close();
});

test("a directory has one store at a time", async () => {
  await using directory = await tempDir();
  const store = await openSqliteStore({ directory: directory.path, clock: systemClock, log: silentLog });
  const second = await openSqliteStore({ directory: directory.path, clock: systemClock, log: silentLog }).catch(
    (thrown) => thrown,
  );
  expect(second).toBeInstanceOf(StartRefused);
  expect(second).toMatchObject({ status: 78 });
  await store.close();
});

test("a damaged file is set aside, and the store starts empty", async () => {
  await using directory = await tempDir();
  await Bun.write(join(directory.path, "store.sqlite"), "nothing of ours ".repeat(1_000));
  const warnings: unknown[] = [];
  const log = { ...silentLog, warn: (event: string, fields: object = {}) => void warnings.push({ event, ...fields }) };
  const store = await openSqliteStore({ directory: directory.path, clock: systemClock, log });
  expect(warnings).toEqual([expect.objectContaining({ event: "store.failed", setAside: expect.stringContaining("damaged-") })]);
  await store.put([{ key: "a", bytes: new Uint8Array(1), ttlMs: 1_000 }]);
  await store.close();
});
