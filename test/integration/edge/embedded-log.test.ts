/** The registry and the events over the log that the product ships with, across a restart. */
import { afterEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCameraRegistry } from "../../../edge/cameras.ts";
import { parseCursor } from "../../../edge/live/cursor.ts";
import { createLiveEvents, type LiveEvent } from "../../../edge/live/events.ts";
import { topics } from "../../../protocols/topics.ts";
import type { Bus } from "../../../runtime/bus.ts";
import { openSqliteBus } from "../../../runtime/bus-sqlite.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { aCamera, aRiskUpdate, asOutgoing, fakeFleet } from "../../support/edge.ts";
import { within } from "../../support/wait.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const inFolder = async (): Promise<() => Promise<Bus>> => {
  const directory = await mkdtemp(join(tmpdir(), "vedette-edge-"));
  closers.push(() => rm(directory, { recursive: true, force: true }));
  return async () => {
    const bus = await openSqliteBus({ directory, clock: systemClock, log: silentLog, maxBytes: 2 ** 28, minFreeBytes: 0 });
    await bus.ensure([topics.cameras, topics.incidents]);
    return bus;
  };
};

test("cameras written over REST are there after a restart, and seeds yield to them", async () => {
  const open = await inFolder();
  const seeds = [aCamera(1), aCamera(2)];
  const registryOn = (bus: Bus) => {
    const fleet = fakeFleet();
    const ports = {
      bus,
      fleet,
      clock: systemClock,
      random: seededRandom(1),
      log: silentLog,
      checkAddress() {},
      seeds,
      limit: 10,
    };
    return { fleet, registry: createCameraRegistry(ports) };
  };
  const bus = await open();
  const first = registryOn(bus);
  await first.registry.start();
  await first.registry.patch(1, { fps: 5 });
  await first.registry.remove(2);
  const { id: _, ...third } = aCamera(0, { name: "ramp" });
  await first.registry.add(third);
  await first.registry.stop();
  await bus.close();

  const again = await open();
  closers.push(() => again.close());
  const second = registryOn(again);
  closers.push(() => second.registry.stop());
  await second.registry.start();
  expect(second.registry.list().map(({ id, name, fps }) => [id, name, fps])).toEqual([
    [1, "camera 1", 5],
    [3, "ramp", 2],
  ]);
  expect([...second.fleet.running].map(([id, { ownerEpoch }]) => [id, ownerEpoch])).toEqual([
    [1, 1],
    [3, 0],
  ]);
});

test("a viewer resumes where it stood although the server was restarted meanwhile", async () => {
  const open = await inFolder();
  const follow = async (bus: Bus) => {
    const heard: LiveEvent[] = [];
    const ports = { bus, clock: systemClock, log: silentLog, metrics: createMetrics() };
    const events = createLiveEvents({ ...ports, publish: (event) => void heard.push(event) });
    await events.start();
    return { events, heard };
  };
  const bus = await open();
  const first = await follow(bus);
  const ids = Array.from({ length: 100 }, (_, at) => aRiskUpdate(at % 3));
  await bus.append(ids.slice(0, 10).map(asOutgoing));
  await within(20_000, "the first ten", () => first.heard.length === 10);
  const cursor = first.events.cursor();
  await bus.append(ids.slice(10).map(asOutgoing));
  await first.events.stop();
  await bus.close();

  const again = await open();
  closers.push(() => again.close());
  const { events } = await follow(again);
  closers.push(() => events.stop());
  await within(20_000, "the newest to be at hand", async () => {
    const { events: replayed, missed } = await events.replay(parseCursor(cursor) ?? {});
    const told = new Set(replayed.map(({ id }) => id));
    return missed === 0 && told.size === 90 && ids.slice(10).every(({ id }) => told.has(id));
  });
});
