import { describe, expect, test } from "bun:test";
import type { Placement } from "../../../../../actors/camera/junction/placement.ts";
import { createRenderer } from "../../../../../actors/camera/junction/render.ts";
import { createScene, pictureHeight, pictureWidth, type Scene } from "../../../../../actors/camera/junction/scene.ts";
import { leastVisible, sightings, smallestPx, truthOf } from "../../../../../actors/camera/junction/truth.ts";
import { Detection } from "../../../../../protocols/frame.ts";

const seeds = [1, 2, 3, 4, 5, 6];

const aCar = (overrides: Partial<Placement> = {}): Placement => ({
  id: 1,
  kind: "car",
  class: "car",
  x: 0,
  y: 0,
  heading: 0,
  speed: 0,
  lengthM: 4.4,
  widthM: 1.8,
  heightM: 1.5,
  colour: 0xa32a2c,
  braking: false,
  hazard: false,
  turning: null,
  goneM: 0,
  ...overrides,
});

/** The same scene with other road users. */
const scenePeopledBy = (scene: Scene, objects: Placement[]): Scene => ({ ...scene, objects: () => objects });

const draw = (scene: Scene): Uint8Array => {
  const pixels = new Uint8Array(pictureWidth * pictureHeight * 3);
  createRenderer(scene).draw(pixels);
  return pixels;
};

describe("truth boxes", () => {
  test("lie inside the frame, are large enough, and are what a detector may say", () => {
    for (const seed of seeds) {
      const scene = createScene({ seed });
      for (let at = 0; at <= 60_000; at += 1_000) {
        scene.advanceTo(at);
        for (const { bbox, confidence, visible, class: name } of sightings(scene.view, scene.objects())) {
          const [x1, y1, x2, y2] = bbox;
          expect(Detection.safeParse({ class: name, confidence, bbox }).success).toBe(true);
          expect(x1 >= 0 && y1 >= 0 && x2 <= pictureWidth && y2 <= pictureHeight && x1 < x2 && y1 < y2).toBe(true);
          expect(Math.max(x2 - x1, y2 - y1)).toBeGreaterThanOrEqual(smallestPx);
          expect(visible).toBeGreaterThanOrEqual(leastVisible);
          expect(confidence).toBeGreaterThanOrEqual(0.3);
          expect(confidence).toBeLessThanOrEqual(0.9);
        }
      }
    }
  });

  test("enclose what the picture shows: what a car changes lies in its box, shadow aside", () => {
    for (const [x, y, heading] of [
      [0, 0, 0.3],
      [-4, 20, 1.6],
      [5, -8, 2.2],
    ] as const) {
      const scene = createScene({ seed: 2 });
      const empty = draw(scenePeopledBy(scene, []));
      const car = aCar({ x, y, heading });
      const full = draw(scenePeopledBy(scene, [car]));
      const box = truthOf(scene.view, [car])[0]?.bbox;
      if (!box) throw new Error("the car is not in the picture");
      let left = Number.POSITIVE_INFINITY;
      let right = 0;
      let top = Number.POSITIVE_INFINITY;
      for (let row = 0; row < pictureHeight; row++) {
        for (let column = 0; column < pictureWidth; column++) {
          const at = (row * pictureWidth + column) * 3;
          // The paint is red; the shadow darkens all colours alike.
          const isPaint = (full[at] ?? 0) > 1.5 * (full[at + 1] ?? 0) && full[at] !== empty[at];
          if (!isPaint) continue;
          left = Math.min(left, column);
          right = Math.max(right, column + 1);
          top = Math.min(top, row);
        }
      }
      expect(left).toBeGreaterThan(box[0] - 2);
      expect(left).toBeLessThan(box[0] + 0.15 * (box[2] - box[0]));
      expect(right).toBeLessThan(box[2] + 2);
      expect(right).toBeGreaterThan(box[2] - 0.15 * (box[2] - box[0]));
      expect(Math.abs(top - box[1])).toBeLessThan(3);
    }
  });

  test("are less certain for what is far or half hidden, and leave out what is hidden", () => {
    const { view } = createScene({ seed: 2 });
    const near = sightings(view, [aCar()])[0];
    expect(near?.confidence).toBe(0.9);
    const awayFromCamera = (metres: number) => ({
      x: (-view.x / Math.hypot(view.x, view.y)) * metres,
      y: (-view.y / Math.hypot(view.x, view.y)) * metres,
    });
    const far = sightings(view, [aCar(awayFromCamera(100))])[0];
    expect(far?.confidence).toBeLessThan(0.85);
    const person = aCar({
      id: 2,
      kind: "person",
      class: "person",
      lengthM: 0.45,
      widthM: 0.5,
      heightM: 1.7,
      ...awayFromCamera(3.5),
    });
    const bus = aCar({
      kind: "bus",
      class: "bus",
      lengthM: 11.5,
      widthM: 2.5,
      heightM: 3.1,
      heading: Math.atan2(view.y, view.x) + Math.PI / 2,
    });
    expect(sightings(view, [person]).map(({ id }) => id)).toEqual([2]);
    expect(sightings(view, [person, bus]).map(({ id }) => id)).toEqual([1]);
    expect(sightings(view, [aCar(awayFromCamera(900))])).toEqual([]);
  });

  test("are the same for the same moment", () => {
    const [one, other] = [createScene({ seed: 3 }), createScene({ seed: 3 })];
    one.advanceTo(20_000);
    other.advanceTo(20_000);
    expect(truthOf(one.view, one.objects())).toEqual(truthOf(other.view, other.objects()));
  });
});

describe("the picture", () => {
  test("is the same for the same moment, and another for another seed", () => {
    const pictures = [5, 5, 6].map((seed) => {
      const scene = createScene({ seed });
      scene.advanceTo(8_000);
      return Bun.hash(draw(scene));
    });
    expect(pictures[0]).toBe(pictures[1]);
    expect(pictures[0]).not.toBe(pictures[2]);
  });

  test("shows sky above, dark carriageway in the middle and light stripes on it", () => {
    for (const seed of seeds) {
      const pixels = draw(scenePeopledBy(createScene({ seed }), []));
      const brightness = (x: number, y: number) => {
        const at = (Math.round(y) * pictureWidth + Math.round(x)) * 3;
        return ((pixels[at] ?? 0) + (pixels[at + 1] ?? 0) + (pixels[at + 2] ?? 0)) / 3;
      };
      const levels = Array.from({ length: pictureWidth }, (_, x) => brightness(x, 300));
      expect(brightness(10, 2)).toBeGreaterThan(140);
      expect(brightness(480, 300)).toBeLessThan(135);
      expect(Math.max(...levels)).toBeGreaterThan(180);
    }
  });
});
