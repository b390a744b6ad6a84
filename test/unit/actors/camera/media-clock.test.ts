import { expect, test } from "bun:test";
import fc from "fast-check";
import { createMediaClock } from "../../../../actors/camera/media-clock.ts";

type Row = [string, [ptsMs: number | null, arrivalMs: number][], [mediaTimeMs: number, segment: number][]];
const rows: Row[] = [
  [
    "takes the stream's own times",
    [
      [40, 0],
      [80, 41],
      [120, 79],
    ],
    [
      [40, 0],
      [80, 0],
      [120, 0],
    ],
  ],
  [
    "counts arrival where there are none",
    [
      [null, 10],
      [null, 110],
      [null, 215],
    ],
    [
      [0, 0],
      [100, 0],
      [205, 0],
    ],
  ],
  [
    "goes on by arrival over a missing one",
    [
      [100, 0],
      [null, 40],
      [180, 80],
    ],
    [
      [100, 0],
      [140, 0],
      [180, 0],
    ],
  ],
  [
    "goes on by arrival over a small step back",
    [
      [1000, 0],
      [900, 40],
      [940, 80],
    ],
    [
      [1000, 0],
      [1040, 0],
      [1080, 0],
    ],
  ],
  [
    "opens a segment at a reset",
    [
      [90_000, 0],
      [0, 40],
      [40, 80],
    ],
    [
      [90_000, 0],
      [0, 1],
      [40, 1],
    ],
  ],
  [
    "opens a segment at a jump ahead",
    [
      [0, 0],
      [60_000, 40],
    ],
    [
      [0, 0],
      [60_000, 1],
    ],
  ],
  [
    "takes a long gap for what it is",
    [
      [0, 0],
      [60_000, 60_000],
    ],
    [
      [0, 0],
      [60_000, 0],
    ],
  ],
  [
    "never stands still",
    [
      [500, 0],
      [500, 0],
      [500, 0],
    ],
    [
      [500, 0],
      [501, 0],
      [502, 0],
    ],
  ],
];
test.each(rows)("%s", (_, given, expected) => {
  const { read } = createMediaClock();
  expect(given.map(([ptsMs, arrivalMs]) => Object.values(read(ptsMs, arrivalMs)))).toEqual(expected);
});

test("a restart opens the next segment, but not before the first frame", () => {
  const { read, restart } = createMediaClock();
  restart();
  expect(read(0, 0).segment).toBe(0);
  restart();
  restart();
  expect(read(0, 40)).toEqual({ mediaTimeMs: 0, segment: 1 });
});

test("time rises within a segment, whatever the stream says", () => {
  const frame = fc.tuple(fc.option(fc.integer({ min: -100_000, max: 100_000 })), fc.nat({ max: 20_000 }));
  fc.assert(
    fc.property(fc.array(frame), (frames) => {
      const { read } = createMediaClock();
      let arrivalMs = 0;
      let last = { mediaTimeMs: Number.NEGATIVE_INFINITY, segment: 0 };
      for (const [ptsMs, gapMs] of frames) {
        arrivalMs += gapMs;
        const time = read(ptsMs, arrivalMs);
        if (time.segment === last.segment) expect(time.mediaTimeMs).toBeGreaterThan(last.mediaTimeMs);
        else expect(time.segment).toBe(last.segment + 1);
        last = time;
      }
    }),
  );
});
