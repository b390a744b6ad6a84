import { expect, test } from "bun:test";
import { pictureHash } from "../../../../actors/clusterer/picture-hash.ts";
import { candidateDefaults } from "../../../../protocols/candidate.ts";
import type { Box } from "../../../../protocols/ids.ts";
import { hashDistance } from "../../../../protocols/look.ts";
import { randomInt, seededRandom } from "../../../../runtime/random.ts";

const width = 320;
const height = 180;
type Grey = (x: number, y: number) => number;

const picture = (grey: Grey, noise = 0, seed = 1): Uint8Array => {
  const random = seededRandom(seed);
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = grey(x, y) + (noise > 0 ? randomInt(random, 2 * noise + 1) - noise : 0);
      pixels.fill(Math.min(255, Math.max(0, value)), (y * width + x) * 3, (y * width + x) * 3 + 3);
    }
  }
  return pixels;
};

/** A grey road with lighter and darker bodies on it. */
const scene =
  (...bodies: readonly (readonly [number, number, number])[]): Grey =>
  (x, y) =>
    bodies.find(([left, top]) => x >= left && x < left + 40 && y >= top && y < top + 24)?.[2] ?? 90;
const parked = scene([60, 60, 200], [120, 64, 30], [180, 62, 160]);
const box: Box = [60, 60, 220, 90];
const hash = (pixels: Uint8Array, of: Box = box) => pictureHash(pixels, width, height, of, 12) ?? "";

test("noise and a trembling box change few bits, another scene many", () => {
  const first = hash(picture(parked, 8, 1));
  expect(first).toMatch(/^[0-9a-f]{16}$/);
  expect(hashDistance(first, hash(picture(parked, 8, 2)))).toBeLessThanOrEqual(3);
  expect(hashDistance(first, hash(picture(parked, 8, 3), [61, 59, 221, 91]))).toBeLessThanOrEqual(candidateDefaults.pictureBits);
  const moved = scene([60, 60, 200], [140, 64, 30], [200, 62, 160]);
  expect(hashDistance(first, hash(picture(moved, 8, 4)))).toBeGreaterThan(candidateDefaults.pictureBits);
  expect(hashDistance(first, hash(picture(scene([80, 70, 200]), 8, 5)))).toBeGreaterThan(candidateDefaults.pictureBits);
});

test("light that grows everywhere changes nothing", () => {
  expect(hashDistance(hash(picture(parked)), hash(picture((x, y) => parked(x, y) + 20)))).toBeLessThanOrEqual(1);
});

test("even ground has no hash: noise gives it no bits by chance, and darkness is no sight", () => {
  expect(
    pictureHash(
      picture(() => 90, 6),
      width,
      height,
      box,
      12,
    ),
  ).toBeNull();
  expect(
    pictureHash(
      picture(() => 0),
      width,
      height,
      box,
      12,
    ),
  ).toBeNull();
});

test.each([
  ["outside of the picture", [400, 20, 500, 60]],
  ["above it", [10, -90, 60, -40]],
] as [string, Box][])("a box %s has no hash", (_, of) => {
  expect(pictureHash(picture(parked), width, height, of, 12)).toBeNull();
});

test("a picture that is shorter than it says has no hash", () => {
  expect(pictureHash(new Uint8Array(100), width, height, box, 12)).toBeNull();
});

test("a box across the edge has the hash of what is inside", () => {
  expect(hash(picture(parked), [-50, -50, 400, 400])).toBe(hash(picture(parked), [0, 0, width, height]));
});
