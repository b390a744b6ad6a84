import { expect, test } from "bun:test";
import type { Bus } from "../../../runtime/bus.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { type SpoolPorts, spooled } from "../../../runtime/bus-spool.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { Fault } from "../../../runtime/errors.ts";
import { silentLog } from "../../../runtime/log.ts";
import { numbered, textsOf, toy, toyTopic } from "../../support/bus-contract/toys.ts";
import { busContract } from "../../support/bus-contract.ts";
import { createMemorySpool } from "../../support/memory-spool.ts";
import { thrownBy } from "../../support/thrown.ts";
import { settlePromises, virtualClock } from "../../support/virtual-clock.ts";

const soon = (step: () => void): void => queueMicrotask(step);
const quiet: Omit<SpoolPorts, "store" | "clock"> = {
  isSpooled: () => true,
  isMinor: () => false,
  log: silentLog,
  dropped() {},
  measured() {},
};

busContract("spooled, over memory", async () => {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const broker = createMemoryBroker({ clock, defer: setImmediate });
  const spool = createMemorySpool(setImmediate);
  const open = () => {
    const behind = broker.open();
    const store = spool.open();
    const bus = spooled(behind, { ...quiet, store, clock: systemClock });
    return { bus, crash: () => [behind.crash(), store.crash()] };
  };
  let last = open();
  return {
    bus: last.bus,
    async reopen() {
      last.crash();
      last = open();
      return last.bus;
    },
    age(ms) {
      aheadMs += ms;
    },
    dispose: () => last.bus.close(),
  };
}, ["away"]); // it takes records then, which is what the tests below are about

const build = (wrap: (bus: Bus) => Bus = (bus) => bus, ports: Partial<SpoolPorts> = {}) => {
  const clock = virtualClock();
  const broker = createMemoryBroker({ clock, defer: soon });
  const spool = createMemorySpool(soon);
  const topic = toyTopic({ partitions: 1, maxBytes: 64 });
  const other = toyTopic({ partitions: 1 });
  const dropped: string[] = [];
  const events: string[] = [];
  const warnings: string[] = [];
  const bus = spooled(wrap(broker.open()), {
    ...quiet,
    store: spool.open(),
    isSpooled: (name) => name === topic.name,
    clock,
    log: {
      ...silentLog,
      info: (event) => void events.push(event),
      warn: (event, fields) => void warnings.push(`${event} ${fields?.reason}`),
    },
    dropped: (type, reason) => void dropped.push(`${type} ${reason}`),
    ...ports,
  });
  const texts = async (of = topic) => textsOf(await bus.read(of.name, 0, 0, 1_000));
  const append = (text: string, of = topic) => bus.append([toy(of, "1", text)]);
  const ready = () => bus.ensure([topic, other]);
  return { clock, broker, spool, topic, other, dropped, events, warnings, bus, texts, append, ready };
};

test("while the bus is away records are acknowledged, and follow in order when it is back", async () => {
  const { clock, broker, spool, bus, events, texts, append, ready } = build();
  await ready();
  await append("before");
  broker.away();
  for (const text of numbered(600)) expect(await append(text)).toMatchObject([{ partition: 0, offset: -1, duplicate: false }]);
  expect(bus.health()).toMatchObject({ status: "away", detail: expect.stringContaining("600 records") });
  await clock.advance(120_000);
  expect(spool.waiting()).toHaveLength(600);
  broker.back();
  await clock.advance(2_000);
  expect(await texts()).toEqual(["before", ...numbered(600)]);
  expect(bus.health()).toEqual({ status: "up", detail: "in memory" });
  expect(events).toEqual(["bus.spool-empty"]);
  expect(await append("after")).toMatchObject([{ offset: 601 }]);
  expect(clock.timers()).toBe(0);
});

test("records that follow from another topic's are refused while the bus is away", async () => {
  const { broker, spool, topic, other, bus, append, ready } = build();
  await ready();
  broker.away();
  expect(await thrownBy(append("x", other))).toMatchObject({ code: "unavailable" });
  expect(await thrownBy(bus.append([toy(topic, "1", "a"), toy(other, "1", "b")]))).toMatchObject({ code: "unavailable" });
  expect(spool.waiting().map(({ topic: name }) => name)).toEqual([topic.name]);
});

test("a record that comes while others wait goes behind them, also when the bus is back", async () => {
  const { clock, broker, texts, append, ready } = build();
  await ready();
  broker.away();
  await append("first");
  broker.back();
  const second = append("second");
  expect(await second).toMatchObject([{ offset: -1 }]);
  await clock.advance(2_000);
  expect(await texts()).toEqual(["first", "second"]);
});

test("what waits from before a restart goes first, once the topics are known", async () => {
  const { clock, spool, topic, append, broker, ready } = build();
  await ready();
  broker.away();
  await append("old");
  broker.back();
  const bus = spooled(broker.open(), { ...quiet, store: spool.open(), clock });
  await clock.advance(5_000);
  await bus.ensure([topic]);
  const fresh = bus.append([toy(topic, "1", "new")]);
  await clock.advance(5_000);
  await fresh;
  expect(textsOf(await bus.read(topic.name, 0, 0, 9))).toEqual(["old", "new"]);
});

test("a record that is not acknowledged in time waits in the spool", async () => {
  const held = Promise.withResolvers<never>();
  let isMute = true;
  const { clock, texts, append, ready } = build((bus) => ({
    ...bus,
    append: (records) => (isMute ? held.promise : bus.append(records)),
  }));
  await ready();
  const appended = append("late");
  isMute = false;
  await clock.advance(4_999);
  expect(await texts()).toEqual([]);
  await clock.advance(2_000);
  expect(await appended).toMatchObject([{ offset: -1 }]);
  expect(await texts()).toEqual(["late"]);
});

test("one that the bus will never take is let go, counted, and holds up no other", async () => {
  const { clock, broker, dropped, bus, topic, texts, append, ready } = build();
  await ready();
  broker.away();
  await append("a");
  await bus.append([toy(topic, "1", "x".repeat(65))]);
  await append("b");
  broker.back();
  await clock.advance(3_000);
  expect(await texts()).toEqual(["a", "b"]);
  expect(dropped).toEqual(["toy too_large"]);
});

test("with the bus away and the disk full records are refused, and nothing is thought to wait", async () => {
  const { clock, broker, spool, texts, append, ready } = build();
  await ready();
  broker.away();
  spool.full(true);
  expect(await thrownBy(append("a"))).toMatchObject({ code: "unavailable" });
  spool.full(false);
  broker.back();
  await clock.advance(2_000);
  expect(await append("b")).toMatchObject([{ offset: 0 }]);
  expect(await texts()).toEqual(["b"]);
});

test("a batch is on its way at a time, and no more is read for it", async () => {
  let flying = 0;
  let most = 0;
  const { clock, broker, texts, append, ready } = build((bus) => ({
    ...bus,
    async append(records) {
      most = Math.max(most, ++flying);
      try {
        expect(records.length).toBeLessThanOrEqual(256);
        return await bus.append(records);
      } finally {
        flying--;
      }
    },
  }));
  await ready();
  broker.away();
  for (const text of numbered(1_000)) await append(text);
  broker.back();
  await clock.advance(5_000);
  expect(await texts()).toEqual(numbered(1_000));
  expect(most).toBe(1);
});

test("closed, it takes nothing more, and leaves what waits", async () => {
  const { clock, broker, spool, bus, append, ready } = build();
  await ready();
  broker.away();
  await append("a");
  await bus.close();
  expect(await thrownBy(append("b"))).toMatchObject({ code: "unavailable" });
  expect(bus.health().status).toBe("away");
  await clock.advance(60_000);
  await settlePromises();
  expect(spool.waiting()).toHaveLength(1);
  expect(clock.timers()).toBe(0);
});

test("what waits is kept while the bus refuses it for a reason that may be mended, and that is said once", async () => {
  let isForbidden = false;
  const { clock, broker, spool, bus, texts, append, warnings, ready } = build((behind) => ({
    ...behind,
    append: (records) => (isForbidden ? Promise.reject(new Fault("forbidden", "no right")) : behind.append(records)),
  }));
  await ready();
  broker.away();
  await append("a");
  await append("b");
  isForbidden = true;
  broker.back();
  await clock.advance(60_000);
  expect(spool.waiting()).toHaveLength(2);
  expect(warnings).toEqual(["bus.append-failed no right"]);
  isForbidden = false;
  await clock.advance(2_000);
  expect(await texts()).toEqual(["a", "b"]);
  await bus.close();
});

test("a bus that refuses the record for another reason than being away is heard", async () => {
  const { append, ready } = build((bus) => ({ ...bus, append: () => Promise.reject(new Fault("forbidden", "no")) }));
  await ready();
  expect(await thrownBy(append("a"))).toMatchObject({ code: "forbidden" });
});
