/** Where every road user stands at a moment, in metres: what the picture, the truth boxes and the acts are made of. */

import type { Kind, ObjectClass } from "./kinds.ts";
import { armHeading, kerbM, stopLineM } from "./layout.ts";
import { type Point, pointAt } from "./track.ts";
import type { Vehicle, Walker, World } from "./world.ts";

export type Placement = {
  readonly id: number;
  readonly kind: Kind;
  readonly class: ObjectClass;
  /** Centre on the ground. */
  readonly x: number;
  readonly y: number;
  /** Radians, anticlockwise from east. */
  readonly heading: number;
  /** Metres per second. */
  readonly speed: number;
  readonly lengthM: number;
  readonly widthM: number;
  readonly heightM: number;
  readonly colour: number;
  readonly braking: boolean;
  /** Signals on both sides: broken down. */
  readonly hazard: boolean;
  readonly turning: "left" | "right" | null;
  /** Metres gone since it appeared, for the stride of legs. */
  readonly goneM: number;
};

const front: Point = { x: 0, y: 0 };
const rear: Point = { x: 0, y: 0 };

/** A vehicle `aheadS` seconds after the world's moment. Its axles stand on the route, so long ones cut corners. */
export const placeVehicle = (vehicle: Vehicle, aheadS: number): Placement => {
  const { lengthM, route, lateralM } = vehicle;
  const frontM = vehicle.frontM + vehicle.speed * aheadS;
  pointAt(route.track, frontM - 0.15 * lengthM, front);
  pointAt(route.track, frontM - 0.85 * lengthM, rear);
  const heading = Math.atan2(front.y - rear.y, front.x - rear.x);
  const ahead = route.exitAtM - frontM;
  const signals = ahead > 0 && frontM > 25 && (route.movement === "left" || route.movement === "right");
  return {
    id: vehicle.id,
    kind: vehicle.kind,
    class: vehicle.class,
    x: (front.x + rear.x) / 2 - lateralM * Math.sin(heading),
    y: (front.y + rear.y) / 2 + lateralM * Math.cos(heading),
    heading,
    speed: vehicle.speed,
    lengthM,
    widthM: vehicle.widthM,
    heightM: vehicle.heightM,
    colour: vehicle.colour,
    braking: vehicle.accel < -0.6 || vehicle.speed < 0.2,
    hazard: vehicle.stallAtM < Number.POSITIVE_INFINITY && vehicle.speed < 3,
    turning: signals && (route.movement === "left" || route.movement === "right") ? route.movement : null,
    goneM: frontM,
  };
};

export const placeWalker = (walker: Walker, aheadS: number): Placement => {
  const leg = walker.legs[walker.leg];
  const alongM = walker.alongM + walker.speed * aheadS;
  return {
    id: walker.id,
    kind: walker.kind,
    class: walker.class,
    x: leg ? leg.x + leg.dx * alongM : 0,
    y: leg ? leg.y + leg.dy * alongM : 0,
    heading: leg ? Math.atan2(leg.dy, leg.dx) : 0,
    speed: walker.speed,
    lengthM: walker.lengthM,
    widthM: walker.widthM,
    heightM: walker.heightM,
    colour: walker.colour,
    braking: false,
    hazard: false,
    turning: null,
    goneM: alongM,
  };
};

export const placeAll = (world: World, aheadS: number): Placement[] => [
  ...world.vehicles.map((vehicle) => placeVehicle(vehicle, aheadS)),
  ...world.walkers.map((walker) => placeWalker(walker, aheadS)),
];

/** The direction in which traffic runs at a place on an arm's carriageway; null in the junction and off the road. */
export const lawfulHeading = (x: number, y: number): number | null => {
  const arm = Math.abs(x) > Math.abs(y) ? (x > 0 ? 0 : 2) : y > 0 ? 1 : 3;
  const outM = Math.max(Math.abs(x), Math.abs(y));
  const leftM = (arm % 2 === 0 ? y : -x) * (arm < 2 ? 1 : -1);
  if (outM < stopLineM || Math.abs(leftM) > kerbM) return null;
  return leftM > 0 ? armHeading(arm) + Math.PI : armHeading(arm);
};
