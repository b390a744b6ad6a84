/** People on foot: they walk along the pavements, wait at the kerb for their light, and cross. */
import { type Random, randomInt } from "../../../runtime/random.ts";
import { buildPerson } from "./kinds.ts";
import { crossingFromM, crossingToM, onArm } from "./layout.ts";
import { crossingIsSafe } from "./right-of-way.ts";
import { mayWalk } from "./signals.ts";
import type { Point } from "./track.ts";
import { intervalMs, type Leg, type Walker, type World } from "./world.ts";

const walkersMax = 30;
/** Where people come into the scene and leave it. */
export const pavementEndM = 76;
/** How far from the middle of the road people wait for their light. */
export const waitingM = 9.4;
const middleM = (crossingFromM + crossingToM) / 2;
const walkerArrival = 5;

export type Side = 1 | -1;

type Stop = Point & { readonly arm: number };

/** Legs through `stops`; a stop's `arm` says that the way to it is the crossing of that arm. */
export const legsThrough = (start: Point, stops: readonly Stop[]): Leg[] => {
  const legs: Leg[] = [];
  let from = start;
  for (const to of stops) {
    const lengthM = Math.hypot(to.x - from.x, to.y - from.y);
    if (lengthM > 0.01) {
      legs.push({ x: from.x, y: from.y, dx: (to.x - from.x) / lengthM, dy: (to.y - from.y) / lengthM, lengthM, arm: to.arm });
      from = to;
    }
  }
  return legs;
};

/** The corner left of arm `c` is corner c; it touches arm c on its left side and arm c + 1 on its right side. */
const mouthsOf = (corner: number): readonly [Mouth, Mouth] => [
  [corner, 1],
  [(corner + 1) % 4, -1],
];

type Mouth = readonly [arm: number, side: Side];

/** One of the two arms at a corner, never `but`. */
const pickMouth = (random: Random, corner: number, but: number): Mouth => {
  const [first, second] = mouthsOf(corner);
  if (first[0] === but) return second;
  if (second[0] === but) return first;
  return random.next() < 0.5 ? first : second;
};

const planWalk = (random: Random): Leg[] => {
  const arm = randomInt(random, 4);
  const side: Side = random.next() < 0.5 ? 1 : -1;
  const lateralM = 10.1 + 1.3 * random.next();
  const stripM = middleM + 2.2 * (random.next() - 0.5);
  const kerbM = waitingM + 0.6 * random.next();
  let corner = side > 0 ? arm : (arm + 3) % 4;
  let cameBy = -1;
  const stops: Stop[] = [{ ...onArm(arm, stripM, side * lateralM), arm: -1 }];
  const dice = random.next();
  for (let left = dice < 0.25 ? 0 : dice < 0.75 ? 1 : 2; left > 0; left--) {
    const [over, at] = pickMouth(random, corner, cameBy);
    stops.push({ ...onArm(over, stripM, at * kerbM), arm: -1 }, { ...onArm(over, stripM, -at * kerbM), arm: over });
    corner = at > 0 ? (corner + 3) % 4 : (corner + 1) % 4;
    cameBy = over;
  }
  // Who crosses nothing turns the corner; the others leave by either arm.
  const [leaveBy, leaveAt] = pickMouth(random, corner, stops.length === 1 ? arm : -1);
  stops.push({ ...onArm(leaveBy, stripM, leaveAt * lateralM), arm: -1 });
  stops.push({ ...onArm(leaveBy, pavementEndM, leaveAt * lateralM), arm: -1 });
  return legsThrough(onArm(arm, pavementEndM, side * lateralM), stops);
};

const addWalker = (world: World): Walker => {
  const { random } = world;
  const walkSpeed = 1.1 + 0.5 * random.next();
  const walker: Walker = {
    ...buildPerson(random),
    id: world.nextId++,
    legs: planWalk(random),
    walkSpeed,
    leg: 0,
    alongM: 0,
    speed: walkSpeed,
    mayGo: null,
  };
  world.walkers.push(walker);
  return walker;
};

/** The people of the first moment, somewhere on the pavements. */
export const placeWalkers = (world: World): void => {
  const count = Math.round(world.demand.walkers * 90);
  for (let placed = 0; placed < count; placed++) {
    const walker = addWalker(world);
    const first = walker.legs[0];
    if (first) walker.alongM = first.lengthM * world.random.next();
  }
  world.nextArrivalMs[walkerArrival] = intervalMs(world.random, world.demand.walkers);
};

const mayStart = (world: World, walker: Walker, arm: number): boolean =>
  walker.mayGo ?? (mayWalk(world.signals, arm, world.nowMs) && crossingIsSafe(world, arm));

/** Moves one walker; false when it has left the scene. */
const walk = (world: World, walker: Walker, stepS: number): boolean => {
  let restM = walker.walkSpeed * stepS;
  walker.speed = walker.walkSpeed;
  for (;;) {
    const leg = walker.legs[walker.leg];
    if (!leg) return false;
    if (leg.arm >= 0 && walker.alongM === 0 && !mayStart(world, walker, leg.arm)) {
      walker.speed = 0;
      return true;
    }
    const leftM = leg.lengthM - walker.alongM;
    if (restM < leftM) {
      walker.alongM += restM;
      return true;
    }
    restM -= leftM;
    walker.leg += 1;
    walker.alongM = 0;
  }
};

export const stepWalkers = (world: World, stepS: number): void => {
  if (world.nowMs >= (world.nextArrivalMs[walkerArrival] ?? 0)) {
    world.nextArrivalMs[walkerArrival] = world.nowMs + intervalMs(world.random, world.demand.walkers);
    if (world.walkers.length < walkersMax) addWalker(world);
  }
  for (const list of world.crossing) list.length = 0;
  let kept = 0;
  for (const walker of world.walkers) {
    if (!walk(world, walker, stepS)) continue;
    world.walkers[kept++] = walker;
    const leg = walker.legs[walker.leg];
    if (leg && leg.arm >= 0 && walker.alongM > 0) world.crossing[leg.arm]?.push(walker);
  }
  world.walkers.length = kept;
};
