import { expect, test } from "bun:test";
import fc from "fast-check";
import { createOwnership, eyesGroup } from "../../../../edge/cameras/ownership.ts";
import { createPlacement } from "../../../../edge/cameras/placement.ts";
import { topics } from "../../../../protocols/topics.ts";
import type { Bus, ConsumerEvents } from "../../../../runtime/bus.ts";
import { createMemoryBroker } from "../../../../runtime/bus-memory.ts";
import { Fault } from "../../../../runtime/errors.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { partitionOf } from "../../../../runtime/partition.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const partitions = Array.from({ length: topics.cameras.partitions }, (_, index) => index);
const cameras = Array.from({ length: 40 }, (_, id) => id);
const placeOf = (id: number) => partitionOf(String(id), partitions.length);

/** A process whose bus tells what the test says, as a group that shares out anew by taking everything first. */
const setUp = async (reachable = true) => {
  const clock = virtualClock();
  const behind = createMemoryBroker({ clock, defer: (run) => queueMicrotask(run) }).open();
  await behind.ensure([topics.cameras]);
  let events: ConsumerEvents | null = null;
  let isAway = !reachable;
  let isLeft = false;
  let assigned: readonly number[] = [];
  const stop = async () => {
    isLeft = true;
  };
  const calls: string[] = [];
  const epochs = new Map<number, number>();
  const bus: Bus = {
    ...behind,
    async consume(_topic, group, given) {
      expect(group).toBe(eyesGroup);
      if (isAway) throw new Fault("unavailable", "away");
      events = given;
      return { pause() {}, resume() {}, commit: async () => {}, stop };
    },
    health: () => ({ status: isAway ? "away" : "up", detail: "" }),
  };
  const ownership = createOwnership({ bus, clock, log: silentLog, changed: () => placement.review() });
  const placement = createPlacement(
    {
      start({ id }, epoch) {
        calls.push(`start ${id}`);
        epochs.set(id, epoch);
      },
      stop: (id) => void calls.push(`stop ${id}`),
    },
    ownership.termOf,
    clock,
  );
  for (const id of cameras)
    placement.start({ id, name: "c", url: "sim://junction", fps: 2, loop: false, enabled: true }, 0, "as placed");
  await ownership.start();
  const revoke = (taken: readonly number[]) => {
    for (const partition of taken) void events?.revoked(partition);
    assigned = assigned.filter((partition) => !taken.includes(partition));
  };
  const assign = (given: readonly number[]) => {
    for (const partition of given) void events?.assigned(partition, 0);
    assigned = [...assigned, ...given];
  };
  const tell = (broken: readonly number[]) => events?.assignment?.(assigned, broken);
  return {
    clock,
    ownership,
    placement,
    calls,
    epochs,
    revoke,
    assign,
    tell,
    /** A whole generation: everything is taken, and then this is given. */
    share(given: readonly number[], broken: readonly number[] = given) {
      revoke(assigned);
      assign(given);
      tell(broken);
    },
    away(away: boolean) {
      isAway = away;
    },
    running: () => cameras.filter((id) => placement.isHere(id)),
    left: () => isLeft,
  };
};

const evens = partitions.filter((partition) => partition % 2 === 0);
const quarter = partitions.filter((partition) => partition % 4 === 0);
const inThese = (own: readonly number[]) => cameras.filter((id) => own.includes(placeOf(id)));
const hoursMs = 10 * 3_600_000;

test("the cameras of the assigned partitions run, and no others", async () => {
  const it = await setUp();
  expect(it.running()).toEqual([]);
  it.share(evens);
  expect(it.running()).toEqual(inThese(evens));
  expect(it.calls).toHaveLength(inThese(evens).length);
});

test("a rebalance that takes everything and gives half of it back ends only what really left", async () => {
  const it = await setUp();
  it.share(evens);
  it.calls.length = 0;
  it.revoke(evens);
  await it.clock.advance(hoursMs);
  expect(it.calls).toEqual([]);
  it.assign(quarter);
  it.tell([]);
  expect(it.running()).toEqual(inThese(quarter));
  expect(it.calls.every((call) => call.startsWith("stop"))).toBe(true);
});

test("taken in part, and given back in pieces slower than any timer: nothing changes before the whole is told", async () => {
  const it = await setUp();
  it.share(evens);
  it.calls.length = 0;
  it.revoke(quarter);
  await it.clock.advance(60_000);
  for (const partition of quarter) {
    it.assign([partition]);
    await it.clock.advance(60_000);
  }
  it.tell([]);
  expect(it.calls).toEqual([]);
  expect(it.running()).toEqual(inThese(evens));
});

test("of two generations in quick succession the last decides, and what stayed in both is not begun anew", async () => {
  const it = await setUp();
  it.share(evens);
  it.calls.length = 0;
  it.share(quarter, []);
  const gone = inThese(evens).filter((id) => !quarter.includes(placeOf(id)));
  it.share(
    evens,
    evens.filter((partition) => !quarter.includes(partition)),
  );
  expect(it.running()).toEqual(inThese(evens));
  expect(it.calls.toSorted()).toEqual(gone.flatMap((id) => [`start ${id}`, `stop ${id}`]).toSorted());
});

test("one too many for the partitions lets its cameras go as soon as it is told so", async () => {
  const it = await setUp();
  it.share(evens);
  it.share([]);
  expect(it.running()).toEqual([]);
});

test("what another may have watched in between is begun anew, under a higher epoch", async () => {
  const it = await setUp();
  it.share(evens);
  const before = new Map(it.epochs);
  it.calls.length = 0;
  it.share(evens, quarter);
  expect(it.calls).toEqual(inThese(quarter).map((id) => `start ${id}`));
  for (const id of inThese(evens)) expect(Number(it.epochs.get(id)) > Number(before.get(id))).toBe(quarter.includes(placeOf(id)));
});

test("without a broker it keeps what it had, for however long, and its assignment afterwards decides", async () => {
  const it = await setUp();
  it.share(evens);
  it.calls.length = 0;
  it.away(true);
  it.revoke(evens);
  await it.clock.advance(hoursMs);
  expect(it.running()).toEqual(inThese(evens));
  it.away(false);
  it.assign(evens);
  it.tell([]);
  expect(it.calls).toEqual([]);
  it.share(quarter, []);
  expect(it.running()).toEqual(inThese(quarter));
});

test("a process that never met the broker watches every camera until it does", async () => {
  const it = await setUp(false);
  expect(it.running()).toEqual(cameras);
  it.away(false);
  await it.clock.advance(5_000);
  expect(it.running()).toEqual(cameras);
  it.calls.length = 0;
  it.share(evens);
  expect(it.running()).toEqual(inThese(evens));
  // Another that was alone, too, has watched the same cameras: what is kept must stand above it.
  expect(it.calls.filter((call) => call.startsWith("start"))).toHaveLength(inThese(evens).length);
});

test("one that was alone and is given everything goes on with all of it", async () => {
  const it = await setUp(false);
  it.away(false);
  await it.clock.advance(5_000);
  it.calls.length = 0;
  it.share(partitions);
  expect(it.running()).toEqual(cameras);
  expect(it.calls).toEqual([]);
});

test("whatever the group does, what runs is what was told last, and starts are counted by what was another's", async () => {
  type Step = { readonly given: readonly number[]; readonly broken: readonly number[] } | { readonly taken: readonly number[] };
  const some = fc.subarray(partitions.slice(0, 8));
  const step = fc.oneof(fc.record({ given: some, broken: some }), fc.record({ taken: some })) satisfies fc.Arbitrary<Step>;
  const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
    const it = await setUp();
    let told: readonly number[] = [];
    const starts = new Map<number, number>();
    for (const each of steps) {
      if ("taken" in each) {
        it.revoke(each.taken);
        continue;
      }
      const broken = each.given.filter((partition) => each.broken.includes(partition) || !told.includes(partition));
      told = each.given;
      it.share(each.given, broken);
      for (const id of inThese(broken)) starts.set(id, (starts.get(id) ?? 0) + 1);
    }
    expect(it.running()).toEqual(inThese(told));
    for (const id of cameras) expect(it.calls.filter((call) => call === `start ${id}`)).toHaveLength(starts.get(id) ?? 0);
  });
  await fc.assert(property, { numRuns: 100 });
});

test("a session camera runs where it was begun, whoever owns its partition", async () => {
  const it = await setUp();
  const settings = { id: 99, name: "s", url: "sim://junction", fps: 2, loop: false, enabled: true };
  it.placement.start(settings, 5, "here");
  expect(it.placement.isHere(99)).toBe(true);
  it.share(quarter.filter((partition) => partition !== placeOf(99)));
  expect(it.placement.isHere(99)).toBe(true);
  it.placement.stop(99);
  expect(it.placement.isHere(99)).toBe(false);
});

test("a camera changed or removed elsewhere is told to the fleet only where it runs, under a higher epoch each time", async () => {
  const clock = virtualClock();
  const epochs: number[] = [];
  const stops: number[] = [];
  let owns = false;
  const placement = createPlacement(
    { start: (_settings, epoch) => void epochs.push(epoch), stop: (id) => void stops.push(id) },
    () => (owns ? 1 : null),
    clock,
  );
  const settings = { id: 1, name: "c", url: "sim://junction", fps: 2, loop: false, enabled: true };
  placement.start(settings, 3, "as placed");
  placement.stop(1);
  expect([epochs, stops]).toEqual([[], []]);
  placement.start(settings, 4, "as placed");
  owns = true;
  placement.review();
  placement.start(settings, 5, "as placed");
  placement.review();
  expect(epochs).toEqual([1_700_000_000_000, 1_700_000_000_001]);
  owns = false;
  placement.review();
  placement.stop(1);
  expect(stops).toEqual([1]);
});

test("many cameras begun at one time leave room for the owner that takes one of them over a moment later", async () => {
  const clock = virtualClock();
  const begun = () => {
    const epochs: number[] = [];
    const placement = createPlacement({ start: (_settings, epoch) => void epochs.push(epoch), stop() {} }, () => 1, clock);
    return { epochs, start: (id: number) => placement.start({ id, ...settings }, 0, "as placed") };
  };
  const settings = { name: "c", url: "sim://junction", fps: 2, loop: false, enabled: true };
  const [first, second] = [begun(), begun()];
  for (const id of cameras) first.start(id);
  await clock.advance(1);
  second.start(cameras.at(-1) ?? 0);
  expect(Math.max(...first.epochs)).toBeLessThan(Number(second.epochs[0]));
});

test("leaving tells the group and nobody here", async () => {
  const it = await setUp();
  it.share(evens);
  it.calls.length = 0;
  await it.ownership.stop();
  it.revoke(evens);
  it.tell([]);
  await it.clock.advance(60_000);
  expect([it.left(), it.calls]).toEqual([true, []]);
  expect(it.clock.timers()).toBe(0);
});
