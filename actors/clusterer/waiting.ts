/** Where vehicles wait, learned from the first of each queue: stop lines, give-way lines, bus stops. */
import type { Ground, GroundPoint } from "./ground.ts";

/** In the picture, so that a better estimate of the camera does not move it. */
type Place = { readonly u: number; readonly v: number; weight: number };
export type Waiting = Place[];

export type WaitingPlace = GroundPoint & {
  /** How many have waited there. */
  readonly weight: number;
};

const PLACES_MAX = 64;
/** Places that are nearer to each other than a car's length are one. */
const SAME_PLACE_M = 4;

/** Notes that the first of a queue stood here. */
export const noteWait = (places: Waiting, point: GroundPoint, ground: Ground, weight: number): void => {
  const known = places.find(({ u, v }) => {
    const place = ground.place(u, v, 0);
    return Math.hypot(place.x - point.x, place.y - point.y) < SAME_PLACE_M;
  });
  if (known) {
    known.weight += weight;
    return;
  }
  if (places.length >= PLACES_MAX) {
    const lightest = places.reduce((least, place) => (place.weight < least.weight ? place : least));
    places.splice(places.indexOf(lightest), 1);
  }
  const [u, v] = ground.toPicture(point);
  places.push({ u, v, weight });
};

/** Where vehicles have been seen to wait. */
export const waitingPlaces = (places: Waiting, ground: Ground): WaitingPlace[] =>
  places.filter(({ weight }) => weight >= 1).map(({ u, v, weight }) => ({ ...ground.place(u, v, 0), weight }));
