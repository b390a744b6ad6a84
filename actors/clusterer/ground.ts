/**
 * The seam between the picture and the road. Rules speak of metres on the ground; a `Ground` says where on it a box stands.
 * The one made here is a pinhole camera without roll over flat ground, its height and pitch estimated from the sizes of road
 * users (`ground-fit.ts`). A camera that was calibrated by hand would give another `Ground` and change nothing else.
 *
 * Metres; x to the right, y away from the camera, the origin below it. Estimated metres are good for rules with a margin, not
 * for measuring.
 */
import type { Box } from "../../protocols/ids.ts";

export type GroundPoint = { readonly x: number; readonly y: number };

export type Ground = {
  /** Where an object stands whose box has its centre at (u, v), `centreHeightM` above the road. */
  readonly place: (u: number, v: number, centreHeightM: number) => GroundPoint;
  /** The picture point of a place on the road. */
  readonly toPicture: (point: GroundPoint) => readonly [number, number];
};

/** What is needed to place the objects of one frame. */
export type Sight = { readonly ground: Ground; readonly ms: number; readonly imageWidth: number; readonly imageHeight: number };

/** Of a body as it stands on the road. */
export type BodySize = { readonly lengthM: number; readonly widthM: number; readonly heightM: number };

/** The usual size of what a detector calls so. */
const sizes: Readonly<Record<string, BodySize>> = {
  car: { lengthM: 4.4, widthM: 1.8, heightM: 1.5 },
  truck: { lengthM: 7.5, widthM: 2.3, heightM: 2.9 },
  bus: { lengthM: 11.5, widthM: 2.5, heightM: 3.1 },
  motorcycle: { lengthM: 2.1, widthM: 0.8, heightM: 1.6 },
  bicycle: { lengthM: 1.8, widthM: 0.6, heightM: 1.7 },
  person: { lengthM: 0.5, widthM: 0.5, heightM: 1.7 },
};
const unknownSize: BodySize = { lengthM: 1, widthM: 1, heightM: 1 };
export const usualSize = (className: string): BodySize => sizes[className] ?? unknownSize;

export type CameraModel = {
  /** The principal point. */
  readonly centreU: number;
  readonly centreV: number;
  readonly focalPx: number;
  /** Downwards from the horizontal, radians. */
  readonly pitch: number;
  readonly heightM: number;
};

/** Points on or above the horizon are taken as lying this far away. */
const FAR_M = 500;
/** And nothing is nearer to the lens than this. */
const NEAR_M = 0.5;

export const groundOf = (model: CameraModel): Ground => {
  const { centreU, centreV, focalPx, heightM } = model;
  const sin = Math.sin(model.pitch);
  const cos = Math.cos(model.pitch);
  return {
    place(u, v, centreHeightM) {
      const right = (u - centreU) / focalPx;
      const down = (v - centreV) / focalPx;
      const drop = Math.max(heightM - centreHeightM, 0.1);
      const reach = Math.min(drop / Math.max(down * cos + sin, 1e-6), FAR_M);
      return { x: right * reach, y: (cos - down * sin) * reach };
    },
    toPicture({ x, y }) {
      const depth = Math.max(y * cos + heightM * sin, NEAR_M);
      return [centreU + (focalPx * x) / depth, centreV + (focalPx * (heightM * cos - y * sin)) / depth];
    },
  };
};

/** Width and height in pixels of the box around a body that stands at `at` and heads the way of `heading`, of length 1. */
export type BoxSides = (at: GroundPoint, heading: GroundPoint, size: BodySize) => readonly [number, number];

export const boxSidesOf = ({ focalPx, heightM, pitch }: CameraModel): BoxSides => {
  const sin = Math.sin(pitch);
  const cos = Math.cos(pitch);
  return (at, heading, { lengthM, widthM, heightM: tallM }) => {
    const along = { x: (heading.x * lengthM) / 2, y: (heading.y * lengthM) / 2 };
    const across = { x: (-heading.y * widthM) / 2, y: (heading.x * widthM) / 2 };
    let [left, right, top, bottom] = [
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ];
    for (let corner = 0; corner < 8; corner++) {
      const front = corner & 1 ? 1 : -1;
      const side = corner & 2 ? 1 : -1;
      const drop = heightM - (corner & 4 ? tallM : 0);
      const x = at.x + front * along.x + side * across.x;
      const y = at.y + front * along.y + side * across.y;
      const scale = focalPx / Math.max(y * cos + drop * sin, NEAR_M);
      const u = x * scale;
      const v = (drop * cos - y * sin) * scale;
      if (u < left) left = u;
      if (u > right) right = u;
      if (v < top) top = v;
      if (v > bottom) bottom = v;
    }
    return [right - left, bottom - top];
  };
};

/** Whether the picture's edge may cut the object off: its centre and its sides then say little. */
export const isCut = (box: Box, imageWidth: number, imageHeight: number): boolean => {
  const margin = Math.max(2, 0.004 * imageWidth);
  return box[0] < margin || box[1] < margin || box[2] > imageWidth - margin || box[3] > imageHeight - margin;
};
