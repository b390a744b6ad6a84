/** A stage that takes a topic while the bus is away. */
import { expect, test } from "bun:test";
import { actor } from "../../../../runtime/actor.ts";
import type { Bus } from "../../../../runtime/bus.ts";
import { createMemoryBroker } from "../../../../runtime/bus-memory.ts";
import { stage, stageTaking } from "../../../../runtime/tree.ts";
import { toy, toyTopic } from "../../../support/bus-contract/toys.ts";
import { aSystem } from "../../../support/system.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

type Toy = { readonly type: "toy"; readonly text: string };
type Say = { readonly type: "say" };

const build = async (isAway: boolean) => {
  const clock = virtualClock();
  const broker = createMemoryBroker({ clock, defer: (run) => void clock.after(0, run) });
  const bus = broker.open();
  const topic = { ...toyTopic({ partitions: 1 }), group: "readers" };
  await bus.ensure([topic]);
  let loads = 0;
  const seen: string[] = [];
  const reader = actor<undefined, null, Toy>({
    name: "reader",
    mailbox: { capacity: 8, overflow: "pause-source" },
    async load(_args, { recent }) {
      loads++;
      await recent(topic, 0);
    },
    start: () => null,
    on: {
      toy(state) {
        seen.push("toy");
        return state;
      },
    },
  });
  const other = actor<undefined, null, Say>({
    name: "other",
    mailbox: { capacity: 8, overflow: "drop-oldest" },
    start: () => null,
    on: { say: (state) => state },
  });
  if (isAway) broker.away();
  const building = aSystem([stageTaking(topic, reader, { args: undefined }), stage(other, { args: undefined })], {
    ...{ clock, bus, topics: [topic], isShared: true },
  });
  for (let round = 0; round < 20; round++) await clock.advance(0);
  const it = await building;
  const states = () => it.system.snapshot().children.map(({ name, state }) => `${name} ${state}`);
  return { it, clock, broker, bus, topic, states, seen, loads: () => loads };
};

test("it waits, which is no failure, holds up no other, and takes up its work when the bus is back", async () => {
  const { it, clock, broker, bus, topic, states, seen, loads } = await build(true);
  expect(states()).toEqual(["reader starting", "other running"]);
  expect(it.system.snapshot().children[0]?.lastError).toContain("away");
  await clock.advance(600_000);
  expect(loads()).toBe(1);
  expect(states()).toEqual(["reader starting", "other running"]);
  broker.back();
  await clock.advance(2_000);
  expect(states()).toEqual(["reader running", "other running"]);
  const appended = bus.append([
    { ...toy(topic, "1", ""), bytes: new Uint8Array([0x81, 0xa4, 0x74, 0x65, 0x78, 0x74, 0xa1, 0x61]) },
  ]);
  await clock.advance(2_000);
  await appended;
  expect(seen).toEqual(["toy"]);
  expect([it.failures, it.decisions, it.fatal]).toEqual([[], [], []]);
  await it[Symbol.asyncDispose]();
});

test("one that fails while the bus is away is restarted once, and waits", async () => {
  const { it, clock, broker, states } = await build(false);
  expect(states()).toEqual(["reader running", "other running"]);
  broker.away();
  it.system.fail("root/reader", "drill");
  await clock.advance(600_000);
  expect(states()).toEqual(["reader starting", "other running"]);
  expect(it.decisions).toEqual(["restarted root/reader 1"]);
  expect(it.fatal).toEqual([]);
  broker.back();
  await clock.advance(2_000);
  expect(states()).toEqual(["reader running", "other running"]);
  await it[Symbol.asyncDispose]();
});

test("the end does not wait for the bus", async () => {
  const { it, clock, loads } = await build(true);
  await it[Symbol.asyncDispose]();
  await clock.advance(60_000);
  expect(loads()).toBe(1);
  expect(clock.timers()).toBe(0);
});

test("one that fails and waits for the bus holds up no phase of the end", async () => {
  const { it, clock, broker } = await build(false);
  broker.away();
  it.system.fail("root/reader", "drill");
  await clock.advance(10_000);
  it.system.tell({ path: "root/reader" }, { type: "toy" });
  const stopped = it.system.stop("as asked", 60_000);
  await clock.advance(6_000);
  await stopped;
  expect(it.phases.length).toBe(5);
  await clock.advance(60_000);
  expect(clock.timers()).toBe(0);
});

test("one that joins its group while all comes to its end takes nothing, and leaves", async () => {
  const { bus: plain, topic, clock } = await build(false);
  const joining = Promise.withResolvers<void>();
  let left = 0;
  const bus: Bus = {
    ...plain,
    async consume(...asked) {
      await joining.promise;
      const consumer = await plain.consume(...asked);
      return {
        ...consumer,
        async stop() {
          left++;
          await consumer.stop();
        },
      };
    },
  };
  const heard: string[] = [];
  const reader = actor<undefined, null, Toy>({
    name: "reader",
    mailbox: { capacity: 8, overflow: "pause-source" },
    start: () => null,
    on: {
      toy(state, { text }, { pipe }) {
        heard.push(text);
        pipe(
          () => new Promise<void>(() => {}),
          () => ({ type: "toy", text: "done" }),
          () => ({ type: "toy", text: "failed" }),
        );
        return state;
      },
    },
  });
  const building = aSystem([stageTaking({ ...topic, group: "late" }, reader, { args: undefined })], {
    ...{ clock, bus, topics: [topic] },
  });
  await clock.advance(6_000);
  const it = await building;
  it.system.tell({ path: "root/reader" }, { type: "toy", text: "told" });
  await it.settle();
  const stopped = it.system.stop("as asked", 30_000);
  await clock.advance(100);
  joining.resolve();
  await clock.advance(1_000);
  const appended = bus.append([
    { ...toy(topic, "1", ""), bytes: new Uint8Array([0x81, 0xa4, 0x74, 0x65, 0x78, 0x74, 0xa1, 0x61]) },
  ]);
  await clock.advance(2_000);
  await appended;
  expect(it.phases).toEqual(["intake"]);
  await clock.advance(30_000);
  await stopped;
  expect([heard, left]).toEqual([["told"], 1]);
});
