import { expect, test } from "bun:test";
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

/** A process whose bus assigns what the test says, as a group that rebalances eagerly does. */
const setUp = async (reachable = true) => {
  const clock = virtualClock();
  const behind = createMemoryBroker({ clock, defer: (run) => queueMicrotask(run) }).open();
  await behind.ensure([topics.cameras]);
  let events: ConsumerEvents | null = null;
  let isAway = !reachable;
  let isLeft = false;
  const stop = async () => {
    isLeft = true;
  };
  const calls: string[] = [];
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
    { start: ({ id }) => void calls.push(`start ${id}`), stop: (id) => void calls.push(`stop ${id}`) },
    ownership.owns,
    clock,
  );
  for (const id of cameras)
    placement.start({ id, name: "c", url: "sim://junction", fps: 2, loop: false, enabled: true }, 0, "as placed");
  await ownership.start();
  return {
    clock,
    ownership,
    placement,
    calls,
    assign: (given: readonly number[]) => given.forEach((partition) => void events?.assigned(partition, 0)),
    revoke: (taken: readonly number[]) => taken.forEach((partition) => void events?.revoked(partition)),
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

test("the cameras of the assigned partitions run, and no others", async () => {
  const it = await setUp();
  expect(it.running()).toEqual([]);
  it.assign(evens);
  await it.clock.advance(1_000);
  expect(it.running()).toEqual(inThese(evens));
  expect(it.calls).toHaveLength(inThese(evens).length);
});

test("a rebalance that takes everything and gives half of it back ends only what really left", async () => {
  const it = await setUp();
  it.assign(evens);
  await it.clock.advance(1_000);
  it.calls.length = 0;
  it.revoke(evens);
  await it.clock.advance(8_000);
  expect(it.calls).toEqual([]);
  it.assign(quarter);
  await it.clock.advance(1_000);
  expect(it.running()).toEqual(inThese(quarter));
  expect(it.calls.every((call) => call.startsWith("stop"))).toBe(true);
});

test("one too many for the partitions lets its cameras go when no assignment comes", async () => {
  const it = await setUp();
  it.assign(evens);
  await it.clock.advance(1_000);
  it.revoke(evens);
  await it.clock.advance(17_000);
  expect(it.running()).toEqual([]);
});

test("without a broker it keeps what it had, for however long, and its assignment afterwards decides", async () => {
  const it = await setUp();
  it.assign(evens);
  await it.clock.advance(1_000);
  it.away(true);
  it.revoke(evens);
  await it.clock.advance(600_000);
  expect(it.running()).toEqual(inThese(evens));
  it.away(false);
  it.assign(quarter);
  await it.clock.advance(1_000);
  expect(it.running()).toEqual(inThese(quarter));
});

test("a process that never met the broker watches every camera until it does", async () => {
  const it = await setUp(false);
  expect(it.running()).toEqual(cameras);
  it.away(false);
  await it.clock.advance(5_000);
  it.assign(evens);
  await it.clock.advance(1_000);
  expect(it.running()).toEqual(inThese(evens));
});

test("a session camera runs where it was begun, whoever owns its partition", async () => {
  const it = await setUp();
  const settings = { id: 99, name: "s", url: "sim://junction", fps: 2, loop: false, enabled: true };
  it.placement.start(settings, 5, "here");
  expect(it.placement.isHere(99)).toBe(true);
  it.assign(quarter.filter((partition) => partition !== placeOf(99)));
  await it.clock.advance(1_000);
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
    () => owns,
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
  expect(epochs).toEqual([1_700_000_000, 1_700_000_001]);
  owns = false;
  placement.review();
  placement.stop(1);
  expect(stops).toEqual([1]);
});

test("leaving tells the group and nobody here", async () => {
  const it = await setUp();
  it.assign(evens);
  await it.clock.advance(1_000);
  it.calls.length = 0;
  await it.ownership.stop();
  it.revoke(evens);
  await it.clock.advance(60_000);
  expect([it.left(), it.calls]).toEqual([true, []]);
  expect(it.clock.timers()).toBe(0);
});
