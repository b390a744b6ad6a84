import { describe, expect, test } from "bun:test";
import type { CameraRegistryPorts } from "../../../edge/cameras.ts";
import { createCameraRegistry } from "../../../edge/cameras.ts";
import type { CameraSettings } from "../../../protocols/camera.ts";
import type { BusRecord } from "../../../runtime/bus.ts";
import { Fault } from "../../../runtime/errors.ts";
import { silentLog } from "../../../runtime/log.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { type ArrayBus, aCamera, arrayBus, fakeFleet } from "../../support/edge.ts";
import { settlePromises, virtualClock } from "../../support/virtual-clock.ts";

const registryOn = (bus: ArrayBus, seeds: readonly CameraSettings[] = [], more: Partial<CameraRegistryPorts> = {}) => {
  const clock = virtualClock();
  const fleet = fakeFleet();
  const gone: string[] = [];
  const registry = createCameraRegistry({
    bus,
    fleet,
    clock,
    random: seededRandom(1),
    log: silentLog,
    checkAddress: () => {},
    seeds,
    limit: 5,
    removed: (id, reason) => void gone.push(`${id} ${reason}`),
    ...more,
  });
  return { registry, fleet, clock, gone };
};

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown.code;
    throw thrown;
  }
  return "no fault";
};

describe("seeds", () => {
  test("are written once, and started", async () => {
    const bus = arrayBus();
    const { registry, fleet } = registryOn(bus, [aCamera(1), aCamera(2)]);
    await registry.start();
    expect(fleet.calls).toEqual(["start 1 sim://junction?seed=1 @0", "start 2 sim://junction?seed=2 @0"]);
    const again = registryOn(bus, [aCamera(1), aCamera(2)]);
    await again.registry.start();
    expect(bus.records("cameras")).toHaveLength(2);
    expect(again.fleet.calls).toHaveLength(2);
  });

  test("yield to a record: what was written over REST wins after a restart", async () => {
    const bus = arrayBus();
    const first = registryOn(bus, [aCamera(1)]);
    await first.registry.start();
    await first.registry.patch(1, { url: "sim://junction?seed=99", fps: 5 });
    const second = registryOn(bus, [aCamera(1)]);
    await second.registry.start();
    expect(second.fleet.running.get(1)).toEqual({
      settings: aCamera(1, { url: "sim://junction?seed=99", fps: 5 }),
      ownerEpoch: 1,
    });
  });

  test("yield to a tombstone: a removed camera stays removed after a restart", async () => {
    const bus = arrayBus();
    const first = registryOn(bus, [aCamera(1)]);
    await first.registry.start();
    await first.registry.remove(1);
    expect([first.fleet.calls.at(-1), first.gone]).toEqual(["stop 1", ["1 Removed"]]);
    const second = registryOn(bus, [aCamera(1)]);
    await second.registry.start();
    expect([second.registry.list(), second.fleet.calls]).toEqual([[], []]);
  });

  test("run although the bus is away, and are reconciled when it comes", async () => {
    const bus = arrayBus();
    const before = registryOn(bus);
    await before.registry.start();
    await before.registry.add(aCamera(1, { url: "sim://junction?seed=50" }));
    bus.away = true;
    const { registry, fleet, clock } = registryOn(bus, [aCamera(1), aCamera(2)]);
    await registry.start();
    expect([...fleet.running.keys()]).toEqual([1, 2]);
    expect(registry.trouble()).toBe("the bus is away");
    expect(await codeOf(registry.patch(2, { fps: 1 }))).toBe("unavailable");

    bus.away = false;
    await clock.advance(1_000);
    await settlePromises();
    expect(registry.trouble()).toBeNull();
    expect(fleet.calls).toEqual([
      "start 1 sim://junction?seed=1 @0",
      "start 2 sim://junction?seed=2 @0",
      "start 1 sim://junction?seed=50 @0",
    ]);
    expect(bus.records("cameras")).toHaveLength(2);
  });
});

describe("changes", () => {
  test("take the next epoch and restart the camera", async () => {
    const { registry, fleet } = registryOn(arrayBus(), [aCamera(1)]);
    await registry.start();
    expect((await registry.patch(1, { fps: 4 })).fps).toBe(4);
    expect(fleet.running.get(1)?.ownerEpoch).toBe(1);
  });

  test("are made one after the other: two at once take two epochs", async () => {
    const { registry, fleet } = registryOn(arrayBus(), [aCamera(1)]);
    await registry.start();
    await Promise.all([registry.patch(1, { fps: 4 }), registry.patch(1, { name: "gate" })]);
    expect(fleet.running.get(1)).toEqual({ settings: aCamera(1, { fps: 4, name: "gate" }), ownerEpoch: 2 });
  });

  test("of another process are followed", async () => {
    const bus = arrayBus();
    const here = registryOn(bus);
    const there = registryOn(bus);
    await here.registry.start();
    await there.registry.start();
    await here.registry.add(aCamera(3));
    await settlePromises();
    expect(there.fleet.calls).toEqual(["start 3 sim://junction?seed=3 @0"]);
    await there.registry.remove(3);
    await settlePromises();
    expect(here.fleet.calls.at(-1)).toBe("stop 3");
  });

  test("of an earlier epoch that come late are passed over", async () => {
    const bus = arrayBus();
    const { registry, fleet } = registryOn(bus, [aCamera(1)]);
    await registry.start();
    await registry.patch(1, { fps: 4 });
    const [seed] = bus.records("cameras");
    await bus.append([{ ...(seed as BusRecord), id: "again" }]); // the first record stands there
    await settlePromises();
    expect([fleet.running.get(1)?.settings.fps, fleet.running.get(1)?.ownerEpoch]).toEqual([4, 1]);
  });

  test("switching off stops the camera and keeps it listed", async () => {
    const { registry, fleet } = registryOn(arrayBus(), [aCamera(1)]);
    await registry.start();
    const view = await registry.patch(1, { enabled: false });
    expect([fleet.running.size, view.state, registry.list().length]).toEqual([0, "offline", 1]);
  });

  test("a masked address sent back is not taken for a new one", async () => {
    const url = "rtsp://admin:secret@10.0.0.4/s";
    const { registry, fleet } = registryOn(arrayBus(), [aCamera(1, { url })]);
    await registry.start();
    const shown = registry.get(1);
    expect(shown?.url).toBe("rtsp://***@10.0.0.4/s");
    await registry.patch(1, { url: shown?.url, name: "gate" });
    expect(fleet.running.get(1)?.settings.url).toBe(url);
  });

  test.each([
    ["an id that exists", (r: Registry) => r.add(aCamera(1)), "conflict"],
    ["one camera too many", (r: Registry) => r.add({ ...aCamera(7), id: undefined }), "camera_limit"],
    ["an address that is refused", (r: Registry) => r.patch(1, { url: "rtsp://forbidden/" }), "source_refused"],
    ["a change of no camera", (r: Registry) => r.patch(9, { fps: 1 }), "unknown_camera"],
    ["a removal of no camera", (r: Registry) => r.remove(9), "unknown_camera"],
    ["a session of a refused address", (r: Registry) => r.startSession(1, "rtsp://forbidden/"), "source_refused"],
    ["a session too many", (r: Registry) => r.startSession(8, "sim://x"), "camera_limit"],
  ])("%s is refused, and nothing changes", async (_what, change, code) => {
    const { registry, fleet } = registryOn(arrayBus(), [aCamera(1), aCamera(2)], {
      limit: 2,
      checkAddress(url) {
        if (url.includes("forbidden")) throw new Fault("source_refused", "not there");
      },
    });
    await registry.start();
    const before = fleet.calls.length;
    expect(await codeOf(change(registry))).toBe(code);
    expect([fleet.calls.length, registry.list().map(({ id }) => id)]).toEqual([before, [1, 2]]);
  });

  test("an added camera without an id takes the next free one", async () => {
    const { registry } = registryOn(arrayBus(), [aCamera(4)]);
    await registry.start();
    const { id: _, ...settings } = aCamera(0);
    expect((await registry.add(settings)).id).toBe(5);
  });
});

type Registry = ReturnType<typeof createCameraRegistry>;

describe("sessions", () => {
  test("are not written, and end by stop_stream", async () => {
    const bus = arrayBus();
    const { registry, fleet, gone } = registryOn(bus);
    await registry.start();
    const { outcome, view } = await registry.startSession(101, "sim://junction?seed=3");
    expect([outcome, view.persistent, bus.records("cameras").length]).toEqual(["started", false, 0]);
    registry.stopSession(101);
    expect([fleet.running.size, gone, registry.list()]).toEqual([0, ["101 Stopped by client"], []]);
  });

  test("the same address again changes nothing, another replaces the camera under a later epoch", async () => {
    const { registry, fleet } = registryOn(arrayBus());
    await registry.start();
    await registry.startSession(101, "sim://a");
    const first = fleet.running.get(101)?.ownerEpoch ?? 0;
    expect((await registry.startSession(101, "sim://a")).outcome).toBe("unchanged");
    expect(fleet.calls).toHaveLength(1);
    expect((await registry.startSession(101, "sim://b")).outcome).toBe("replaced");
    expect(fleet.running.get(101)?.settings.url).toBe("sim://b");
    expect(fleet.running.get(101)?.ownerEpoch).toBeGreaterThan(first);
  });

  test("cover a configured camera, which comes back under a later epoch", async () => {
    const { registry, fleet } = registryOn(arrayBus(), [aCamera(1)]);
    await registry.start();
    await registry.startSession(1, "sim://other");
    const session = fleet.running.get(1)?.ownerEpoch ?? 0;
    registry.stopSession(1);
    expect(fleet.running.get(1)?.settings.url).toBe("sim://junction?seed=1");
    expect(fleet.running.get(1)?.ownerEpoch).toBeGreaterThan(session);
    expect(() => registry.stopSession(1)).toThrow("camera 1 is configured");
  });

  test("end when REST writes the camera", async () => {
    const { registry, fleet } = registryOn(arrayBus(), [aCamera(1)]);
    await registry.start();
    await registry.startSession(1, "sim://other");
    const view = await registry.patch(1, { url: "sim://rest" });
    expect([view.persistent, fleet.running.get(1)?.settings.url]).toEqual([true, "sim://rest"]);
  });
});

test("a camera's state, rate and last frame are shown with it", async () => {
  const { registry, clock } = registryOn(arrayBus(), [aCamera(1)]);
  await registry.start();
  registry.noteStatus({ type: "camera_status", cameraId: 1, status: 1, message: "Online", state: "online" });
  for (let frame = 0; frame < 60; frame++) {
    await clock.advance(500);
    registry.noteFrame(1, clock.nowMs());
  }
  const view = registry.get(1);
  expect(view).toMatchObject({
    state: "online",
    message: "Online",
    lastFrameAt: clock.nowMs(),
    health: { grade: "excellent", reasons: [] },
  });
  expect(view?.measuredFps).toBeCloseTo(2, 1);
});
