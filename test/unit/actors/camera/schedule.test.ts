import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createDueSchedule, createPlayback } from "../../../../actors/camera/schedule.ts";

/** How many of the frames of `sourceFps` are picked per second. */
const pickedFps = (sourceFps: number, fps: number, jitterMs: (frame: number) => number = () => 0): number => {
  const { isDue } = createDueSchedule(fps);
  const frames = Math.round(sourceFps * 600);
  let picked = 0;
  for (let frame = 0; frame < frames; frame++) if (isDue((frame * 1000) / sourceFps + jitterMs(frame))) picked++;
  return picked / 600;
};

describe("due frames", () => {
  test.each([
    [10, 2],
    [10, 5],
    [12.5, 5],
    [29.97, 2],
    [25, 10],
    [25, 24],
    [30, 0.05],
    [10, 3],
  ])("of %d frames per second, %d are picked", (sourceFps, fps) => {
    expect(Math.abs(pickedFps(sourceFps, fps) / fps - 1)).toBeLessThan(0.01 + 1 / (600 * fps));
  });

  test("all are picked of a source that is slower than wanted", () => {
    expect(pickedFps(5, 10)).toBeCloseTo(5, 1);
  });

  test("jitter of arrival does not change the rate", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 60, noNaN: true }), { minLength: 50, maxLength: 50 }), (jitter) => {
        const rate = pickedFps(10, 2, (frame) => jitter[frame % jitter.length] ?? 0);
        return Math.abs(rate / 2 - 1) < 0.01;
      }),
      { numRuns: 20 },
    );
  });

  test("timestamps rounded down do not cost a frame", () => {
    const { isDue } = createDueSchedule(30);
    const picked = Array.from({ length: 300 }, (_, frame) => isDue(Math.floor((frame * 1000) / 30))).filter(Boolean);
    expect(picked.length).toBe(300);
  });

  test("a pause is not made up for", () => {
    const { isDue } = createDueSchedule(2);
    expect([0, 60_000, 60_100, 60_400, 60_500].map(isDue)).toEqual([true, true, false, false, true]);
  });
});

describe("playback", () => {
  test("waits until a frame's time has come", () => {
    const { waitMs } = createPlayback();
    expect([waitMs(0, 5000), waitMs(500, 5100), waitMs(1000, 6000)]).toEqual([0, 400, 0]);
  });

  test("makes up for a little lateness", () => {
    const { waitMs } = createPlayback();
    waitMs(0, 0);
    expect([waitMs(500, 900), waitMs(1000, 950)]).toEqual([0, 50]);
  });

  test("goes on from where it is when it is more than a second late", () => {
    const { waitMs } = createPlayback();
    waitMs(0, 0);
    expect([waitMs(500, 60_000), waitMs(1000, 60_000)]).toEqual([0, 500]);
  });
});
