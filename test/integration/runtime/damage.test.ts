/** Pages that a disk has spoilt after a clean stop: a start never ends because of them, and says what it found. */
import { expect, test } from "bun:test";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { topics } from "../../../protocols/topics.ts";
import { openSqliteBus } from "../../../runtime/bus-sqlite.ts";
import { systemClock } from "../../../runtime/clock.ts";
import type { Log } from "../../../runtime/log.ts";
import { silentLog } from "../../../runtime/log.ts";
import { randomInt, seededRandom } from "../../../runtime/random.ts";
import { openSqliteStore } from "../../../runtime/store-sqlite.ts";
import { tempDir } from "../../support/temp-dir.ts";

const spoil = async (path: string, seed: number): Promise<void> => {
  const random = seededRandom(seed);
  const { size } = await stat(path);
  const file = await open(path, "r+");
  try {
    const pages = 1 + randomInt(random, 4);
    for (let page = 0; page < pages; page++) {
      const noise = Uint8Array.from({ length: 4_096 }, () => randomInt(random, 256));
      await file.write(noise, 0, noise.length, Math.floor(randomInt(random, size) / 4_096) * 4_096);
    }
    if (seed % 5 === 0) await file.truncate(Math.floor(size * 0.6));
  } finally {
    await file.close();
  }
};

const listening = () => {
  const said: string[] = [];
  const note = (event: string) => void said.push(event);
  const log: Log = { ...silentLog, info: note, warn: note, error: note, with: () => log };
  return { said, log };
};

const seeds = Array.from({ length: 12 }, (_, index) => index + 1);

test.each(seeds)("a store with spoilt pages starts, and takes facts again (seed %d)", async (seed) => {
  await using directory = await tempDir();
  const ports = { directory: directory.path, clock: systemClock };
  const store = await openSqliteStore({ ...ports, log: silentLog });
  for (let batch = 0; batch < 20; batch++) {
    await store.put(
      Array.from({ length: 20 }, (_, index) => ({ key: `fact:${batch}-${index}`, bytes: new Uint8Array(400), ttlMs: 60_000 })),
    );
  }
  await store.close();
  await spoil(join(directory.path, "store.sqlite"), seed);

  const { said, log } = listening();
  const again = await openSqliteStore({ ...ports, log });
  await again.put([{ key: "fact:new", bytes: new Uint8Array([1]), ttlMs: 60_000 }]);
  expect(await again.get("fact:new")).toEqual(new Uint8Array([1]));
  expect((await again.list("fact:", 1_000)).length).toBeGreaterThan(0);
  await again.close();
  expect(said).toContain("store.ready");
});

test.each(seeds)("a log with spoilt pages starts, and what can be read goes on (seed %d)", async (seed) => {
  await using directory = await tempDir();
  const ports = { directory: directory.path, clock: systemClock, maxBytes: 2 ** 40, minFreeBytes: 0 };
  const bus = await openSqliteBus({ ...ports, log: silentLog });
  await bus.ensure(Object.values(topics));
  const record = (id: string, key: string) => ({
    topic: topics.detections.name,
    key,
    id,
    type: "detection.result",
    trace: "",
    bytes: new Uint8Array(2_000),
  });
  for (let batch = 0; batch < 20; batch++)
    await bus.append(Array.from({ length: 20 }, (_, index) => record(`${batch}-${index}`, String(index))));
  await bus.close();
  await spoil(join(directory.path, "log.sqlite"), seed);

  const { said, log } = listening();
  const again = await openSqliteBus({ ...ports, log });
  await again.ensure(Object.values(topics));
  const [appended] = await again.append([record("new", "1")]);
  expect(appended).toBeDefined();
  const states = await again.states(topics.detections.name);
  for (const { partition, oldest, next } of states) {
    if (next > oldest) expect((await again.read(topics.detections.name, partition, oldest, 1_000)).length).toBeGreaterThan(0);
  }
  await again.close();
  expect(said.length).toBeGreaterThan(0);
});
