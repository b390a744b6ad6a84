/**
 * The shapes of road users: a few tapered blocks each, in metres, x forwards from the middle, z up. The picture draws
 * them and the truth boxes enclose them, so that the two agree.
 */
import type { Placement } from "./placement.ts";
import { project, type View } from "./view.ts";

export type Surface = "paint" | "glass" | "dark" | "cargo" | "skin" | "trim";

export type Block = {
  readonly fromX: number;
  readonly toX: number;
  readonly halfWidth: number;
  readonly fromZ: number;
  readonly toZ: number;
  /** How far the top is drawn in at the rear, the front and each side. */
  readonly taper: readonly [number, number, number];
  readonly sides: Surface;
  readonly top: Surface;
};

const straight = [0, 0, 0] as const;

const car = (length: number, width: number, height: number): Block[] => {
  const half = length / 2;
  const waist = height * 0.56;
  return [
    {
      fromX: -half,
      toX: half,
      halfWidth: width / 2,
      fromZ: 0.28,
      toZ: waist,
      taper: [0.08, 0.16, 0.06],
      sides: "paint",
      top: "paint",
    },
    {
      fromX: -half * 0.86,
      toX: half * 0.42,
      halfWidth: width / 2 - 0.1,
      fromZ: waist,
      toZ: height,
      taper: [0.45, 0.62, 0.2],
      sides: "glass",
      top: "paint",
    },
  ];
};

const van = (length: number, width: number, height: number): Block[] => {
  const half = length / 2;
  const waist = height * 0.55;
  return [
    {
      fromX: -half,
      toX: half,
      halfWidth: width / 2,
      fromZ: 0.3,
      toZ: waist,
      taper: [0.02, 0.2, 0.02],
      sides: "paint",
      top: "paint",
    },
    {
      fromX: -half + 0.02,
      toX: half - 0.75,
      halfWidth: width / 2 - 0.03,
      fromZ: waist,
      toZ: height,
      taper: [0.1, 0.6, 0.12],
      sides: "glass",
      top: "paint",
    },
  ];
};

const lorry = (length: number, width: number, height: number): Block[] => {
  const half = length / 2;
  const cab = 2;
  return [
    { fromX: -half, toX: half, halfWidth: width / 2 - 0.15, fromZ: 0.35, toZ: 0.95, taper: straight, sides: "dark", top: "dark" },
    {
      fromX: -half,
      toX: half - cab - 0.25,
      halfWidth: width / 2,
      fromZ: 0.95,
      toZ: height,
      taper: straight,
      sides: "cargo",
      top: "cargo",
    },
    {
      fromX: half - cab,
      toX: half,
      halfWidth: width / 2 - 0.08,
      fromZ: 0.4,
      toZ: 1.5,
      taper: straight,
      sides: "paint",
      top: "paint",
    },
    {
      fromX: half - cab,
      toX: half,
      halfWidth: width / 2 - 0.08,
      fromZ: 1.5,
      toZ: Math.min(height, 2.6),
      taper: [0, 0.3, 0.08],
      sides: "glass",
      top: "paint",
    },
  ];
};

const bus = (length: number, width: number, height: number): Block[] => {
  const half = length / 2;
  const side = { fromX: -half, toX: half, halfWidth: width / 2 } as const;
  return [
    { ...side, fromZ: 0.3, toZ: 1.3, taper: straight, sides: "paint", top: "paint" },
    { ...side, fromZ: 1.3, toZ: 2.35, taper: [0, 0.06, 0], sides: "glass", top: "glass" },
    { ...side, toX: half - 0.06, fromZ: 2.35, toZ: height, taper: [0.05, 0.05, 0.12], sides: "paint", top: "trim" },
  ];
};

/** Two wheels and whoever rides on them. */
const rider = (length: number, width: number, height: number): Block[] => [
  {
    fromX: -length / 2,
    toX: length / 2,
    halfWidth: 0.09,
    fromZ: 0,
    toZ: 0.62,
    taper: [0.12, 0.12, 0.02],
    sides: "dark",
    top: "dark",
  },
  {
    fromX: -0.42,
    toX: 0.3,
    halfWidth: width / 2 - 0.06,
    fromZ: 0.5,
    toZ: height - 0.32,
    taper: [0.16, 0.1, 0.06],
    sides: "paint",
    top: "paint",
  },
  {
    fromX: -0.14,
    toX: 0.16,
    halfWidth: 0.14,
    fromZ: height - 0.32,
    toZ: height,
    taper: [0.06, 0.06, 0.05],
    sides: "skin",
    top: "trim",
  },
];

const person = (length: number, width: number, height: number): Block[] => [
  {
    fromX: -length / 2,
    toX: length / 2,
    halfWidth: width / 2,
    fromZ: 0,
    toZ: height,
    taper: straight,
    sides: "paint",
    top: "paint",
  },
];

const shapes = { car, van, lorry, bus, motorcycle: rider, bicycle: rider, person } as const;

export const blocksOf = ({ kind, lengthM, widthM, heightM }: Placement): readonly Block[] =>
  shapes[kind](lengthM, widthM, heightM);

/** Corners of a projected block: four below, anticlockwise from the rear right, then four above them. */
export const projectBlock = (view: View, place: Placement, block: Block, out: Float64Array): number => {
  const cos = Math.cos(place.heading);
  const sin = Math.sin(place.heading);
  const [rear, front, side] = block.taper;
  let nearest = Number.POSITIVE_INFINITY;
  for (let corner = 0; corner < 8; corner++) {
    const above = corner >= 4;
    const atFront = corner % 4 === 1 || corner % 4 === 2;
    const atLeft = corner % 4 >= 2;
    const x = atFront ? block.toX - (above ? front : 0) : block.fromX + (above ? rear : 0);
    const y = (block.halfWidth - (above ? side : 0)) * (atLeft ? 1 : -1);
    const z = above ? block.toZ : block.fromZ;
    const depth = project(view, place.x + x * cos - y * sin, place.y + x * sin + y * cos, z, out, 2 * corner);
    nearest = Math.min(nearest, depth);
  }
  return nearest;
};
