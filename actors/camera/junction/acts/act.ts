/** What the acts have in common: a dangerous scene is set up, runs, and is written down once it was really to be seen. */
import type { HazardType } from "../../../../protocols/detection.ts";
import type { Random } from "../../../../runtime/random.ts";
import type { Route } from "../layout.ts";
import { type Placement, placeVehicle } from "../placement.ts";
import { pointAt } from "../track.ts";
import { isSeen, type View } from "../view.ts";
import type { Vehicle, World } from "../world.ts";

/** Ground truth of one act: from when to when its definition held in view of the camera, and who took part. */
export type ActTruth = {
  readonly act: HazardType;
  readonly fromMs: number;
  readonly toMs: number;
  readonly memberIds: readonly number[];
};

export type Stage = {
  readonly world: World;
  readonly view: View;
  readonly random: Random;
  /** Where the act before took place; -1 at the beginning. */
  lastArm: number;
};

/** A running act. `step` is called once a step of the world, after it; it answers whether the act goes on. */
export type Act = {
  readonly step: () => boolean;
  /** Null when the definition was not met long enough. Asked once the act is over. */
  readonly truth: () => ActTruth | null;
};

/** Sets an act up, or answers null when the moment does not suit it. */
export type StartAct = (stage: Stage) => Act | null;

export const shuffled = <T>(random: Random, items: readonly T[]): T[] => {
  const rest = [...items];
  const out: T[] = [];
  while (rest.length > 0) out.push(...rest.splice(Math.floor(random.next() * rest.length), 1));
  return out;
};

/** The arms in random order, that of the last act at the end: traffic there has waited long enough. */
export const shuffledArms = ({ random, lastArm }: Stage): number[] => {
  const arms = shuffled(random, [0, 1, 2, 3]);
  return [...arms.filter((arm) => arm !== lastArm), ...arms.filter((arm) => arm === lastArm)];
};

/** How many metres of a route between two of its places the camera sees. */
export const seenM = (view: View, route: Route, fromM: number, toM: number): number => {
  const point = { x: 0, y: 0 };
  let seen = 0;
  for (let s = fromM; s < toM; s += 2) {
    pointAt(route.track, s, point);
    if (isSeen(view, point.x, point.y, 1.4)) seen += 2;
  }
  return seen;
};

/** Whether the line from the camera to a point passes through the body of `place`. */
const isInLine = (view: View, x: number, y: number, z: number, place: Placement): boolean => {
  const cos = Math.cos(place.heading);
  const sin = Math.sin(place.heading);
  let from = 0;
  let to = 1;
  // The ray, in the body's own axes, is cut by three pairs of planes.
  const cut = (start: number, end: number, low: number, high: number) => {
    const first = (low - start) / (end - start);
    const second = (high - start) / (end - start);
    from = Math.max(from, Math.min(first, second));
    to = Math.min(to, Math.max(first, second));
  };
  const along = (px: number, py: number) => (px - place.x) * cos + (py - place.y) * sin;
  const across = (px: number, py: number) => (py - place.y) * cos - (px - place.x) * sin;
  cut(along(view.x, view.y), along(x, y), -place.lengthM / 2, place.lengthM / 2);
  cut(across(view.x, view.y), across(x, y), -place.widthM / 2, place.widthM / 2);
  cut(view.z, z, 0, place.heightM);
  return from < to;
};

/** The vehicle is large enough in the picture, and its upper half is not hidden by another. */
export const vehicleIsSeen = ({ view, world }: Stage, vehicle: Vehicle): boolean => {
  const { x, y, heightM } = placeVehicle(vehicle, 0);
  if (!isSeen(view, x, y, heightM)) return false;
  return world.vehicles.every((other) => {
    if (other === vehicle) return true;
    return !isInLine(view, x, y, heightM * 0.6, placeVehicle(other, 0));
  });
};

const lookMs = 200;

/** Whether all of them are seen; looked at five times a second, and taken to hold in between. */
export const watchOver = (stage: Stage, vehicles: readonly Vehicle[]): (() => boolean) => {
  let lookedMs = Number.NEGATIVE_INFINITY;
  let seen = false;
  return () => {
    if (stage.world.nowMs - lookedMs >= lookMs) {
      lookedMs = stage.world.nowMs;
      seen = vehicles.every((vehicle) => vehicleIsSeen(stage, vehicle));
    }
    return seen;
  };
};

/** Nobody in the lane may still have to stop before the junction. */
export const laneRuns = (world: World, route: Route): boolean =>
  (world.entries[route.entry] ?? []).every((vehicle) => vehicle.committed);

export type Witness = {
  /** To be told at each step whether the definition holds. */
  readonly note: (nowMs: number, holds: boolean, memberIds: readonly number[]) => void;
  readonly heldMs: () => number;
  readonly truth: () => ActTruth | null;
};

/** Keeps the longest time on end for which an act's definition held. */
export const witness = (act: HazardType, shortestMs: number): Witness => {
  let fromMs = -1;
  let toMs = -1;
  let members = new Set<number>();
  let best: ActTruth | null = null;
  const close = () => {
    const heldMs = toMs - fromMs;
    if (fromMs >= 0 && heldMs >= shortestMs && (!best || heldMs > best.toMs - best.fromMs)) {
      best = { act, fromMs, toMs, memberIds: [...members].sort((one, other) => one - other) };
    }
    fromMs = -1;
    toMs = -1;
  };
  return {
    note(nowMs, holds, memberIds) {
      if (!holds) return close();
      if (fromMs < 0) {
        fromMs = nowMs;
        members = new Set();
      }
      toMs = nowMs;
      for (const id of memberIds) members.add(id);
    },
    heldMs: () => (fromMs < 0 ? 0 : toMs - fromMs),
    truth() {
      close();
      return best;
    },
  };
};
