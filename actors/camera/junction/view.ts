/** The fixed camera: a pinhole on a mast, looking down at the junction. Metres in, pixels out. */
import { seededRandom } from "../../../runtime/random.ts";

export type View = {
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  /** Unit vectors of the picture's right, down and depth, in the world. */
  readonly right: readonly [number, number, number];
  readonly down: readonly [number, number, number];
  readonly ahead: readonly [number, number, number];
  readonly focalPx: number;
};

/** Nothing nearer than this is projected. */
export const nearM = 1;

/** The corner the camera stands at: 3 is the one between the south and the east arm, 2 that between west and south. */
export const cameraCorner = (view: View): number => (view.x > 0 ? 3 : 2);

export const createView = (seed: number, width: number, height: number): View => {
  const random = seededRandom(Math.imul(seed ^ 0x2545f491, 0x85ebca6b));
  const side = random.next() < 0.5 ? -1 : 1;
  const azimuth = -Math.PI / 2 + side * (0.62 + 0.28 * random.next());
  const distanceM = 46 + 5 * random.next();
  const z = 14 + 3 * random.next();
  const x = distanceM * Math.cos(azimuth);
  const y = distanceM * Math.sin(azimuth);
  // Looks past the middle, so that the far arms fill the upper half and some sky is left.
  const target = [side * -5.5, 6.5, 0] as const;
  const [ax, ay, az] = [target[0] - x, target[1] - y, target[2] - z];
  const norm = Math.hypot(ax, ay, az);
  const ahead = [ax / norm, ay / norm, az / norm] as const;
  const flat = Math.hypot(ahead[0], ahead[1]);
  const right = [ahead[1] / flat, -ahead[0] / flat, 0] as const;
  // down = ahead × right
  const down = [
    ahead[1] * right[2] - ahead[2] * right[1],
    ahead[2] * right[0] - ahead[0] * right[2],
    ahead[0] * right[1] - ahead[1] * right[0],
  ] as const;
  return { width, height, x, y, z, right, down, ahead, focalPx: width * 0.86 };
};

/** Writes the picture point of (x, y, z) into `out` at `at`; returns the depth in metres, which may be under `nearM`. */
export const project = (view: View, x: number, y: number, z: number, out: Float64Array, at: number): number => {
  const dx = x - view.x;
  const dy = y - view.y;
  const dz = z - view.z;
  const { right, down, ahead } = view;
  const depth = dx * ahead[0] + dy * ahead[1] + dz * ahead[2];
  const scale = view.focalPx / Math.max(depth, nearM);
  out[at] = view.width / 2 + (dx * right[0] + dy * right[1] + dz * right[2]) * scale;
  out[at + 1] = view.height / 2 + (dx * down[0] + dy * down[1] + dz * down[2]) * scale;
  return depth;
};

const probe = new Float64Array(2);

/** Whether something `sizeM` tall, standing at (x, y), is well inside the picture and at least 8 pixels large. */
export const isSeen = (view: View, x: number, y: number, sizeM: number): boolean => {
  const depth = project(view, x, y, sizeM / 2, probe, 0);
  const marginPx = 12;
  const [px = 0, py = 0] = probe;
  return (
    depth > nearM &&
    (sizeM * view.focalPx) / depth >= 8 &&
    px > marginPx &&
    px < view.width - marginPx &&
    py > marginPx &&
    py < view.height - marginPx
  );
};
