import { expect, test } from "bun:test";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { numbered, textsOf, toy, toyTopic, unique } from "../../support/bus-contract/toys.ts";
import { busContract } from "../../support/bus-contract.ts";
import { thrownBy } from "../../support/thrown.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

busContract("memory", async () => {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const broker = createMemoryBroker({ clock, defer: setImmediate });
  let bus = broker.open();
  const first = bus;
  return {
    bus: first,
    async reopen() {
      bus.crash();
      bus = broker.open();
      return bus;
    },
    away: broker.away,
    back: broker.back,
    age(ms) {
      aheadMs += ms;
    },
    dispose: () => bus.close(),
  };
});

const held = () => {
  const steps: (() => void)[] = [];
  const run = async () => {
    for (let step = steps.shift(); step; step = steps.shift()) {
      step();
      for (let round = 0; round < 8; round++) await Promise.resolve();
    }
  };
  return { steps, run, defer: (step: () => void) => void steps.push(step) };
};

test("nothing happens but by the handed-in scheduler, and appends keep their order whatever its order", async () => {
  const { steps, defer, run } = held();
  const bus = createMemoryBroker({ clock: virtualClock(), defer }).open();
  const topic = toyTopic({ partitions: 1 });
  await bus.ensure([topic]);
  const acknowledged: string[] = [];
  for (const text of ["a", "b", "c"]) void bus.append([toy(topic, "1", text)]).then(() => acknowledged.push(text));
  await Promise.resolve();
  expect(acknowledged).toEqual([]);
  steps.reverse();
  await run();
  expect(acknowledged).toEqual(["a", "b", "c"]);
  const reading = bus.read(topic.name, 0, 0, 9);
  await run();
  expect(textsOf(await reading)).toEqual(["a", "b", "c"]);
});

test("a crash loses what was not stored, and what was stored may be unacknowledged", async () => {
  const { steps, defer, run } = held();
  const broker = createMemoryBroker({ clock: virtualClock(), defer });
  const topic = toyTopic({ partitions: 1 });
  const bus = broker.open();
  await bus.ensure([topic]);
  let settled = 0;
  for (const text of ["stored", "lost"])
    void bus.append([toy(topic, "1", text)]).then(
      () => settled++,
      () => settled++,
    );
  steps.shift()?.();
  bus.crash();
  await run();
  expect(settled).toBe(0);
  const reading = broker.open().read(topic.name, 0, 0, 9);
  await run();
  expect(textsOf(await reading)).toEqual(["stored"]);
});

test("an append stored just before the broker went away is refused all the same", async () => {
  const { steps, defer, run } = held();
  const broker = createMemoryBroker({ clock: virtualClock(), defer });
  const topic = toyTopic({ partitions: 1 });
  const bus = broker.open();
  await bus.ensure([topic]);
  const outcome = bus.append([toy(topic, "1", "a")]).catch((thrown) => thrown.code);
  steps.shift()?.();
  broker.away();
  await run();
  expect(await outcome).toBe("unavailable");
  broker.back();
  const reading = bus.read(topic.name, 0, 0, 9);
  await run();
  expect(textsOf(await reading)).toEqual(["a"]);
});

test("near its limit what is committed goes first; then appends are refused and health says so", async () => {
  const clock = systemClock;
  const bus = createMemoryBroker({ clock, defer: setImmediate, maxBytes: 10_000 }).open();
  const topic = toyTopic({ partitions: 1 });
  await bus.ensure([topic]);
  const thousand = "x".repeat(1_000);
  for (const text of numbered(20)) await bus.append([toy(topic, "1", thousand, text)]);
  const oldest = (await bus.states(topic.name))[0]?.oldest ?? 0;
  expect(oldest).toBeGreaterThan(9);

  const consumer = await bus.consume(topic.name, "group", { assigned() {}, revoked() {}, record() {} });
  const fill = async () => {
    for (let count = 0; count < 20; count++) await bus.append([toy(topic, "1", thousand, unique())]);
  };
  expect(await thrownBy(fill())).toMatchObject({ code: "unavailable", message: expect.stringContaining("full") });
  await fill().catch(() => {});
  expect(bus.health()).toMatchObject({ status: "away", detail: expect.stringContaining("full") });
  expect((await bus.states(topic.name))[0]?.oldest).toBe(oldest);
  await consumer.stop();
});
