/** Road users on flat ground as a pinhole camera sees them: boxes for tests of tracking and of risk rules. Metres, seconds, radians. */
import { type CameraModel, usualSize } from "../../actors/clusterer/ground.ts";
import type { Body } from "../../actors/clusterer/kinematics.ts";
import type { TrackedObject } from "../../protocols/frame.ts";
import type { Box } from "../../protocols/ids.ts";

export const pictureWidth = 1280;
export const pictureHeight = 720;

/** A camera on a mast, 8 m high, looking down by 22°. */
export const mast: CameraModel = {
  centreU: pictureWidth / 2,
  centreV: pictureHeight / 2,
  focalPx: 0.9 * pictureWidth,
  pitch: (22 * Math.PI) / 180,
  heightM: 8,
};

export type RoadUser = {
  readonly trackId: number;
  readonly class: string;
  /** Where it is; `null` while it is not there. */
  readonly at: (seconds: number) => { readonly x: number; readonly y: number; readonly heading: number } | null;
};

/** Goes straight from (x, y), at `speed`, towards `heading`. */
export const straight = (
  trackId: number,
  className: string,
  { x, y, heading, speed }: { readonly x: number; readonly y: number; readonly heading: number; readonly speed: number },
): RoadUser => ({
  trackId,
  class: className,
  at: (seconds) => ({ x: x + speed * seconds * Math.cos(heading), y: y + speed * seconds * Math.sin(heading), heading }),
});

/** The box around the eight corners of a body, projected one by one. */
export const boxOf = (camera: CameraModel, className: string, x: number, y: number, heading: number): Box => {
  const { lengthM, widthM, heightM } = usualSize(className);
  const us: number[] = [];
  const vs: number[] = [];
  for (const along of [-lengthM / 2, lengthM / 2]) {
    for (const across of [-widthM / 2, widthM / 2]) {
      for (const up of [0, heightM]) {
        const px = x + along * Math.cos(heading) - across * Math.sin(heading);
        const py = y + along * Math.sin(heading) + across * Math.cos(heading);
        const drop = camera.heightM - up;
        const depth = py * Math.cos(camera.pitch) + drop * Math.sin(camera.pitch);
        us.push(camera.centreU + (camera.focalPx * px) / depth);
        vs.push(camera.centreV + (camera.focalPx * (drop * Math.cos(camera.pitch) - py * Math.sin(camera.pitch))) / depth);
      }
    }
  }
  return [Math.min(...us), Math.min(...vs), Math.max(...us), Math.max(...vs)];
};

/** Everyone whose box lies in the picture. */
export const look = (camera: CameraModel, users: readonly RoadUser[], seconds: number): TrackedObject[] =>
  users.flatMap(({ trackId, class: className, at }) => {
    const place = at(seconds);
    if (!place) return [];
    const [x1, y1, x2, y2] = boxOf(camera, className, place.x, place.y, place.heading);
    if (x1 < 0 || y1 < 0 || x2 > pictureWidth || y2 > pictureHeight) return [];
    return [{ trackId, class: className, confidence: 0.9, bbox: [x1, y1, x2, y2], ageMs: seconds * 1000 }];
  });

/** A car at the origin that drives along x at 10 m/s, but for what is named. */
export const aBody = (overrides: Partial<Body> = {}): Body => {
  const { class: className = "car", heading = 0, speed = 10 } = overrides;
  return {
    trackId: 1,
    class: className,
    bbox: [100, 100, 200, 150],
    size: usualSize(className),
    x: 0,
    y: 0,
    vx: speed * Math.cos(heading ?? 0),
    vy: speed * Math.sin(heading ?? 0),
    speed,
    heading,
    standingMs: 0,
    slowMs: 0,
    creepsMs: 0,
    travelledM: 30,
    steady: true,
    cut: false,
    ...overrides,
  };
};
