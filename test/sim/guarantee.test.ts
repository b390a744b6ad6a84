/**
 * Guarantee 1 under faults: process crashes, actor crashes, an absent broker, a failing store, failing answers.
 * `SEED=17 bun test test/sim/guarantee.test.ts` replays one run; `bun run sim --seeds N` tries many.
 */
import { expect, test } from "bun:test";
import type { World } from "../../runtime/ports.ts";
import { seedsOf } from "../support/seeds.ts";
import { allFaults, type Faults, simulate } from "../support/sim-pipeline.ts";

const noFaults: Faults = { processCrash: 0, actorCrash: 0, brokerAway: 0, storeFailure: 0, answerFailure: 0 };

test("without faults nothing is lost, and most groups are decided", async () => {
  const { violations, groups, crashes } = await simulate(1, noFaults);
  expect(violations).toEqual([]);
  expect(groups).toBeGreaterThan(50);
  expect(crashes).toBe(0);
});

test("every group of every acknowledged record ends in one result shown or one counted reason", async () => {
  const failures: string[] = [];
  let crashes = 0;
  for (const seed of seedsOf(200)) {
    const outcome = await simulate(seed);
    crashes += outcome.crashes;
    if (outcome.violations.length > 0) failures.push(`SEED=${seed}: ${outcome.violations.slice(0, 3).join("; ")}`);
  }
  expect(failures).toEqual([]);
  expect(crashes).toBeGreaterThan(0);
}, 60_000);

test("the same seed gives the same run, another seed another", async () => {
  const [one, again, other] = [await simulate(7), await simulate(7), await simulate(8)];
  expect(again).toEqual(one);
  expect(other.hash).not.toBe(one.hash);
});

/** What the simulation must notice, or it is blind. */
const sabotages: Record<string, (world: World) => World> = {
  "the bus says that a record is durable before it is": (world) => ({
    ...world,
    bus: {
      ...world.bus,
      async append(records) {
        void world.bus.append(records).catch(() => {});
        return records.map(({ topic }) => ({ topic, partition: 0, offset: 0, duplicate: false }));
      },
    },
  }),
  "the store forgets what it was given": (world) => ({ ...world, store: { ...world.store, put: async () => {} } }),
  "offsets are committed as records are taken": (world) => ({
    ...world,
    bus: {
      ...world.bus,
      consume: async (topic, group, events) => {
        const consumer = await world.bus.consume(topic, group, {
          ...events,
          record(record) {
            events.record(record);
            void Promise.resolve()
              .then(() => consumer.commit(record.partition, record.offset + 1))
              .catch(() => {});
          },
        });
        return consumer;
      },
    },
  }),
  "ids are not recognised, so a repeated record is new": (world) => {
    let count = 0;
    return {
      ...world,
      bus: {
        ...world.bus,
        append: (records) => world.bus.append(records.map((record) => ({ ...record, id: `${record.id}~${count++}` }))),
      },
    };
  },
};

test.each(Object.entries(sabotages))(
  "it notices within 200 seeds when %s",
  async (_name, sabotage) => {
    let noticed: number | null = null;
    for (let seed = 1; seed <= 200 && noticed === null; seed++) {
      if ((await simulate(seed, allFaults, sabotage)).violations.length > 0) noticed = seed;
    }
    expect(noticed).not.toBeNull();
  },
  60_000,
);
