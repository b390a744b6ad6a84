/** Draws road users into the picture: vehicles as shaded blocks with wheels and lamps, people as small figures. */
import { type Block, blocksOf, projectBlock, type Surface } from "./bodies.ts";
import { faceLight, type Look } from "./look.ts";
import type { Placement } from "./placement.ts";
import { type Canvas, fill, fillEllipse, hull, type Rgb, rgb, shade, stroke } from "./raster.ts";
import { nearM, project, type View } from "./view.ts";

export type Easel = { readonly canvas: Canvas; readonly view: View; readonly look: Look; readonly timeMs: number };

const glass = rgb(0x39495a);
const dark = rgb(0x2a2d31);
const trim = rgb(0xdfe2e4);
const skin = rgb(0xc99a78);
const shadowColour = rgb(0x1e2530);
const trousers = [rgb(0x2b3442), rgb(0x4a4640), rgb(0x394a5c), rgb(0x5b5348)] as const;
const hair = [rgb(0x2c231d), rgb(0x5a4330), rgb(0x8a6a45), rgb(0x3a3a3c)] as const;

const corners = new Float64Array(16);
const quad = new Float64Array(8);
const ring = new Float64Array(24);
const cloud = new Float64Array(16);
const outline = new Float64Array(40);
const spot = new Float64Array(2);

const colourOf = (surface: Surface, paint: Rgb): Rgb => {
  if (surface === "paint") return paint;
  if (surface === "cargo") return [0.35 * paint[0] + 150, 0.35 * paint[1] + 150, 0.35 * paint[2] + 148];
  return { glass, dark, trim, skin }[surface];
};

/** The part of a block's side between two fractions along and two up it, into `quad`. */
const partOfSide = (side: number, along: readonly [number, number], up: readonly [number, number]): void => {
  const next = (side + 1) % 4;
  const at = (index: number, axis: number) => corners[2 * index + axis] ?? 0;
  for (let axis = 0; axis < 2; axis++) {
    const place = (u: number, w: number) => {
      const low = at(side, axis) + (at(next, axis) - at(side, axis)) * u;
      const high = at(side + 4, axis) + (at(next + 4, axis) - at(side + 4, axis)) * u;
      return low + (high - low) * w;
    };
    quad[axis] = place(along[0], up[0]);
    quad[2 + axis] = place(along[1], up[0]);
    quad[4 + axis] = place(along[1], up[1]);
    quad[6 + axis] = place(along[0], up[1]);
  }
};

const sideIsSeen = (side: number): boolean => {
  const next = (side + 1) % 4;
  const x0 = corners[2 * side] ?? 0;
  const y0 = corners[2 * side + 1] ?? 0;
  const acrossX = (corners[2 * next] ?? 0) - x0;
  const acrossY = (corners[2 * next + 1] ?? 0) - y0;
  const upX = (corners[2 * side + 8] ?? 0) - x0;
  const upY = (corners[2 * side + 9] ?? 0) - y0;
  return acrossX * upY - acrossY * upX < 0;
};

/** Right, front, left, rear: the outward normals from the heading. */
const sideAngle = (place: Placement, side: number): number => place.heading + ((side - 1) * Math.PI) / 2;

const whole = [0, 1] as const;

const drawBlock = (easel: Easel, place: Placement, block: Block, paint: Rgb, pxPerM: number): void => {
  const { canvas, look } = easel;
  const sideColour = colourOf(block.sides, paint);
  for (let side = 0; side < 4; side++) {
    if (!sideIsSeen(side)) continue;
    const light = faceLight(look, sideAngle(place, side));
    partOfSide(side, whole, whole);
    fill(canvas, quad, 4, shade(sideColour, light));
    if (block.sides !== "glass" || place.kind === "bus") continue;
    // The pillars between the windows.
    const pillar = shade(paint, light * 0.94);
    const widthPx = Math.max(0.5, 0.09 * pxPerM);
    for (const u of side % 2 === 0 ? [0.02, 0.5, 0.98] : [0.02, 0.98]) {
      partOfSide(side, [u, u], whole);
      stroke(canvas, [quad[0] ?? 0, quad[1] ?? 0, quad[6] ?? 0, quad[7] ?? 0], widthPx, pillar);
    }
  }
  quad.set(corners.subarray(8, 16));
  fill(canvas, quad, 4, shade(colourOf(block.top, paint), 1 + look.contrast * 0.28));
};

const drawBusDetails = (easel: Easel, place: Placement, paint: Rgb): void => {
  for (let side = 0; side < 4; side += 2) {
    if (!sideIsSeen(side)) continue;
    const light = faceLight(easel.look, sideAngle(place, side));
    for (let pane = 1; pane < 8; pane++) {
      partOfSide(side, [pane / 8 - 0.006, pane / 8 + 0.006], whole);
      fill(easel.canvas, quad, 4, shade(paint, light * 0.9));
    }
  }
};

/** A disc standing in the vehicle's plane, `xM` ahead of and `yM` left of its middle. */
const drawWheel = (easel: Easel, place: Placement, xM: number, yM: number, radiusM: number, colour: Rgb): void => {
  const cos = Math.cos(place.heading);
  const sin = Math.sin(place.heading);
  for (let index = 0; index < 12; index++) {
    const angle = (index * Math.PI) / 6;
    const along = xM + radiusM * Math.cos(angle);
    const up = radiusM + radiusM * Math.sin(angle);
    project(easel.view, place.x + along * cos - yM * sin, place.y + along * sin + yM * cos, up, ring, 2 * index);
  }
  fill(easel.canvas, ring, 12, colour);
};

const drawWheels = (easel: Easel, place: Placement, pxPerM: number): void => {
  if (pxPerM < 3.5) return;
  const heavy = place.kind === "lorry" || place.kind === "bus";
  const radiusM = heavy ? 0.48 : 0.33;
  for (const [side, sign] of [
    [0, -1],
    [2, 1],
  ] as const) {
    if (!sideIsSeen(side)) continue;
    for (const part of heavy ? [-0.3, 0.33] : [-0.31, 0.31]) {
      drawWheel(easel, place, part * place.lengthM, (sign * place.widthM) / 2, radiusM, dark);
      if (pxPerM > 9)
        drawWheel(easel, place, part * place.lengthM, sign * (place.widthM / 2 + 0.01), radiusM * 0.55, rgb(0x8b8f94));
    }
  }
};

const blinks = (timeMs: number): boolean => Math.floor(timeMs / 350) % 2 === 0;

/** Lamps at the ends of the block that `corners` holds: 1 is the front, 3 the rear. */
const drawLamps = (easel: Easel, place: Placement, ends: readonly number[]): void => {
  const { canvas, timeMs } = easel;
  const on = blinks(timeMs);
  const amber = rgb(0xffa41c);
  for (const [side, colour] of [
    [1, rgb(0xfdf6d8)],
    [3, place.braking ? rgb(0xff2e1f) : rgb(0x8c2420)],
  ] as const) {
    if (!ends.includes(side) || !sideIsSeen(side)) continue;
    for (const [u0, u1, hand] of [
      [0.04, 0.24, "first"],
      [0.76, 0.96, "second"],
    ] as const) {
      partOfSide(side, [u0, u1], [0.5, 0.78]);
      fill(canvas, quad, 4, colour);
      // Seen from outside, the front's first end is the vehicle's right, the rear's first end its left.
      const isRight = (side === 1) === (hand === "first");
      if (!on || !(place.hazard || place.turning === (isRight ? "right" : "left"))) continue;
      partOfSide(side, hand === "first" ? [0, 0.2] : [0.8, 1], [0.44, 0.86]);
      fill(canvas, quad, 4, amber);
    }
  }
  if (!on || !place.hazard) return;
  for (const side of [0, 2]) {
    if (!sideIsSeen(side)) continue;
    for (const along of [
      [0, 0.06],
      [0.94, 1],
    ] as const) {
      partOfSide(side, along, [0.45, 0.85]);
      fill(canvas, quad, 4, amber);
    }
  }
};

/** The outline of the base and of the shadow of the top, as one patch on the ground. */
export const drawShadow = (easel: Easel, place: Placement): void => {
  const { view, look } = easel;
  const cos = Math.cos(place.heading);
  const sin = Math.sin(place.heading);
  const thin = place.kind === "person" ? 0.6 : 1;
  for (let corner = 0; corner < 8; corner++) {
    const up = corner < 4 ? 0 : place.heightM * 0.92;
    const along = (corner % 4 === 0 || corner % 4 === 3 ? -0.5 : 0.5) * place.lengthM * thin;
    const left = (corner % 4 < 2 ? -0.5 : 0.5) * place.widthM * thin;
    const x = place.x + along * cos - left * sin + look.shadow[0] * up;
    const y = place.y + along * sin + left * cos + look.shadow[1] * up;
    if (project(view, x, y, 0, cloud, 2 * corner) < nearM) return;
  }
  fill(easel.canvas, outline, hull(cloud, 8, outline), shadowColour, look.shadowAlpha);
};

/** Blocks one behind another are drawn from the far end to the near one; those of a lorry are chassis, load, cab, cab top. */
const drawingOrder = (view: View, place: Placement): readonly number[] => {
  if (place.kind !== "lorry") return [0, 1, 2];
  const frontIsFar = Math.cos(place.heading) * view.ahead[0] + Math.sin(place.heading) * view.ahead[1] > 0;
  return frontIsFar ? [0, 2, 3, 1] : [0, 1, 2, 3];
};

const drawVehicle = (easel: Easel, place: Placement, pxPerM: number): void => {
  const paint = rgb(place.colour);
  const blocks = blocksOf(place);
  for (const index of drawingOrder(easel.view, place)) {
    const block = blocks[index];
    if (!block) continue;
    if (projectBlock(easel.view, place, block, corners) < nearM) return;
    drawBlock(easel, place, block, paint, pxPerM);
    if (place.kind === "bus" && index === 1) drawBusDetails(easel, place, paint);
    if (index === 0) {
      drawWheels(easel, place, pxPerM);
      drawLamps(easel, place, place.kind === "lorry" ? [3] : [1, 3]);
    }
    if (place.kind === "lorry" && index === 2) drawLamps(easel, place, [1]);
  }
};

/** The picture point of a place on the vehicle, from its middle. */
const pointOn = (view: View, place: Placement, xM: number, zM: number, leftM = 0): readonly [number, number] => {
  const cos = Math.cos(place.heading);
  const sin = Math.sin(place.heading);
  project(view, place.x + xM * cos - leftM * sin, place.y + xM * sin + leftM * cos, zM, spot, 0);
  return [spot[0] ?? 0, spot[1] ?? 0];
};

const drawLimb = (
  easel: Easel,
  from: readonly [number, number],
  to: readonly [number, number],
  widthPx: number,
  colour: Rgb,
): void => stroke(easel.canvas, [from[0], from[1], to[0], to[1]], widthPx, colour);

const drawHead = (easel: Easel, [x, y]: readonly [number, number], pxPerM: number, colour: Rgb): void => {
  fillEllipse(easel.canvas, x, y, 0.13 * pxPerM, 0.15 * pxPerM, skin);
  fillEllipse(easel.canvas, x, y - 0.05 * pxPerM, 0.13 * pxPerM, 0.11 * pxPerM, colour);
};

const drawRider = (easel: Easel, place: Placement, pxPerM: number): void => {
  const { view } = easel;
  const powered = place.kind === "motorcycle";
  const cloth = powered ? rgb(0x3b4350) : rgb(place.colour);
  const wheelM = powered ? 0.3 : 0.34;
  const axleM = place.lengthM / 2 - wheelM;
  const edgeOn = pointOn(view, place, axleM, wheelM);
  for (const xM of [-axleM, axleM]) {
    drawWheel(easel, place, xM, 0, wheelM, dark);
    if (!powered) drawWheel(easel, place, xM, 0, wheelM * 0.72, rgb(0x8d9196));
    drawLimb(easel, pointOn(view, place, xM, 0), pointOn(view, place, xM, 2 * wheelM), 0.09 * pxPerM, dark);
  }
  const seat = pointOn(view, place, -0.22, 0.82);
  const shoulder = pointOn(view, place, 0.08, place.heightM - 0.36);
  drawLimb(easel, pointOn(view, place, -axleM, wheelM + 0.1), edgeOn, (powered ? 0.34 : 0.08) * pxPerM, rgb(place.colour));
  drawLimb(easel, seat, pointOn(view, place, 0.08, 0.3), 0.17 * pxPerM, trousers[place.id % 4] ?? dark);
  drawLimb(easel, pointOn(view, place, -0.22, 0.72), shoulder, 0.4 * pxPerM, cloth);
  drawLimb(easel, shoulder, pointOn(view, place, axleM - 0.2, 0.98), 0.12 * pxPerM, shade(cloth, 0.85));
  const head = pointOn(view, place, 0.14, place.heightM - 0.16);
  drawHead(easel, head, pxPerM, powered ? rgb(0xd8dadd) : (hair[place.id % 4] ?? dark));
};

const drawPerson = (easel: Easel, place: Placement, pxPerM: number): void => {
  const { view } = easel;
  const cloth = rgb(place.colour);
  const legs = trousers[(place.id * 7) % 4] ?? dark;
  const hipM = place.heightM * 0.5;
  const reachM = place.speed > 0.1 ? 0.28 * Math.sin((place.goneM / 0.72) * Math.PI) : 0.05;
  const hip = pointOn(view, place, 0, hipM);
  for (const foot of [-reachM, reachM]) {
    drawLimb(easel, hip, pointOn(view, place, foot, 0, foot > 0 ? 0.07 : -0.07), 0.17 * pxPerM, shade(legs, foot > 0 ? 1 : 0.8));
  }
  const [x, y] = pointOn(view, place, 0, place.heightM * 0.66);
  const turned = Math.abs(Math.cos(place.heading) * view.right[0] + Math.sin(place.heading) * view.right[1]);
  const halfM = 0.24 - 0.07 * turned;
  fillEllipse(easel.canvas, x, y, halfM * pxPerM, place.heightM * 0.19 * pxPerM, shade(cloth, 0.82));
  fillEllipse(easel.canvas, x - 0.03 * pxPerM, y - 0.02 * pxPerM, halfM * 0.82 * pxPerM, place.heightM * 0.17 * pxPerM, cloth);
  drawHead(easel, pointOn(view, place, 0, place.heightM - 0.14), pxPerM, hair[place.id % 4] ?? dark);
};

export const drawFigure = (easel: Easel, place: Placement, depthM: number): void => {
  const pxPerM = easel.view.focalPx / depthM;
  if (place.kind === "person") drawPerson(easel, place, pxPerM);
  else if (place.kind === "bicycle" || place.kind === "motorcycle") drawRider(easel, place, pxPerM);
  else drawVehicle(easel, place, pxPerM);
};
