/** Pictures of the scene: the ground and what stands still are drawn once, everything else over a copy of them. */
import { drawFigure, drawShadow, type Easel } from "./figures.ts";
import { drawGround } from "./ground.ts";
import { drawMast, masts } from "./lights.ts";
import { createLook, type Look } from "./look.ts";
import type { Placement } from "./placement.ts";
import { type Canvas, mix } from "./raster.ts";
import type { Scene } from "./scene.ts";
import { drawScenery, drawSceneryShadows, hazeAt, planScenery } from "./scenery.ts";
import type { Light } from "./signals.ts";
import { cameraCorner, nearM, project, type View } from "./view.ts";

export type Renderer = {
  /** Draws the scene as it stands into `pixels`: RGB, `view.width` × `view.height`, rows without padding. */
  readonly draw: (pixels: Uint8Array) => void;
};

/** The row of the picture at which level ground ends. */
const horizonOf = (view: View): number => {
  const flat = Math.hypot(view.ahead[0], view.ahead[1]);
  return view.height / 2 + (view.focalPx * view.ahead[2]) / flat;
};

const drawSky = ({ pixels, width, height }: Canvas, look: Look, horizon: number): void => {
  for (let y = 0; y < height; y++) {
    const [r, g, b] = mix(look.skyLow, look.skyTop, Math.min(1, Math.max(0, (horizon - y) / 140)));
    for (let at = y * width * 3; at < (y + 1) * width * 3; at += 3) {
      pixels[at] = r;
      pixels[at + 1] = g;
      pixels[at + 2] = b;
    }
  }
};

/** A little grain, and the haze that grows with distance, over the ground. */
const weatherGround = ({ pixels, width, height }: Canvas, view: View, look: Look, horizon: number): void => {
  let state = 0x12345678;
  const [hazeR, hazeG, hazeB] = look.haze;
  for (let y = Math.max(0, Math.ceil(horizon)); y < height; y++) {
    // Depth of the ground along the row's middle; the camera does not roll, so it holds for the whole row.
    const slope = ((y - view.height / 2) / view.focalPx) * view.down[2] + view.ahead[2];
    const haze = hazeAt(slope < -1e-6 ? -view.z / slope : 1e6);
    for (let at = y * width * 3; at < (y + 1) * width * 3; at += 3) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const grain = ((state >>> 24) / 255 - 0.5) * 5;
      const r = (pixels[at] ?? 0) + grain;
      const g = (pixels[at + 1] ?? 0) + grain;
      const b = (pixels[at + 2] ?? 0) + grain;
      pixels[at] = Math.max(0, Math.min(255, r + (hazeR - r) * haze));
      pixels[at + 1] = Math.max(0, Math.min(255, g + (hazeG - g) * haze));
      pixels[at + 2] = Math.max(0, Math.min(255, b + (hazeB - b) * haze));
    }
  }
};

const drawBackdrop = (canvas: Canvas, view: View, look: Look): void => {
  // Houses stand at the far corner, where they hide no traffic.
  const built = (cameraCorner(view) + 2) % 4;
  const horizon = horizonOf(view);
  const scenery = planScenery(view, look, built);
  drawSky(canvas, look, horizon);
  drawGround(canvas, view, look, built);
  drawSceneryShadows(canvas, view, look, scenery);
  weatherGround(canvas, view, look, horizon);
  drawScenery(canvas, view, look, scenery);
};

const probe = new Float64Array(2);

/** Depth of something that may show in the picture; null when it does not. */
const depthInPicture = (view: View, place: Placement): number | null => {
  const depth = project(view, place.x, place.y, place.heightM / 2, probe, 0);
  const reachPx = (0.8 * (place.lengthM + place.heightM) * view.focalPx) / Math.max(depth, nearM);
  const [x = 0, y = 0] = probe;
  const inside = x > -reachPx && x < view.width + reachPx && y > -reachPx && y < view.height + reachPx;
  return depth > 3 * nearM && inside ? depth : null;
};

const drawMoving = (easel: Easel, objects: readonly Placement[], lights: readonly Light[]): void => {
  const { view } = easel;
  const things: { readonly depth: number; readonly draw: () => void }[] = [];
  for (const place of objects) {
    const depth = depthInPicture(view, place);
    if (depth === null) continue;
    drawShadow(easel, place);
    things.push({ depth, draw: () => drawFigure(easel, place, depth) });
  }
  for (const mast of masts) {
    const depth = project(view, mast.x, mast.y, 0, probe, 0);
    things.push({ depth, draw: () => drawMast(easel, mast, lights[mast.arm] ?? "red") });
  }
  things.sort((one, other) => other.depth - one.depth);
  for (const thing of things) thing.draw();
};

/** The backdrop is drawn at the first picture. */
export const createRenderer = (scene: Scene): Renderer => {
  const { view } = scene;
  const { width, height } = view;
  const look = createLook(scene.seed);
  let backdrop: Uint8Array | null = null;
  return {
    draw(pixels) {
      if (!backdrop) {
        backdrop = new Uint8Array(width * height * 3);
        drawBackdrop({ width, height, pixels: backdrop }, view, look);
      }
      pixels.set(backdrop);
      drawMoving({ canvas: { width, height, pixels }, view, look, timeMs: scene.nowMs() }, scene.objects(), scene.lights());
    },
  };
};
