import { describe, expect, test } from "bun:test";
import { sceneAt } from "../../../../actors/camera/junction/scene.ts";
import { openJunction, parseJunctionUrl } from "../../../../actors/camera/junction.ts";
import type { Source, SourceFrame } from "../../../../actors/camera/source.ts";
import type { Clock } from "../../../../runtime/clock.ts";
import { Fault } from "../../../../runtime/errors.ts";
import { createFramePool, type FramePool, framePoolLayout, type Lease } from "../../../../runtime/frame-pool.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { seededRandom } from "../../../../runtime/random.ts";
import { type VirtualClock, virtualClock } from "../../../support/virtual-clock.ts";

type Watched = {
  readonly source: Source;
  readonly clock: VirtualClock;
  readonly pool: FramePool;
  readonly frames: (SourceFrame & { readonly atMs: number })[];
  readonly leases: Lease[];
  readonly states: string[];
  readonly drops: string[];
};

type Options = { readonly slots?: number; readonly fps?: number; readonly keeps?: boolean; readonly clock?: VirtualClock };

const watch = (url: string, { slots = 2, fps = 2, keeps = false, clock = virtualClock() }: Options = {}): Watched => {
  const pool = createFramePool(framePoolLayout(slots, 416));
  const frames: Watched["frames"] = [];
  const leases: Lease[] = [];
  const states: string[] = [];
  const drops: string[] = [];
  const settings = { id: 3, name: "junction", url, fps, loop: false, enabled: true };
  const source = openJunction(
    settings,
    { frames: pool, clock, random: seededRandom(1), log: silentLog },
    {
      frame(frame, lease) {
        frames.push({ ...frame, atMs: clock.monotonicMs() });
        leases.push(lease);
        if (!keeps) pool.release(lease);
      },
      state: (state, reason) => void states.push(`${state}: ${reason}`),
      dropped: (reason) => void drops.push(reason),
    },
  );
  return { source, clock, pool, frames, leases, states, drops };
};

const fault = (url: string): Fault => {
  try {
    parseJunctionUrl(url);
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
  }
  throw new Error(`${url} was read`);
};

describe("the address", () => {
  test.each([
    ["a seed is enough", "sim://junction?seed=7", { seed: 7, act: "mixture", render: true, shared: false }],
    [
      "all parameters",
      "sim://junction?seed=0&fps=12.5&act=near-miss&render=0",
      { seed: 0, fps: 12.5, act: "near-miss", render: false, shared: false },
    ],
    [
      "a scene that is shared",
      "sim://junction?seed=4&render=0&shared=1",
      { seed: 4, act: "mixture", render: false, shared: true },
    ],
    [
      "a slash before the question mark",
      "sim://junction/?seed=1&act=none",
      { seed: 1, act: "none", render: true, shared: false },
    ],
    ["the largest seed", "SIM://Junction?seed=4294967295", { seed: 4294967295, act: "mixture", render: true, shared: false }],
  ])("%s", (_, url, expected) => {
    expect(parseJunctionUrl(url)).toEqual(expected as ReturnType<typeof parseJunctionUrl>);
  });

  test.each([
    ["no seed", "sim://junction", "seed", "seed is missing"],
    ["an empty seed", "sim://junction?seed=", "seed", 'not ""'],
    ["a negative seed", "sim://junction?seed=-1", "seed", 'not "-1"'],
    ["a seed too large", "sim://junction?seed=4294967296", "seed", "from 0 to 4294967295"],
    ["no number of frames", "sim://junction?seed=1&fps=fast", "fps", "from 0.05 to 30"],
    ["no frames at all", "sim://junction?seed=1&fps=0", "fps", 'not "0"'],
    ["too many frames", "sim://junction?seed=1&fps=31", "fps", 'not "31"'],
    [
      "an act nobody knows",
      "sim://junction?seed=1&act=racing",
      "act",
      'near-miss, wrong-way, stalled, congestion, none, not "racing"',
    ],
    ["the name of the default", "sim://junction?seed=1&act=mixture", "act", 'not "mixture"'],
    ["rendering by half", "sim://junction?seed=1&render=half", "render", "0 or 1"],
    ["a shared scene that is drawn", "sim://junction?seed=1&shared=1", "shared", "needs render=0"],
    ["a parameter nobody knows", "sim://junction?seed=1&speed=2", "speed", 'no parameter "speed"'],
    ["a parameter twice", "sim://junction?seed=1&seed=2", "seed", "given twice"],
    ["another scene", "sim://plaza?seed=1", "url", "sim://junction"],
  ])("%s is refused by name", (_, url, parameter, text) => {
    const { code, message, details } = fault(url);
    expect(code).toBe("source_refused");
    expect(details).toEqual({ parameter });
    expect(message).toContain(text);
  });
});

describe("the source", () => {
  test("says nothing before the opening call returns, then connects and comes online with the first frame", async () => {
    const { states, frames, clock, source } = watch("sim://junction?seed=7&render=0");
    expect(states).toEqual([]);
    await clock.advance(500);
    expect(states).toEqual(["connecting: opening the simulated junction", "online: simulated junction, seed 7"]);
    expect(frames.length).toBe(1);
    expect(frames[0]).toMatchObject({ mediaTimeMs: 0, segment: 0, imageWidth: 960, imageHeight: 540 });
    await source.close();
  });

  test.each([
    ["the camera's own rate", "sim://junction?seed=7&render=0", 500],
    ["the rate of the address before it", "sim://junction?seed=7&render=0&fps=8", 125],
  ])("keeps %s without drifting", async (_, url, periodMs) => {
    const { frames, clock, drops, source } = watch(url);
    await clock.advance(60_000);
    const first = frames[0]?.atMs ?? 0;
    expect(first).toBeLessThan(periodMs);
    expect(frames.length).toBe(Math.floor((60_000 - first) / periodMs) + 1);
    for (const [index, { atMs, mediaTimeMs, capturedAt }] of frames.entries()) {
      expect(mediaTimeMs).toBeCloseTo(index * periodMs, 6);
      expect(atMs - first).toBeCloseTo(mediaTimeMs, 3);
      expect(capturedAt).toBe(Math.floor(1_700_000_000_000 + atMs));
    }
    expect(drops).toEqual([]);
    await source.close();
  });

  test("tells the truth of the scene at the frame's time", async () => {
    const { frames, clock, source } = watch("sim://junction?seed=7&render=0&act=none");
    await clock.advance(20_400);
    const last = frames.at(-1);
    expect(last?.mediaTimeMs).toBeGreaterThanOrEqual(20_000);
    const { objects } = sceneAt({ seed: 7, act: "none" }, last?.mediaTimeMs ?? 0);
    expect(last?.truth?.length).toBeGreaterThan(5);
    expect(last?.truth?.length).toBeLessThanOrEqual(objects.length);
    await source.close();
  });

  test("draws into the slot and describes it, or leaves the picture as it is when told not to draw", async () => {
    for (const [render, drawn] of [
      ["1", true],
      ["0", false],
    ] as const) {
      const { leases, clock, pool, source } = watch(`sim://junction?seed=7&render=${render}`, { keeps: true });
      await clock.advance(500);
      const lease = leases[0];
      if (!lease) throw new Error("no frame came");
      const { pictureWidth, pictureHeight, inputScale } = pool.header(lease);
      expect([pictureWidth, pictureHeight]).toEqual([960, 540]);
      expect(inputScale).toBeCloseTo(416 / 960, 9);
      expect(
        pool
          .picture(lease)
          .subarray(0, 960 * 540 * 3)
          .some((value) => value !== 0),
      ).toBe(drawn);
      expect(
        pool
          .picture(lease)
          .subarray(960 * 540 * 3)
          .every((value) => value === 0),
      ).toBe(true);
      await source.close();
    }
  });

  test("counts the frames for which there is no slot, and takes the next as soon as there is one", async () => {
    const { frames, leases, drops, clock, pool, source } = watch("sim://junction?seed=7&render=0", { slots: 2, keeps: true });
    await clock.advance(3_400);
    expect(frames.length).toBe(2);
    expect(new Set(drops)).toEqual(new Set(["no_slot"]));
    for (const lease of leases) pool.release(lease);
    await clock.advance(500);
    expect(frames.length).toBe(3);
    expect(frames.at(-1)?.mediaTimeMs).toBe((frames.length - 1 + drops.length) * 500);
    await source.close();
  });

  test("skips late frames and counts them, without a burst and without losing its beat", async () => {
    const clock = virtualClock();
    const { frames, drops, source } = watch("sim://junction?seed=7&render=0", { clock: stalling(clock, 10_000, 2_300) });
    await clock.advance(20_000);
    expect(drops).toEqual(["late", "late", "late", "late"]);
    const times = frames.map(({ atMs }) => atMs);
    for (const [index, atMs] of times.slice(1).entries()) expect(atMs - (times[index] ?? 0)).toBeGreaterThanOrEqual(250);
    const first = times[0] ?? 0;
    expect((times.at(-1) ?? 0) - first).toBeCloseTo(frames.at(-1)?.mediaTimeMs ?? 0, 3);
    await source.close();
  });

  test("goes on from where it stood after a long sleep", async () => {
    const clock = virtualClock();
    const { frames, drops, source } = watch("sim://junction?seed=7&render=0", { clock: stalling(clock, 10_000, 3_600_000) });
    await clock.advance(3_620_000);
    expect(drops).toEqual(["late"]);
    const media = frames.map(({ mediaTimeMs }) => mediaTimeMs);
    for (const [index, mediaTimeMs] of media.entries()) expect(mediaTimeMs).toBe(index * 500);
    await source.close();
  });

  test("fails with a reason that names the parameter, and is then silent", async () => {
    const { states, frames, clock, source } = watch("sim://junction?seed=7&act=racing");
    await clock.advance(10_000);
    expect(states.length).toBe(2);
    expect(states[1]).toStartWith("failed: act must be one of");
    expect(frames).toEqual([]);
    expect(clock.timers()).toBe(0);
    await source.close();
  });

  test("fits its picture into a smaller slot", async () => {
    const clock = virtualClock();
    const pool = createFramePool({ slots: 1, pictureBytes: 320 * 180 * 3, inputBytes: 3 * 64 * 64, inputSize: 64 });
    const frames: SourceFrame[] = [];
    const source = openJunction(
      { id: 1, name: "small", url: "sim://junction?seed=7", fps: 2, loop: false, enabled: true },
      { frames: pool, clock, random: seededRandom(1), log: silentLog },
      {
        frame(frame, lease) {
          frames.push(frame);
          pool.release(lease);
        },
        state() {},
        dropped() {},
      },
    );
    await clock.advance(500);
    expect(frames[0]).toMatchObject({ imageWidth: 320, imageHeight: 180 });
    for (const { bbox } of frames[0]?.truth ?? []) expect(Math.max(bbox[0], bbox[2])).toBeLessThanOrEqual(320);
    await source.close();
  });

  test("comes online even when its first frame is late", async () => {
    const clock = virtualClock();
    const { states, frames, source } = watch("sim://junction?seed=7&render=0", { clock: stalling(clock, 1, 3_000) });
    await clock.advance(4_000);
    expect(states).toEqual(["connecting: opening the simulated junction", "online: simulated junction, seed 7"]);
    expect(frames[0]?.mediaTimeMs).toBeGreaterThan(0);
    await source.close();
  });

  test("sends no frame after a receiver has closed it in the middle of an event", async () => {
    const clock = virtualClock();
    const pool = createFramePool(framePoolLayout(1, 416));
    const seen: string[] = [];
    const source: Source = openJunction(
      { id: 1, name: "closing", url: "sim://junction?seed=7&render=0", fps: 2, loop: false, enabled: true },
      { frames: pool, clock, random: seededRandom(1), log: silentLog },
      {
        frame: () => void seen.push("frame"),
        state(state) {
          seen.push(state);
          if (state === "online") void source.close();
        },
        dropped: () => void seen.push("dropped"),
      },
    );
    await clock.advance(5_000);
    expect(seen).toEqual(["connecting", "online"]);
    expect(pool.stats().held).toBe(0);
  });

  test.each([0, 300, 5_000])("stops at once when closed after %d ms", async (afterMs) => {
    const { frames, states, clock, pool, source } = watch("sim://junction?seed=7&render=0");
    await clock.advance(afterMs);
    const before = [frames.length, states.length];
    await source.close();
    await source.close();
    await clock.advance(10_000);
    expect([frames.length, states.length]).toEqual(before);
    expect(clock.timers()).toBe(0);
    expect(pool.stats().held).toBe(0);
  });
});

/** The same time, but nothing that is due in the `forMs` after `fromMs` runs before their end: a busy or sleeping machine. */
function stalling(clock: VirtualClock, fromMs: number, forMs: number): VirtualClock {
  const after: Clock["after"] = (delayMs, run) => {
    const dueMs = clock.monotonicMs() + delayMs;
    return clock.after(dueMs > fromMs && dueMs < fromMs + forMs ? fromMs + forMs - clock.monotonicMs() : delayMs, run);
  };
  return { ...clock, after };
}
