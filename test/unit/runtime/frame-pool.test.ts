import { describe, expect, test } from "bun:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import {
  attachFramePool,
  createFramePool,
  type FramePoolLayout,
  framePoolLayout,
  type Lease,
} from "../../../runtime/frame-pool.ts";

const layout: FramePoolLayout = { slots: 3, pictureBytes: 4 * 4 * 3, inputBytes: 2 * 2 * 3, inputSize: 2 };

const take = (pool: ReturnType<typeof createFramePool>): Lease => {
  const lease = pool.acquire();
  if (!lease) throw new Error("no free slot");
  return lease;
};

describe("frame pool", () => {
  test("hands out each slot once and null when there is none", () => {
    const pool = createFramePool(layout);
    expect([take(pool), take(pool), take(pool)].map(({ slot }) => slot)).toEqual([0, 1, 2]);
    expect(pool.acquire()).toBeNull();
    expect(pool.stats()).toEqual({ free: 0, held: 3, quarantined: 0 });
  });

  test("a slot is free after its last holder, and comes back as another generation", () => {
    const pool = createFramePool(layout);
    const lease = take(pool);
    pool.retain(lease);
    pool.release(lease);
    expect(pool.isCurrent(lease)).toBe(true);
    pool.release(lease);
    expect(pool.isCurrent(lease)).toBe(false);
    const again = take(pool);
    expect(again.slot).toBe(lease.slot);
    expect(again.generation).not.toBe(lease.generation);
  });

  test("a lease of a former generation is ignored and opens nothing", () => {
    const pool = createFramePool(layout);
    const old = take(pool);
    pool.release(old);
    const lease = take(pool);
    pool.release(old);
    pool.retain(old);
    pool.quarantine(old);
    expect(pool.isCurrent(lease)).toBe(true);
    expect(() => pool.picture(old)).toThrow("no longer held");
    expect(() => pool.setHeader(old, { pictureWidth: 1, pictureHeight: 1, inputScale: 1 })).toThrow("no longer held");
  });

  test("a quarantined slot is not given out until it is restored, whatever its holders do", () => {
    const pool = createFramePool({ ...layout, slots: 1 });
    const lease = take(pool);
    pool.retain(lease);
    pool.quarantine(lease);
    pool.release(lease);
    pool.release(lease);
    expect(pool.isCurrent(lease)).toBe(false);
    expect(pool.acquire()).toBeNull();
    expect(pool.stats()).toEqual({ free: 0, held: 0, quarantined: 1 });
    pool.restore(lease);
    pool.restore(lease);
    expect(pool.stats().free).toBe(1);
    expect(take(pool).generation).not.toBe(lease.generation);
  });

  test("slots do not overlap, and the header survives", () => {
    const pool = createFramePool(layout);
    const leases = [take(pool), take(pool), take(pool)];
    leases.forEach((lease, at) => {
      pool.picture(lease).fill(at + 1);
      pool.input(lease).fill(at + 101);
      pool.setHeader(lease, { pictureWidth: at + 4, pictureHeight: 3, inputScale: 1 / (at + 3) });
    });
    leases.forEach((lease, at) => {
      expect(pool.picture(lease).every((byte) => byte === at + 1)).toBe(true);
      expect(pool.input(lease).every((byte) => byte === at + 101)).toBe(true);
      expect(pool.header(lease)).toEqual({ pictureWidth: at + 4, pictureHeight: 3, inputScale: 1 / (at + 3) });
    });
  });

  test("another thread sees the same pixels through its views", async () => {
    const pool = createFramePool(layout);
    const lease = take(pool);
    pool.picture(lease).set([7, 8, 9]);
    const worker = new Worker(new URL("../../support/frame-reader-worker.ts", import.meta.url), {
      workerData: { buffer: pool.buffer, layout, lease },
    });
    const answer = new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    expect(await answer).toEqual({ seen: [7, 8, 9], current: true });
    expect(pool.input(lease)[0]).toBe(42);
    await worker.terminate();
  });

  test("a buffer smaller than the layout is refused", () => {
    const pool = createFramePool(layout);
    expect(() => attachFramePool(pool.buffer, framePoolLayout(4, 416))).toThrow("its layout needs");
  });

  test("the usual layout holds 1280 × 720 and the model input", () => {
    expect(framePoolLayout(4, 416)).toEqual({ slots: 4, pictureBytes: 2_764_800, inputBytes: 519_168, inputSize: 416 });
  });

  test("agrees with a slow model over any order of calls", () => {
    const step = fc.record({
      call: fc.constantFrom("acquire", "retain", "release", "quarantine", "restore"),
      which: fc.nat({ max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = createFramePool(layout);
        const leases: Lease[] = [];
        const model: { holders: number; aside: boolean; over: boolean }[] = [];
        for (const { call, which } of steps) {
          if (call === "acquire") {
            const lease = pool.acquire();
            const used = model.filter((held) => !held.over).length;
            expect(lease === null).toBe(used === layout.slots);
            if (!lease) continue;
            expect(leases.some((other, at) => !model[at]?.over && other.slot === lease.slot)).toBe(false);
            leases.push(lease);
            model.push({ holders: 1, aside: false, over: false });
            continue;
          }
          const at = leases.length === 0 ? -1 : which % leases.length;
          const lease = leases[at];
          const held = model[at];
          if (!lease || !held) continue;
          pool[call as "retain" | "release" | "quarantine" | "restore"](lease); // "acquire" was dealt with above
          if (held.over) continue;
          if (call === "restore" && held.aside) held.over = true;
          if (held.aside) continue;
          if (call === "retain") held.holders++;
          if (call === "release" && --held.holders === 0) held.over = true;
          if (call === "quarantine") held.aside = true;
        }
        const open = model.filter((held) => !held.over);
        const aside = open.filter((held) => held.aside).length;
        expect(pool.stats()).toEqual({ free: layout.slots - open.length, held: open.length - aside, quarantined: aside });
        leases.forEach((lease, at) => {
          const held = model[at];
          expect(pool.isCurrent(lease)).toBe(held !== undefined && !held.over && !held.aside);
        });
      }),
    );
  });
});
