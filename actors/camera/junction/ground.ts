/** The ground of the picture: grass, pavements, carriageways and their markings, drawn once. */

import { cornerRadiusM, crossingFromM, crossingToM, kerbM, laneOffsetsM, onArm, stopLineM } from "./layout.ts";
import type { Look } from "./look.ts";
import { type Canvas, fill, mix, type Rgb, rgb, shade } from "./raster.ts";
import { nearM, type View } from "./view.ts";

type Flat = readonly (readonly [number, number])[];

const farM = 260;
const pavementM = 12.6;
const bikeEdgeM = 6.4;

/** Cuts the polygon at the camera's near plane, then fills what is left. */
export const fillGround = (canvas: Canvas, view: View, points: Flat, colour: Rgb, alpha = 1): void => {
  const inCamera = points.map(([x, y]) => {
    const dx = x - view.x;
    const dy = y - view.y;
    const dot = (axis: readonly [number, number, number]) => dx * axis[0] + dy * axis[1] - view.z * axis[2];
    return [dot(view.right), dot(view.down), dot(view.ahead)] as const;
  });
  const flat: number[] = [];
  const emit = (x: number, y: number, depth: number) =>
    flat.push(view.width / 2 + (x / depth) * view.focalPx, view.height / 2 + (y / depth) * view.focalPx);
  for (let index = 0; index < inCamera.length; index++) {
    const one = inCamera[index];
    const other = inCamera[(index + 1) % inCamera.length];
    if (!one || !other) continue;
    if (one[2] >= nearM) emit(one[0], one[1], one[2]);
    if (one[2] >= nearM === other[2] >= nearM) continue;
    const part = (nearM - one[2]) / (other[2] - one[2]);
    emit(one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part, nearM);
  }
  if (flat.length >= 6) fill(canvas, flat, flat.length / 2, colour, alpha);
};

/** A rectangle on an arm: from `fromM` to `toM` outwards, between two offsets to the left. */
const patch = (arm: number, fromM: number, toM: number, rightM: number, leftM: number): Flat =>
  (
    [
      [fromM, rightM],
      [toM, rightM],
      [toM, leftM],
      [fromM, leftM],
    ] as const
  ).map(([out, left]) => {
    const { x, y } = onArm(arm, out, left);
    return [x, y] as const;
  });

/** Between the two roads of corner `corner`, from `marginM` off their middle lines. */
export const blockOf = (corner: number, marginM: number, reachM = farM): Flat => patch(corner, marginM, reachM, marginM, reachM);

/** What the rounded kerb adds to the two carriageways at a corner; concave, which the filling rule allows. */
const fillet = (corner: number, insetM: number): Flat => {
  const centreM = kerbM + cornerRadiusM;
  const radiusM = cornerRadiusM - insetM;
  const points: [number, number][] = [];
  const add = (out: number, left: number) => {
    const { x, y } = onArm(corner, out, left);
    points.push([x, y]);
  };
  add(kerbM - 0.5, kerbM - 0.5);
  add(centreM, kerbM - 0.5);
  for (let step = 0; step <= 12; step++) {
    const angle = -Math.PI / 2 - (step / 12) * (Math.PI / 2);
    add(centreM + radiusM * Math.cos(angle), centreM + radiusM * Math.sin(angle));
  }
  add(kerbM - 0.5, centreM);
  return points;
};

const drawCarriageways = (canvas: Canvas, view: View, look: Look): void => {
  for (const [inset, colour] of [
    [0.3, look.kerb],
    [0, look.asphalt],
  ] as const) {
    for (const arm of [0, 1]) fillGround(canvas, view, patch(arm, -farM, farM, -kerbM - inset, kerbM + inset), colour);
    for (let corner = 0; corner < 4; corner++) fillGround(canvas, view, fillet(corner, inset), colour);
  }
  for (let arm = 0; arm < 4; arm++) {
    for (const side of [-1, 1]) {
      fillGround(canvas, view, patch(arm, stopLineM, farM, side * bikeEdgeM, side * kerbM), look.bikeLane, 0.85);
      // Wheels have darkened the lanes.
      for (const offset of laneOffsetsM.slice(0, 2)) {
        for (const track of [-0.75, 0.75]) {
          const at = side * (offset + track);
          fillGround(canvas, view, patch(arm, 6, farM, at - 0.28, at + 0.28), shade(look.asphalt, 0.8), 0.22);
        }
      }
    }
  }
  for (let mend = 0; mend < 9; mend++) {
    const at = (look.random.next() - 0.5) * 11;
    const out = 4 + look.random.next() * 50;
    const long = 2 + look.random.next() * 5;
    const wide = 0.8 + look.random.next() * 1.6;
    fillGround(canvas, view, patch(mend % 4, out, out + long, at, at + wide), shade(look.asphalt, 0.86), 0.5);
  }
};

const drawCrossings = (canvas: Canvas, view: View, look: Look): void => {
  for (let arm = 0; arm < 4; arm++) {
    for (let bar = -kerbM + 0.45; bar < kerbM - 0.5; bar += 1.02) {
      fillGround(canvas, view, patch(arm, crossingFromM + 0.15, crossingToM - 0.15, bar, bar + 0.55), look.marking, 0.92);
    }
  }
};

/** An arrow on a lane for drivers who come in; `turn` is its side branch, positive to their left. */
const drawArrow = (canvas: Canvas, view: View, look: Look, arm: number, leftM: number, turn: number): void => {
  const paint = (points: readonly (readonly [number, number])[]) =>
    fillGround(
      canvas,
      view,
      points.map(([out, left]) => {
        const { x, y } = onArm(arm, out, leftM + left);
        return [x, y] as const;
      }),
      look.marking,
      0.85,
    );
  const tip = stopLineM + 3.5;
  paint([
    [tip + 1.4, 0.07],
    [tip + 5, 0.07],
    [tip + 5, -0.07],
    [tip + 1.4, -0.07],
  ]);
  paint([
    [tip, 0],
    [tip + 1.5, 0.38],
    [tip + 1.5, -0.38],
  ]);
  // A driver's left is the outward direction's right.
  const to = -turn;
  paint([
    [tip + 3.2, 0],
    [tip + 2.2, to * 0.75],
    [tip + 1.9, to * 0.7],
    [tip + 2.8, 0],
  ]);
  paint([
    [tip + 1.35, to * 0.9],
    [tip + 2.7, to * 1.05],
    [tip + 2.1, to * 0.42],
  ]);
};

const drawMarkings = (canvas: Canvas, view: View, look: Look): void => {
  const line = (arm: number, fromM: number, toM: number, atM: number, wideM = 0.13) =>
    fillGround(canvas, view, patch(arm, fromM, toM, atM - wideM / 2, atM + wideM / 2), look.marking, 0.9);
  for (let arm = 0; arm < 4; arm++) {
    line(arm, stopLineM, 150, -0.14);
    line(arm, stopLineM, 150, 0.14);
    for (const side of [-1, 1]) line(arm, stopLineM, 150, side * bikeEdgeM);
    line(arm, stopLineM, stopLineM + 17, 3.2);
    for (let at = stopLineM + 20; at < 130; at += 6) line(arm, at, at + 3, 3.2);
    for (let at = stopLineM + 2; at < 130; at += 6) line(arm, at, at + 3, -3.2);
    fillGround(canvas, view, patch(arm, stopLineM, stopLineM + 0.5, 0.2, kerbM - 0.15), look.marking, 0.95);
    drawArrow(canvas, view, look, arm, laneOffsetsM[0], 1);
    drawArrow(canvas, view, look, arm, laneOffsetsM[1], -1);
  }
};

const drawBlocks = (canvas: Canvas, view: View, look: Look, built: number): void => {
  for (let corner = 0; corner < 4; corner++) {
    fillGround(canvas, view, blockOf(corner, pavementM), corner === built ? look.plaza : look.grass);
  }
};

/** Paths through the greens, from the corners inwards; they widen where they meet the pavement. */
const drawPaths = (canvas: Canvas, view: View, look: Look, built: number): void => {
  for (let corner = 0; corner < 4; corner++) {
    if (corner === built) continue;
    const along = (out: number, left: number) => {
      const { x, y } = onArm(corner, out, left);
      return [x, y] as const;
    };
    const from = pavementM - 0.2;
    const path = [
      along(from, from + 4.4),
      along(from + 4, from + 6.6),
      along(90, 92.4),
      along(92.4, 90),
      along(from + 6.6, from + 4),
    ];
    fillGround(canvas, view, [along(from, from), ...path, along(from + 4.4, from)], mix(look.pavement, look.grass, 0.06));
  }
};

const drawPaving = (canvas: Canvas, view: View, look: Look): void => {
  const joint = shade(look.pavement, 0.9);
  for (let arm = 0; arm < 4; arm++) {
    for (const side of [-1, 1]) {
      for (let at = 13; at < 80; at += 2.4) {
        fillGround(canvas, view, patch(arm, at, at + 0.09, side * (kerbM + 0.3), side * pavementM), joint, 0.55);
      }
      fillGround(canvas, view, patch(arm, kerbM, 90, side * 10.2, side * 10.3), joint, 0.5);
      fillGround(
        canvas,
        view,
        patch(arm, pavementM, farM, side * pavementM, side * (pavementM + 0.25)),
        shade(look.pavement, 0.82),
      );
    }
  }
};

/** Lowered kerbs with warning tiles where people wait. */
const drawWaitingPlaces = (canvas: Canvas, view: View): void => {
  const tiles = rgb(0xd9c98a);
  for (let arm = 0; arm < 4; arm++) {
    for (const side of [-1, 1]) {
      fillGround(canvas, view, patch(arm, crossingFromM, crossingToM, side * (kerbM + 0.35), side * (kerbM + 0.95)), tiles, 0.7);
    }
  }
};

/** `built` is the corner with houses; the others are green. */
export const drawGround = (canvas: Canvas, view: View, look: Look, built: number): void => {
  fillGround(canvas, view, blockOf(0, -farM), look.pavement);
  drawBlocks(canvas, view, look, built);
  drawPaving(canvas, view, look);
  drawPaths(canvas, view, look, built);
  drawCarriageways(canvas, view, look);
  drawWaitingPlaces(canvas, view);
  drawCrossings(canvas, view, look);
  drawMarkings(canvas, view, look);
};
