import { expect, test } from "bun:test";
import type { CameraModel } from "../../../../actors/clusterer/ground.ts";
import { type GroundFit, learnSize, startFit } from "../../../../actors/clusterer/ground-fit.ts";
import { seededRandom } from "../../../../runtime/random.ts";
import { boxOf, mast, pictureHeight, pictureWidth } from "../../../support/road.ts";

const degrees = (angle: number) => (angle * Math.PI) / 180;

/** Lets `count` road users be seen at places where a camera looks; their boxes tremble by `noise` of their size. */
const watch = (camera: CameraModel, kinds: readonly ("car" | "person")[], count: number, noise = 0): GroundFit => {
  const random = seededRandom(5);
  const tremble = (side: number) => side * noise * (random.next() - 0.5) * 3.4;
  const fit = startFit();
  for (let seen = 0; seen < count; ) {
    const kind = kinds[seen % kinds.length] ?? "car";
    const middle = camera.heightM / Math.tan(camera.pitch);
    const [x, y] = [(random.next() - 0.5) * middle, middle * (0.5 + 1.5 * random.next())];
    const heading = random.next() * 2 * Math.PI;
    const [x1, y1, x2, y2] = boxOf(camera, kind, x, y, heading);
    if (x1 < 0 || y1 < 0 || x2 > pictureWidth || y2 > pictureHeight) continue;
    const [a1, b1, a2, b2] = boxOf(camera, kind, x + 2 * Math.cos(heading), y + 2 * Math.sin(heading), heading);
    const [width, height] = [x2 - x1, y2 - y1];
    const [u, v] = [(x1 + x2) / 2, (y1 + y2) / 2];
    const [du, dv] = kind === "car" ? [(a1 + a2) / 2 - u, (b1 + b2) / 2 - v] : [0, 0];
    const sample = { class: kind, u, v, width: width + tremble(width), height: height + tremble(height), du, dv };
    learnSize(fit, sample, pictureWidth, pictureHeight);
    seen += 1;
  }
  return fit;
};

test.each([
  ["a mast at 8 m, 22°, from cars", 8, 22, ["car"], 0],
  ["a mast at 8 m, 22°, from people", 8, 22, ["person"], 0],
  ["a mast at 8 m, 22°, from both, with boxes that tremble", 8, 22, ["car", "person"], 0.04],
  ["a bridge at 6 m, 12°", 6, 12, ["car", "person"], 0.02],
  ["a tower at 20 m, 40°", 20, 40, ["car", "person"], 0.02],
] as const)("finds %s", (_, heightM, pitch, kinds, noise) => {
  const { model } = watch({ ...mast, heightM, pitch: degrees(pitch) }, kinds, 200, noise);
  expect(model).not.toBeNull();
  expect(Math.abs((model?.pitch ?? 0) - degrees(pitch))).toBeLessThan(degrees(4));
  expect(model?.heightM ?? 0).toBeGreaterThan(0.8 * heightM);
  expect(model?.heightM ?? 0).toBeLessThan(1.2 * heightM);
});

test("says nothing before it has seen a dozen", () => {
  expect(watch(mast, ["car"], 11).model).toBeNull();
  expect(watch(mast, ["car"], 12).model).not.toBeNull();
});

test("keeps a bounded number of samples, and fits ever more seldom", () => {
  const fit = watch(mast, ["car", "person"], 5000);
  expect([...fit.samples.values()].flat().length).toBeLessThanOrEqual(8 * 6 * 2 * 3);
  // At 12, 24, 48 and so on to 3,072; from there every 2,000.
  expect(fit.fitAt).toBe(5072);
});

test("a few impossible sizes do not bend it", () => {
  const fit = watch(mast, ["person"], 100);
  for (let wrong = 0; wrong < 8; wrong++) {
    learnSize(
      fit,
      { class: "person", u: 100 + 140 * wrong, v: 400, width: 300, height: 600, du: 0, dv: 0 },
      pictureWidth,
      pictureHeight,
    );
  }
  for (let more = 0; more < 200; more++) {
    const [x1, y1, x2, y2] = boxOf(mast, "person", (more % 10) - 5, 15 + (more % 20), 0);
    const sample = {
      class: "person" as const,
      u: (x1 + x2) / 2,
      v: (y1 + y2) / 2,
      width: x2 - x1,
      height: y2 - y1,
      du: 0,
      dv: 0,
    };
    learnSize(fit, sample, pictureWidth, pictureHeight);
  }
  expect(Math.abs((fit.model?.pitch ?? 0) - mast.pitch)).toBeLessThan(degrees(4));
});
