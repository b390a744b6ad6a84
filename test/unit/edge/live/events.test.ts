import { describe, expect, test } from "bun:test";
import { formatCursor, parseCursor } from "../../../../edge/live/cursor.ts";
import { createLiveEvents, type LiveEvent, replayMax } from "../../../../edge/live/events.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { createMetrics } from "../../../../runtime/metrics.ts";
import { type ArrayBus, aRiskUpdate, arrayBus, asOutgoing } from "../../../support/edge.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

/** Records of a partition that are at hand from the start. */
const preloaded = 32;

const setUp = async (bus: ArrayBus = arrayBus()) => {
  const clock = virtualClock();
  const metrics = createMetrics();
  const heard: LiveEvent[] = [];
  const events = createLiveEvents({ bus, clock, metrics, log: silentLog, publish: (event) => void heard.push(event) });
  await events.start();
  await settlePromises();
  return { bus, clock, metrics, events, heard };
};
const put = async (bus: ArrayBus, cameraId: number, count: number) => {
  const updates = Array.from({ length: count }, () => aRiskUpdate(cameraId));
  await bus.append(updates.map(asOutgoing));
  await settlePromises();
  return updates.map(({ id }) => id);
};
const idsOf = (events: readonly LiveEvent[]): string[] => events.map(({ id }) => id);
const at = (cursor: string) => parseCursor(cursor) ?? {};

describe("following", () => {
  test("each record is told once, with the cursor behind it", async () => {
    const { bus, events, heard } = await setUp();
    const ids = await put(bus, 3, 2);
    expect(idsOf(heard)).toEqual(ids);
    const { type, data } = JSON.parse(heard[1]?.wire.json() ?? "");
    expect([type, data.id, data.cursor]).toEqual(["risk_update", ids[1], "3.2"]);
    expect(events.cursor()).toBe("3.2");
  });

  test("a record that comes twice is told once", async () => {
    const { bus, heard } = await setUp();
    const update = aRiskUpdate(1);
    await bus.append([
      { ...asOutgoing(update), id: "first" },
      { ...asOutgoing(update), id: "copy" },
    ]);
    await settlePromises();
    expect(heard).toHaveLength(1);
  });

  test("a record that cannot be read is counted and passed over", async () => {
    const { bus, heard, metrics, events } = await setUp();
    await bus.append([{ ...asOutgoing(aRiskUpdate(1)), bytes: new Uint8Array([0xc1]) }]);
    const ids = await put(bus, 1, 1);
    expect([idsOf(heard), events.cursor()]).toEqual([ids, "1.2"]);
    expect((await metrics.dropped.get()).values[0]?.labels).toMatchObject({ type: "event", reason: "notMessagePack" });
  });

  test("what was there before the start is at hand, but not measured", async () => {
    const bus = arrayBus();
    const ids = await put(bus, 1, 3);
    const { events, metrics } = await setUp(bus);
    expect(idsOf((await events.replay({})).events)).toEqual(ids);
    const count = async () =>
      (await metrics.captureToVerdict.get()).values.find(({ metricName }) => metricName?.endsWith("_count"))?.value ?? 0;
    expect(await count()).toBe(0);
    await put(bus, 1, 1);
    expect(await count()).toBe(1);
  });

  test("without the bus it goes on trying", async () => {
    const bus = arrayBus();
    bus.away = true;
    const { events, clock, heard } = await setUp(bus);
    expect(events.trouble()).toBe("the bus is away");
    bus.away = false;
    await clock.advance(1_000);
    await put(bus, 1, 1);
    expect([events.trouble(), heard.length]).toEqual([null, 1]);
  });
});

describe("resuming", () => {
  test("brings what came after the cursor, and nothing twice", async () => {
    const { bus, events } = await setUp();
    await put(bus, 1, 2);
    const cursor = events.cursor();
    const later = [...(await put(bus, 1, 1)), ...(await put(bus, 2, 1))];
    expect(idsOf((await events.replay(at(cursor))).events)).toEqual(later);
    expect((await events.replay(at(events.cursor()))).events).toEqual([]);
  });

  test("from before the start reads the bus, and joins it with what is at hand", async () => {
    const bus = arrayBus();
    const old = await put(bus, 1, 100);
    const { events } = await setUp(bus);
    const fresh = await put(bus, 1, 2);
    const { events: replayed, missed } = await events.replay({ 1: 10 });
    expect([idsOf(replayed), missed]).toEqual([[...old.slice(10), ...fresh], 0]);
    const cursors = replayed.map(({ wire }) => JSON.parse(wire.json()).data.cursor);
    expect(cursors).toEqual(replayed.map((_, index) => formatCursor({ 1: 11 + index })));
  });

  test("before the topic is followed it waits, and lacks nothing of what was written meanwhile", async () => {
    const bus = arrayBus();
    const old = await put(bus, 1, 100);
    bus.away = true;
    const { events, clock } = await setUp(bus);
    const replay = Promise.resolve(events.replay({ 1: 10 }));
    bus.away = false;
    await clock.advance(1_000);
    const { events: replayed, missed, cursor } = await replay;
    await settlePromises();
    const rest = (await events.replay(at(cursor))).events;
    expect([new Set([...idsOf(replayed), ...idsOf(rest)]), missed]).toEqual([new Set(old.slice(10)), 0]);
  });

  test("a cursor of records that retention took says so by -1", async () => {
    const bus = arrayBus();
    const ids = await put(bus, 1, 100);
    const { events } = await setUp(bus);
    bus.prune("incidents", 1, 20);
    const { events: replayed, missed } = await events.replay({ 1: 10 });
    expect([idsOf(replayed), missed]).toEqual([ids.slice(20), -1]);
  });

  test("more than a replay may hold brings the newest, and says how many are missing", async () => {
    const { bus, events } = await setUp();
    const ids = await put(bus, 1, replayMax + 30);
    const { events: replayed, missed } = await events.replay({});
    expect([idsOf(replayed), missed]).toEqual([ids.slice(30), 30]);
  });

  test("page after page, every event is brought once, from any cursor", async () => {
    const bus = arrayBus();
    const early = [await put(bus, 1, 700), await put(bus, 2, 700)] as const;
    const { events } = await setUp(bus);
    const late = await put(bus, 1, 900);
    const [one, two] = [[...early[0], ...late], early[1]];
    for (const [first, second] of [
      [1, 1],
      [680, 1],
      [700, 699],
      [1_599, 700],
      [1_600, 700],
      [100, 700],
    ] as const) {
      const brought: string[] = [];
      let from = { 1: first, 2: second } as ReturnType<typeof at>;
      for (let pages = 0, more = true; more && pages < 20; pages++) {
        const page = await events.replay(from);
        expect([page.missed, page.events.length <= replayMax]).toEqual([0, true]);
        brought.push(...idsOf(page.events));
        from = at(page.cursor);
        more = page.more;
      }
      expect(brought.toSorted()).toEqual([...one.slice(first), ...two.slice(second)].toSorted());
    }
  });

  test("a client that lacks thousands of one partition gets the newest of them, and is told how many it does not get", async () => {
    const bus = arrayBus();
    const ids = await put(bus, 1, 2_500);
    const { events } = await setUp(bus);
    const { events: replayed, missed, more } = await events.replay({ 1: 10 });
    const newest = ids.length - preloaded - 2_000;
    expect([missed, more, replayed[0]?.id]).toEqual([newest - 10, true, ids[newest]]);
  });

  test("an event that leaves the ring while the bus is read is brought all the same", async () => {
    const bus = arrayBus();
    const ids = await put(bus, 1, 100);
    const { events } = await setUp(bus);
    ids.push(...(await put(bus, 1, 1_900)));
    const pending = events.replay({ 1: 1_600, 2: 0, 3: 0 }); // at hand
    const older = events.replay({ 1: 60 }); // needs the bus
    await put(bus, 1, 600); // pushes a quarter out
    expect((await pending).events).toHaveLength(400);
    const { events: first, cursor, missed } = await older;
    const { events: second } = await events.replay(at(cursor));
    const brought = [...idsOf(first), ...idsOf(second)];
    expect([brought, missed]).toEqual([ids.slice(60, 60 + brought.length), 0]);
    expect(brought.length).toBeGreaterThan(replayMax);
  });

  test("what is kept at hand is bounded; older events come from the bus", async () => {
    const { bus, events } = await setUp();
    const ids = await put(bus, 1, 2_600);
    const { events: replayed, missed } = await events.replay({ 1: 2_200 });
    expect([idsOf(replayed), missed]).toEqual([ids.slice(2_200), 0]);
    const older = await events.replay({ 1: 100 });
    expect([idsOf(older.events), older.missed, older.more]).toEqual([ids.slice(100, 100 + replayMax), 0, true]);
  });
});
