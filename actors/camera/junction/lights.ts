/** Traffic lights in the picture: a mast at each stop line and a second head across the junction. */
import type { Easel } from "./figures.ts";
import { armHeading, kerbM, onArm, stopLineM } from "./layout.ts";
import { fill, fillEllipse, rgb, stroke } from "./raster.ts";
import type { Light } from "./signals.ts";
import { nearM, project } from "./view.ts";

export type Mast = { readonly arm: number; readonly x: number; readonly y: number; readonly facing: number };

/** Two masts an arm, both towards the drivers who come from it. */
export const masts: readonly Mast[] = [0, 1, 2, 3].flatMap((arm) => {
  const facing = armHeading(arm);
  return [onArm(arm, stopLineM + 0.3, kerbM + 0.9), onArm(arm, -stopLineM - 0.3, kerbM + 0.9)].map(({ x, y }) => ({
    arm,
    x,
    y,
    facing,
  }));
});

const mastM = 3.1;
const headM = 1.05;
const halfWidthM = 0.2;

const metal = rgb(0x54595f);
const housing = rgb(0x23272b);
const lamps = [
  ["red", 0.82, rgb(0xff3b30), rgb(0x4a1f1d)],
  ["yellow", 0.5, rgb(0xffc02e), rgb(0x493a18)],
  ["green", 0.18, rgb(0x35e06b), rgb(0x163d25)],
] as const;

const corners = new Float64Array(8);

export const drawMast = (easel: Easel, mast: Mast, light: Light): void => {
  const { canvas, view } = easel;
  const depth = project(view, mast.x, mast.y, 0, corners, 0);
  if (depth < nearM) return;
  const pxPerM = view.focalPx / depth;
  project(view, mast.x, mast.y, mastM + headM / 2, corners, 2);
  const [footX = 0, footY = 0, topX = 0, topY = 0] = corners;
  stroke(canvas, [footX, footY, topX, topY], Math.max(0.8, 0.13 * pxPerM), metal);
  const acrossX = -Math.sin(mast.facing) * halfWidthM;
  const acrossY = Math.cos(mast.facing) * halfWidthM;
  project(view, mast.x - acrossX, mast.y - acrossY, mastM, corners, 0);
  project(view, mast.x + acrossX, mast.y + acrossY, mastM, corners, 2);
  project(view, mast.x + acrossX, mast.y + acrossY, mastM + headM, corners, 4);
  project(view, mast.x - acrossX, mast.y - acrossY, mastM + headM, corners, 6);
  // Edge on, a head still shows its depth.
  stroke(canvas, [topX, topY - (headM / 2) * pxPerM, topX, topY + (headM / 2) * pxPerM], 0.26 * pxPerM, housing);
  fill(canvas, corners, 4, housing);
  const turned = (view.x - mast.x) * Math.cos(mast.facing) + (view.y - mast.y) * Math.sin(mast.facing);
  const cosine = turned / Math.hypot(view.x - mast.x, view.y - mast.y);
  if (cosine < 0.1) return;
  for (const [name, up, on, off] of lamps) {
    project(view, mast.x, mast.y, mastM + headM * up, corners, 0);
    const [x = 0, y = 0] = corners;
    const radius = 0.145 * pxPerM;
    if (name === light) fillEllipse(canvas, x, y, radius * 2.2, radius * 2.2, on, 0.28);
    fillEllipse(canvas, x, y, Math.max(0.6, radius * cosine), Math.max(0.8, radius), name === light ? on : off);
  }
};
