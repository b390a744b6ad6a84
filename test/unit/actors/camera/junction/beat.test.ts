import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createBeat } from "../../../../../actors/camera/junction/beat.ts";

describe("the beat", () => {
  test.each([
    ["nothing before its time", [0, 99, 148], []],
    ["one frame at its time", [150], [{ frame: 0, late: 0 }]],
    ["a timer that fires a moment early counts", [149.2], [{ frame: 0, late: 0 }]],
    [
      "frame after frame",
      [150, 250, 351],
      [
        { frame: 0, late: 0 },
        { frame: 1, late: 0 },
        { frame: 2, late: 0 },
      ],
    ],
    [
      "a little late is still that frame",
      [150, 290],
      [
        { frame: 0, late: 0 },
        { frame: 1, late: 0 },
      ],
    ],
    [
      "later than half a period, the one after is let go",
      [150, 310],
      [
        { frame: 0, late: 0 },
        { frame: 1, late: 1 },
      ],
    ],
    [
      "periods late, those between are let go",
      [150, 560],
      [
        { frame: 0, late: 0 },
        { frame: 4, late: 3 },
      ],
    ],
    [
      "after a sleep it goes on from where it stood",
      [150, 90_000, 90_100],
      [
        { frame: 0, late: 0 },
        { frame: 1, late: 1 },
        { frame: 2, late: 0 },
      ],
    ],
  ])("%s", (_, times, expected) => {
    const beat = createBeat(100, 150);
    expect(times.map(beat.take).filter((due) => due !== null)).toEqual(expected);
  });

  test("neither drifts nor bursts nor loses count, whatever the delays", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 900, noNaN: true }), { minLength: 1, maxLength: 60 }), (delays) => {
        const beat = createBeat(100, 0);
        let nowMs = 0;
        let shownMs = Number.NEGATIVE_INFINITY;
        let counted = 0;
        for (const delayMs of delays) {
          nowMs += Math.max(0, beat.waitMs(nowMs)) + delayMs;
          const due = beat.take(nowMs);
          if (!due) throw new Error("a frame was due");
          counted += 1 + due.late;
          expect(nowMs - due.frame * 100).toBeGreaterThanOrEqual(-1);
          expect(nowMs - due.frame * 100).toBeLessThanOrEqual(100);
          expect(nowMs - shownMs).toBeGreaterThanOrEqual(49);
          expect(beat.waitMs(nowMs)).toBeCloseTo(counted * 100 - nowMs, 6);
          shownMs = nowMs;
        }
      }),
    );
  });
});
