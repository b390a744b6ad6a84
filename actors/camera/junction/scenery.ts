/** What stands around the junction: houses at one corner and along the horizon, trees and hedges in the green. */
import { fillGround } from "./ground.ts";
import { armM, onArm } from "./layout.ts";
import { faceLight, type Look } from "./look.ts";
import { type Canvas, fill, fillEllipse, hull, mix, type Rgb, rgb, shade, stroke } from "./raster.ts";
import { nearM, project, type View } from "./view.ts";

type House = {
  readonly corner: number;
  /** Outwards along the corner's arm and to its left. */
  readonly out: readonly [number, number];
  readonly left: readonly [number, number];
  readonly heightM: number;
  readonly facade: Rgb;
  readonly shop: boolean;
};

type Tree = { readonly x: number; readonly y: number; readonly heightM: number; readonly leaf: Rgb };

const hazeFromM = 60;
const hazeFullM = 420;
const hazeMost = 0.72;

/** How much of the haze lies over something at that depth. */
export const hazeAt = (depthM: number): number =>
  hazeMost * Math.min(1, Math.max(0, (depthM - hazeFromM) / (hazeFullM - hazeFromM)));

const face = new Float64Array(8);
const points = new Float64Array(40);
const outline = new Float64Array(40);

const wallPoint = (
  view: View,
  from: readonly [number, number],
  to: readonly [number, number],
  u: number,
  z: number,
  at: number,
) => project(view, from[0] + (to[0] - from[0]) * u, from[1] + (to[1] - from[1]) * u, z, face, at);

const drawPanel = (
  canvas: Canvas,
  view: View,
  from: readonly [number, number],
  to: readonly [number, number],
  [u0, u1, z0, z1]: readonly [number, number, number, number],
  colour: Rgb,
): void => {
  const depth = Math.min(
    wallPoint(view, from, to, u0, z0, 0),
    wallPoint(view, from, to, u1, z0, 2),
    wallPoint(view, from, to, u1, z1, 4),
    wallPoint(view, from, to, u0, z1, 6),
  );
  if (depth > nearM) fill(canvas, face, 4, colour);
};

const floorM = 3.3;

const drawWall = (
  canvas: Canvas,
  view: View,
  look: Look,
  house: House,
  from: readonly [number, number],
  to: readonly [number, number],
): void => {
  const lengthM = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const normal = Math.atan2(to[0] - from[0], -(to[1] - from[1])) + Math.PI;
  // Only walls towards the camera are seen.
  const middleX = (from[0] + to[0]) / 2;
  const middleY = (from[1] + to[1]) / 2;
  if ((view.x - middleX) * Math.cos(normal) + (view.y - middleY) * Math.sin(normal) < 0) return;
  const depth = Math.hypot(view.x - middleX, view.y - middleY);
  const fade = (colour: Rgb) => mix(colour, look.haze, hazeAt(depth));
  const light = faceLight(look, normal);
  drawPanel(canvas, view, from, to, [0, 1, 0, house.heightM], fade(shade(house.facade, light)));
  const pane = fade(shade(rgb(0x5b6b7a), 0.75 + light * 0.3));
  const sill = fade(shade(house.facade, light * 0.86));
  const count = Math.max(1, Math.round(lengthM / 3.1));
  for (let floor = house.shop ? 1 : 0; (floor + 1) * floorM < house.heightM; floor++) {
    drawPanel(canvas, view, from, to, [0, 1, floor * floorM + 0.02, floor * floorM + 0.16], sill);
    for (let window = 0; window < count; window++) {
      const u0 = (window + 0.26) / count;
      const z0 = floor * floorM + 0.95;
      drawPanel(
        canvas,
        view,
        from,
        to,
        [u0, u0 + 0.48 / count, z0, z0 + 1.65],
        look.random.next() < 0.12 ? shade(pane, 1.3) : pane,
      );
    }
  }
  if (!house.shop) return;
  drawPanel(canvas, view, from, to, [0.03, 0.97, 0.3, 2.7], fade(shade(rgb(0x46525d), light)));
  drawPanel(canvas, view, from, to, [0.01, 0.99, 2.75, 3.25], fade(shade(mix(house.facade, rgb(0x7a2f2a), 0.45), light)));
  for (let pillar = 0; pillar <= count; pillar += 2) {
    const u = 0.03 + (0.93 * pillar) / Math.max(1, count);
    drawPanel(canvas, view, from, to, [u, u + 0.35 / lengthM, 0, 2.75], fade(shade(house.facade, light * 0.92)));
  }
};

const cornersOf = (house: House): (readonly [number, number])[] =>
  (
    [
      [house.out[0], house.left[0]],
      [house.out[1], house.left[0]],
      [house.out[1], house.left[1]],
      [house.out[0], house.left[1]],
    ] as const
  ).map(([out, left]) => {
    const { x, y } = onArm(house.corner, out, left);
    return [x, y] as const;
  });

const drawHouse = (canvas: Canvas, view: View, look: Look, house: House): void => {
  const ground = cornersOf(house);
  for (let side = 0; side < 4; side++) {
    const from = ground[side];
    const to = ground[(side + 1) % 4];
    if (from && to) drawWall(canvas, view, look, house, from, to);
  }
  let depth = Number.POSITIVE_INFINITY;
  for (const [index, [x, y]] of ground.entries()) depth = Math.min(depth, project(view, x, y, house.heightM, face, 2 * index));
  // Roofs are seen only by a camera above them.
  if (depth > nearM && house.heightM < view.z) fill(canvas, face, 4, mix(shade(house.facade, 0.8), look.haze, hazeAt(depth)));
};

const houseShadow = (canvas: Canvas, view: View, look: Look, house: House): void => {
  const lengthM = Math.min(house.heightM, 14);
  let count = 0;
  for (const [x, y] of cornersOf(house)) {
    for (const up of [0, lengthM]) {
      points[2 * count] = x + look.shadow[0] * up;
      points[2 * count + 1] = y + look.shadow[1] * up;
      count += 1;
    }
  }
  const size = hull(points, count, outline);
  const flat = Array.from({ length: size }, (_, index) => [outline[2 * index] ?? 0, outline[2 * index + 1] ?? 0] as const);
  fillGround(canvas, view, flat, rgb(0x1e2530), look.shadowAlpha * 0.85);
};

const drawTree = (canvas: Canvas, view: View, look: Look, tree: Tree): void => {
  const depth = project(view, tree.x, tree.y, 0, points, 0);
  if (depth < nearM) return;
  project(view, tree.x, tree.y, tree.heightM * 0.62, points, 2);
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = points;
  const pxPerM = view.focalPx / depth;
  const radius = tree.heightM * 0.34 * pxPerM;
  const fade = (colour: Rgb) => mix(colour, look.haze, hazeAt(depth));
  stroke(canvas, [x0, y0, x1, y1], Math.max(1, 0.28 * pxPerM), fade(rgb(0x6a5544)));
  // Light comes from one side of the picture: the crown's bright part is drawn towards it.
  const towards = look.sun[0] * view.right[0] + look.sun[1] * view.right[1];
  for (const [dx, dy, size, light] of [
    [-0.42, 0.22, 0.72, 0.82],
    [0.44, 0.18, 0.7, 0.82],
    [0, -0.1, 1, 0.92],
    [0.28 * towards, -0.34, 0.66, 1.06],
    [0.4 * towards, -0.45, 0.36, 1.16],
  ] as const) {
    fillEllipse(canvas, x1 + dx * radius, y1 + dy * radius, size * radius, size * radius * 0.92, fade(shade(tree.leaf, light)));
  }
};

const treeShadow = (canvas: Canvas, view: View, look: Look, tree: Tree): void => {
  const reach = tree.heightM * 0.6;
  const radius = tree.heightM * 0.32;
  const ring = Array.from({ length: 14 }, (_, index) => {
    const angle = (index * Math.PI) / 7;
    return [
      tree.x + look.shadow[0] * reach + radius * Math.cos(angle),
      tree.y + look.shadow[1] * reach + radius * Math.sin(angle),
    ] as const;
  });
  fillGround(canvas, view, ring, rgb(0x1e2530), look.shadowAlpha * 0.8);
};

/** Whether the crown would stand in front of a carriageway, a crossing or a pavement. */
const hidesTraffic = (view: View, tree: Tree): boolean => {
  const depth = project(view, tree.x, tree.y, tree.heightM * 0.62, points, 0);
  const [cx = 0, cy = 0] = points;
  const radius = (tree.heightM * 0.42 * view.focalPx) / Math.max(depth, nearM);
  for (let arm = 0; arm < 4; arm++) {
    for (let out = 0; out <= armM; out += 4) {
      for (const left of [-11, -5, 0, 5, 11]) {
        const { x, y } = onArm(arm, out, left);
        for (const z of [0, 2.5]) {
          const behind = project(view, x, y, z, points, 2) > depth;
          const near = Math.hypot((points[2] ?? 0) - cx, (points[3] ?? 0) - cy) < radius;
          if (behind && near) return true;
        }
      }
    }
  }
  return false;
};

const plantTrees = (view: View, look: Look, built: number): Tree[] => {
  const { random } = look;
  const trees: Tree[] = [];
  for (let corner = 0; corner < 4; corner++) {
    for (let tries = 0; tries < (corner === built ? 16 : 46); tries++) {
      const out = corner === built ? 14.2 + 60 * random.next() : 15 + 95 * random.next();
      const left = corner === built ? (random.next() < 0.5 ? out : 14) : 15 + 95 * random.next();
      const { x, y } = onArm(corner, corner === built && left === out ? 14 : out, left);
      const heightM = corner === built ? 4.2 + 1.2 * random.next() : 3.5 + 4 * random.next();
      const leaf = look.leaves[Math.floor(random.next() * look.leaves.length)] ?? look.grass;
      const tree = { x, y, heightM, leaf };
      const crowded = trees.some((other) => Math.hypot(other.x - x, other.y - y) < 4.5);
      if (!crowded && !hidesTraffic(view, tree)) trees.push(tree);
    }
  }
  return trees;
};

/** Low hedges along the greens, in clumps; too low to hide anything. */
const plantBushes = (look: Look, built: number): Tree[] => {
  const { random } = look;
  const bushes: Tree[] = [];
  for (let corner = 0; corner < 4; corner++) {
    if (corner === built) continue;
    for (let clump = 0; clump < 9; clump++) {
      const along = 19 + 60 * random.next();
      const deep = 14.6 + 10 * random.next() * random.next();
      const first = random.next() < 0.5;
      const leaf = look.leaves[Math.floor(random.next() * look.leaves.length)] ?? look.grass;
      for (let plant = 0; plant < 5; plant++) {
        const at = along + 0.9 * plant;
        const aside = deep + 0.5 * random.next();
        // The path to the corner stays free.
        if (Math.abs(at - aside) < 4) continue;
        const { x, y } = onArm(corner, first ? at : aside, first ? aside : at);
        bushes.push({ x, y, heightM: 0.7 + 0.35 * random.next(), leaf: shade(leaf, 0.9 + 0.2 * random.next()) });
      }
    }
  }
  return bushes;
};

const drawBush = (canvas: Canvas, view: View, look: Look, bush: Tree): void => {
  const depth = project(view, bush.x, bush.y, bush.heightM * 0.5, points, 0);
  if (depth < nearM) return;
  const [x = 0, y = 0] = points;
  const radius = (0.62 * view.focalPx) / depth;
  const fade = (colour: Rgb) => mix(colour, look.haze, hazeAt(depth));
  fillEllipse(canvas, x, y + radius * 0.2, radius * 1.05, radius * 0.72, fade(shade(bush.leaf, 0.72)));
  fillEllipse(canvas, x, y, radius, radius * 0.7, fade(shade(bush.leaf, 0.9)));
  fillEllipse(canvas, x, y - radius * 0.18, radius * 0.7, radius * 0.42, fade(shade(bush.leaf, 1.06)));
};

const buildHouses = (look: Look, built: number): House[] => {
  const { random } = look;
  const houses: House[] = [];
  const add = (corner: number, out: readonly [number, number], left: readonly [number, number], heightM: number, shop: boolean) =>
    houses.push({
      corner,
      out,
      left,
      heightM,
      facade: look.facades[Math.floor(random.next() * look.facades.length)] ?? look.plaza,
      shop,
    });
  const height = (least: number, spread: number) => floorM * Math.round((least + spread * random.next()) / floorM) + 0.5;
  const cornerM = 15 + 6 * random.next();
  add(built, [17, 17 + cornerM], [17, 17 + cornerM], height(13, 8), true);
  for (const along of [true, false]) {
    let from = 17 + cornerM + (random.next() < 0.5 ? 0 : 3);
    while (from < 118) {
      const to = from + 12 + 10 * random.next();
      const deep = [17, 28 + 4 * random.next()] as const;
      add(built, along ? [from, to] : deep, along ? deep : [from, to], height(8, 13), random.next() < 0.5);
      from = to + (random.next() < 0.6 ? 0 : 3.5);
    }
  }
  // A skyline behind the greens on either side, and where the far arms end.
  for (const corner of [(built + 1) % 4, (built + 3) % 4]) {
    for (let at = 20; at < 210; ) {
      const to = at + 14 + 16 * random.next();
      const tall = height(9, 18);
      const far = 128 + 20 * random.next();
      if (corner === (built + 1) % 4) add(corner, [at, to], [far, far + 14], tall, false);
      else add(corner, [far, far + 14], [at, to], tall, false);
      at = to + 3 * random.next();
    }
  }
  return houses;
};

const depthOf = (view: View, x: number, y: number): number => (x - view.x) * view.ahead[0] + (y - view.y) * view.ahead[1];

export type Scenery = { readonly houses: readonly House[]; readonly trees: readonly Tree[]; readonly bushes: readonly Tree[] };

export const planScenery = (view: View, look: Look, built: number): Scenery => ({
  houses: buildHouses(look, built),
  trees: plantTrees(view, look, built),
  bushes: plantBushes(look, built),
});

export const drawSceneryShadows = (canvas: Canvas, view: View, look: Look, scenery: Scenery): void => {
  for (const house of scenery.houses) houseShadow(canvas, view, look, house);
  for (const tree of scenery.trees) treeShadow(canvas, view, look, tree);
};

export const drawScenery = (canvas: Canvas, view: View, look: Look, scenery: Scenery): void => {
  const things = [
    ...scenery.houses.map((house) => {
      const { x, y } = onArm(house.corner, (house.out[0] + house.out[1]) / 2, (house.left[0] + house.left[1]) / 2);
      return { depth: depthOf(view, x, y), draw: () => drawHouse(canvas, view, look, house) };
    }),
    ...scenery.bushes.map((bush) => ({ depth: depthOf(view, bush.x, bush.y), draw: () => drawBush(canvas, view, look, bush) })),
    ...scenery.trees.map((tree) => ({ depth: depthOf(view, tree.x, tree.y), draw: () => drawTree(canvas, view, look, tree) })),
  ];
  for (const thing of things.sort((one, other) => other.depth - one.depth)) thing.draw();
};
