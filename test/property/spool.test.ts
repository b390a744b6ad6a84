/** Outages and crashes at seeded moments: nothing acknowledged is lost, and each key keeps its order. */
import { expect, test } from "bun:test";
import { createMemoryBroker, type MemoryBus } from "../../runtime/bus-memory.ts";
import { spooled } from "../../runtime/bus-spool.ts";
import type { Clock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { partitionOf } from "../../runtime/partition.ts";
import { randomInt } from "../../runtime/random.ts";
import { textOf, toy, toyTopic } from "../support/bus-contract/toys.ts";
import { createMemorySpool } from "../support/memory-spool.ts";
import { createSimulation } from "../support/simulation.ts";

const keys = ["1", "2", "3", "4"];
const recordsPerKey = 60;
const untilMs = 400_000;

/** Sends its numbers in order, one at a time, each again until it is acknowledged: as a stage's way out does. */
const sender = (key: string, send: (text: string) => Promise<unknown>, clock: Clock, numbers: () => number | null) => {
  const next = () => {
    const number = numbers();
    if (number === null) return;
    const attempt = () =>
      send(`${key}/${number}`).then(
        () => clock.after(200, next),
        () => clock.after(500, attempt),
      );
    void attempt();
  };
  next();
};

const runOf = async (seed: number) => {
  const sim = createSimulation(seed);
  const broker = createMemoryBroker({ clock: sim.clock, defer: sim.defer });
  const spool = createMemorySpool(sim.defer);
  const topic = toyTopic({ name: "toys", partitions: 3 });
  const acknowledged = new Set<string>();
  const sent = new Map<string, number>(keys.map((key) => [key, 0]));
  let crashes = 0;
  let last: { readonly kill: () => void; readonly behind: MemoryBus; readonly store: { readonly crash: () => void } } | null =
    null;

  const start = () => {
    const { clock, kill } = sim.process();
    const behind = broker.open();
    const store = spool.open();
    last = { kill, behind, store };
    const bus = spooled(behind, {
      store,
      clock,
      isSpooled: () => true,
      isMinor: () => false,
      log: silentLog,
      dropped() {},
      measured() {},
    });
    const isLast = () => last?.behind === behind;
    void bus.ensure([topic]).then(() => {
      for (const key of keys)
        sender(
          key,
          async (text) => {
            await bus.append([toy(topic, key, text, text)]);
            if (isLast()) acknowledged.add(text);
          },
          clock,
          () => {
            const number = sent.get(key) ?? 0;
            if (number === recordsPerKey || !isLast()) return null;
            sent.set(key, number + 1);
            return number;
          },
        );
    });
  };
  const crash = () => {
    crashes++;
    last?.kill();
    last?.behind.crash();
    last?.store.crash();
    start();
  };
  start();
  for (let atMs = 0; atMs < 60_000; ) {
    atMs += 1 + randomInt(sim.random, 6_000);
    sim.clock.after(atMs, randomInt(sim.random, 4) === 0 ? crash : broker.away);
    atMs += 1 + randomInt(sim.random, 8_000);
    sim.clock.after(atMs, broker.back);
  }
  await sim.run(untilMs);

  const reader = broker.open();
  const stored: string[] = [];
  for (let partition = 0; partition < topic.partitions; partition++) {
    const reading = reader.read(topic.name, partition, 0, 1_000);
    await sim.run(untilMs);
    stored.push(...(await reading).map(textOf));
  }
  return { stored, acknowledged, waiting: spool.waiting().length, crashes };
};

test.each(Array.from({ length: 40 }, (_, seed) => [seed]))("seed %i", async (seed) => {
  const { stored, acknowledged, waiting } = await runOf(seed);
  expect(waiting).toBe(0);
  expect([...acknowledged].filter((text) => !stored.includes(text))).toEqual([]);
  expect(new Set(stored).size).toBe(stored.length);
  for (const key of keys) {
    const numbers = stored.filter((text) => text.startsWith(`${key}/`)).map((text) => Number(text.split("/")[1]));
    expect(numbers).toEqual(numbers.toSorted((left, right) => left - right));
    expect(numbers.length).toBeGreaterThan(recordsPerKey / 2);
  }
});

test("the seeds include crashes, and keys that share a partition", async () => {
  const runs = await Promise.all([0, 1, 2, 3].map(runOf));
  expect(runs.some(({ crashes }) => crashes > 0)).toBe(true);
  expect(new Set(keys.map((key) => partitionOf(key, 3))).size).toBeLessThan(keys.length);
});
