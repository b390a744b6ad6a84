import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { startTracks, type Tracks, trackFrame } from "../../../../actors/tracker/bytetrack.ts";
import type { Detection } from "../../../../protocols/frame.ts";

const seen = (className: string, x: number, y: number, confidence = 0.9, width = 100, height = 50): Detection => ({
  class: className,
  confidence,
  bbox: [x - width / 2, y - height / 2, x + width / 2, y + height / 2],
});
const car = (x: number, y = 100, confidence = 0.9): Detection => seen("car", x, y, confidence);

const frames = (tracks: Tracks, periodMs: number, ...detections: readonly (readonly Detection[])[]) =>
  detections.map((each, index) => {
    const mediaTimeMs = tracks.segment === null ? index * periodMs : tracks.mediaTimeMs + periodMs;
    return trackFrame(tracks, { segment: 0, mediaTimeMs, detections: each }).objects;
  });
const ids = (objects: readonly { readonly trackId: number }[]): number[] => objects.map(({ trackId }) => trackId);

describe("identity", () => {
  test("a box of 100 px that moves 20 px keeps its id", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(120)], [car(140)]);
    expect(result.map(ids)).toEqual([[1], [1], [1]]);
  });

  test("a car that moves twice its length between frames at 2 fps keeps its id", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(300)], [car(500)], [car(700)]);
    expect(result.map(ids)).toEqual([[1], [1], [1], [1]]);
    expect(result[3]?.[0]?.velocity?.[0]).toBeCloseTo(400, -1);
  });

  test("two cars that pass each other keep their ids", () => {
    const at = (step: number) => [car(100 + 110 * step, 100), car(900 - 110 * step, 165)];
    const result = frames(startTracks(), 500, ...Array.from({ length: 8 }, (_, step) => at(step)));
    const last = result.at(-1) ?? [];
    expect(last.find(({ trackId }) => trackId === 1)?.bbox).toEqual(car(870, 100).bbox);
    expect(last.find(({ trackId }) => trackId === 2)?.bbox).toEqual(car(130, 165).bbox);
  });

  test("two detections on one track's place give two ids", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(100), car(140)], [car(100), car(140)]);
    expect(ids(result[2] ?? [])).toEqual([1, 2]);
  });

  test("the order of the detections does not matter", () => {
    const forward = frames(startTracks(), 500, [car(100), car(400)], [car(120), car(420)]);
    const backward = frames(startTracks(), 500, [car(100), car(400)], [car(420), car(120)]);
    expect(backward[1]?.map(({ trackId, bbox }) => [trackId, bbox])).toEqual(
      forward[1]?.map(({ trackId, bbox }) => [trackId, bbox]),
    );
  });

  test("a car does not become a person", () => {
    const result = frames(startTracks(), 500, [car(100)], [seen("person", 100, 100)], [seen("person", 100, 100)]);
    expect(ids(result[2] ?? [])).toEqual([2]);
  });

  test("a jump across the picture is another car", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(1500)], [car(1510)]);
    expect(ids(result[2] ?? [])).toEqual([2]);
  });

  test("the less time, the shorter a jump may be", () => {
    const jump = (periodMs: number) =>
      frames(startTracks(), periodMs, [car(100)], [car(101)], [car(280)], [car(281)], [car(282)]);
    expect(ids(jump(40).at(-1) ?? [])).toEqual([2]);
    expect(ids(jump(1000).at(-1) ?? [])).toEqual([1]);
  });

  test("ids count on in a new segment, and nothing is carried over", () => {
    const tracks = startTracks();
    trackFrame(tracks, { segment: 0, mediaTimeMs: 9000, detections: [car(100)] });
    const { objects } = trackFrame(tracks, { segment: 1, mediaTimeMs: 0, detections: [car(100)] });
    expect(ids(objects)).toEqual([2]);
    expect(objects[0]?.ageMs).toBe(0);
  });

  test("no two objects of a frame share an id, and no id comes back for another kind, whatever is seen", () => {
    const detection = fc.record({
      class: fc.constantFrom("car", "truck", "person", "bicycle"),
      confidence: fc.double({ min: 0, max: 1, noNaN: true }),
      x: fc.integer({ min: 0, max: 600 }),
      y: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(detection, { maxLength: 12 }), { maxLength: 12 }), (scene) => {
        const tracks = startTracks();
        const kinds = new Map<number, boolean>();
        const result = frames(
          tracks,
          200,
          ...scene.map((frame) => frame.map((each) => seen(each.class, each.x, each.y, each.confidence))),
        );
        result.forEach((objects, index) => {
          expect(new Set(ids(objects)).size).toBe(objects.length);
          for (const { trackId, bbox, class: className } of objects) {
            expect(scene[index]?.some(({ x, y }) => bbox[0] === x - 50 && bbox[1] === y - 25)).toBe(true);
            const isPerson = className === "person";
            expect(kinds.get(trackId) ?? isPerson).toBe(isPerson);
            kinds.set(trackId, isPerson);
          }
        });
      }),
      { numRuns: 200 },
    );
  });
});

describe("classes", () => {
  test("one van seen as car, truck and truck is one track, reported as truck", () => {
    const result = frames(startTracks(), 500, [car(100)], [seen("truck", 110, 100)], [seen("truck", 120, 100)]);
    expect(result.map((objects) => objects.map(({ trackId, class: className }) => [trackId, className]))).toEqual([
      [[1, "car"]],
      [[1, "car"]],
      [[1, "truck"]],
    ]);
  });

  test("one van seen as car and truck at once is one object", () => {
    const [objects] = frames(startTracks(), 500, [car(100, 100, 0.6), seen("truck", 104, 101, 0.8)]);
    expect(objects?.map(({ class: className }) => className)).toEqual(["truck"]);
  });

  test("a rider and the bicycle below are two objects", () => {
    const [objects] = frames(startTracks(), 500, [seen("person", 100, 100), seen("bicycle", 100, 102)]);
    expect(objects).toHaveLength(2);
  });
});

describe("scores", () => {
  test("an unsure detection continues a track", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(110)], [car(120, 100, 0.2)], [car(130)]);
    expect(result.map(ids)).toEqual([[1], [1], [1], [1]]);
    expect(result[2]?.[0]?.confidence).toBe(0.2);
  });

  test("an unsure detection starts no track", () => {
    const unsure = [car(100, 100, 0.3)];
    expect(frames(startTracks(), 500, unsure, unsure, unsure, unsure).flat()).toEqual([]);
  });

  test("an unsure detection that overlaps little is not taken", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(100)], [car(160, 100, 0.2)]);
    expect(result[2]).toEqual([]);
  });

  test("an unsure detection does not bring back what was lost", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(100)], [], [car(100, 100, 0.2)], [car(100)]);
    expect(result.map(ids)).toEqual([[1], [1], [], [], [1]]);
  });

  test("a detection below the low score is nothing", () => {
    const result = frames(startTracks(), 500, [car(100)], [car(100)], [car(100, 100, 0.05)]);
    expect(result[2]).toEqual([]);
  });
});

describe("confirmation", () => {
  const empty: readonly Detection[] = [];

  test("what stands in the first frame is shown at once", () => {
    expect(frames(startTracks(), 40, [car(100)]).map(ids)).toEqual([[1]]);
  });

  test("at 25 fps a newcomer needs three hits", () => {
    const result = frames(startTracks(), 40, empty, [car(100)], [car(102)], [car(104)]);
    expect(result.map(ids)).toEqual([[], [], [], [1]]);
  });

  test("at 2 fps a newcomer needs two hits", () => {
    const result = frames(startTracks(), 500, empty, [car(100)], [car(120)]);
    expect(result.map(ids)).toEqual([[], [], [1]]);
  });

  test("at one frame in 2 s a newcomer is shown at once", () => {
    const result = frames(startTracks(), 2000, empty, [car(100)]);
    expect(result.map(ids)).toEqual([[], [1]]);
  });

  test("a newcomer may be missed once", () => {
    const result = frames(startTracks(), 40, empty, [car(100)], empty, [car(104)], [car(106)]);
    expect(result.map(ids)).toEqual([[], [], [], [], [1]]);
  });

  test("a box seen once is never shown", () => {
    expect(frames(startTracks(), 500, empty, [car(100)], empty, empty, empty).flat()).toEqual([]);
  });
});

describe("absence", () => {
  const nothing = (count: number): Detection[][] => Array.from({ length: count }, () => []);

  /** The id of one seen three times, moving `stepPx` a frame, then hidden, then seen again where it should be. */
  const idAfter = (periodMs: number, stepPx: number, absentFrames: number): number[] => {
    const seenAt = (frame: number) => [car(100 + stepPx * frame)];
    const back = 3 + absentFrames;
    const result = frames(
      startTracks(),
      periodMs,
      ...[0, 1, 2].map(seenAt),
      ...nothing(absentFrames),
      ...[back, back + 1, back + 2].map(seenAt),
    );
    return ids(result.at(-1) ?? []);
  };

  test("an unseen track is not shown", () => {
    expect(frames(startTracks(), 500, [car(100)], [car(100)], [])[2]).toEqual([]);
  });

  test.each([
    ["30 frames at 25 fps", 40, 0, 30, 1],
    ["31 frames at 25 fps", 40, 0, 31, 2],
    ["2.5 s on the move, at 2 fps", 500, 60, 4, 1],
    ["4.5 s on the move, at 2 fps", 500, 60, 8, 2],
    ["10 s standing, at 2 fps", 500, 0, 19, 1],
    ["16 s standing, at 2 fps", 500, 0, 31, 2],
    ["no frame, one frame in 10 s", 10_000, 0, 0, 1],
  ])("after an absence of %s", (_, periodMs, stepPx, absentFrames, expectedId) => {
    expect(idAfter(periodMs, stepPx, absentFrames)).toEqual([expectedId]);
  });
});

describe("bounds", () => {
  const crowd = (count: number, y: number): Detection[] =>
    Array.from({ length: count }, (_, index) => seen("person", 30 * index, y, 0.9, 20, 40));

  test("no more than the limit of tracks, the rest is counted", () => {
    const tracks = startTracks({ maxTracks: 10 });
    const { objects, overLimit } = trackFrame(tracks, { segment: 0, mediaTimeMs: 0, detections: crowd(14, 100) });
    expect(objects).toHaveLength(10);
    expect(overLimit).toBe(4);
    expect(tracks.live).toHaveLength(10);
  });

  test("unseen tracks give way to what is there", () => {
    const tracks = startTracks({ maxTracks: 10 });
    trackFrame(tracks, { segment: 0, mediaTimeMs: 0, detections: crowd(10, 100) });
    const { overLimit } = trackFrame(tracks, { segment: 0, mediaTimeMs: 100, detections: crowd(10, 900) });
    expect(overLimit).toBe(0);
    expect(tracks.live).toHaveLength(10);
    expect(Math.min(...ids(trackFrame(tracks, { segment: 0, mediaTimeMs: 2000, detections: crowd(10, 900) }).objects))).toBe(11);
  });

  test("boxes that are not numbers, or have no area, are counted and harm nothing", () => {
    const tracks = startTracks();
    const { objects, malformed } = trackFrame(tracks, {
      segment: 0,
      mediaTimeMs: 0,
      detections: [
        { class: "car", confidence: 0.9, bbox: [Number.NaN, 0, 10, 10] },
        { class: "car", confidence: Number.NaN, bbox: [0, 0, 10, 10] },
        { class: "car", confidence: 0.9, bbox: [10, 0, 10, 10] },
        car(100),
      ],
    });
    expect(objects).toHaveLength(1);
    expect(malformed).toBe(3);
  });

  test("media time that stands still or goes back is taken as no time", () => {
    const tracks = startTracks();
    trackFrame(tracks, { segment: 0, mediaTimeMs: 1000, detections: [car(100)] });
    trackFrame(tracks, { segment: 0, mediaTimeMs: 1000, detections: [car(105)] });
    const { objects } = trackFrame(tracks, { segment: 0, mediaTimeMs: 400, detections: [car(105)] });
    expect(objects[0]?.trackId).toBe(1);
    expect(objects[0]?.velocity?.every(Number.isFinite)).toBe(true);
  });
});
