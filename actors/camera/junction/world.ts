/** The state of the simulated junction: who is there and what holds for everyone. Changed in place, step by step. */
import { type Random, seededRandom } from "../../../runtime/random.ts";
import type { Driver } from "./driver.ts";
import type { Build } from "./kinds.ts";
import { entryCount, exitCount, type Route } from "./layout.ts";
import { createSignals, type Signals } from "./signals.ts";

export type Vehicle = Build & {
  readonly id: number;
  readonly route: Route;
  readonly driver: Driver;
  /** Constant offset to the left of the lane's centre. */
  readonly lateralM: number;
  /** Distance of the front along the route. */
  frontM: number;
  speed: number;
  accel: number;
  /** Has passed the point where it could still stop at the line. */
  committed: boolean;
  /** Where it breaks down, as a distance along the route; infinity for everyone but the stalled. */
  stallAtM: number;
  /** Since when it has stood at the line though its light is green; -1 when it does not. */
  waitsSinceMs: number;
  /** Does not see people on the crossings. */
  heedless: boolean;
};

export type Leg = {
  readonly x: number;
  readonly y: number;
  /** Unit direction. */
  readonly dx: number;
  readonly dy: number;
  readonly lengthM: number;
  /** The arm whose crossing this leg is; -1 on the pavement. */
  readonly arm: number;
};

export type Walker = Build & {
  readonly id: number;
  readonly legs: readonly Leg[];
  readonly walkSpeed: number;
  leg: number;
  alongM: number;
  /** 0 while waiting. */
  speed: number;
  /** Crosses when told, whatever the light shows; null obeys the light. */
  mayGo: boolean | null;
};

export type Demand = {
  /** Vehicles a second, by arm. */
  readonly vehicles: readonly number[];
  readonly bicycles: number;
  readonly walkers: number;
};

export type World = {
  nowMs: number;
  nextId: number;
  readonly vehicles: Vehicle[];
  /** By entry lane, first come first: from the arm's end until the tail has left the connector. */
  readonly entries: readonly Vehicle[][];
  /** By exit lane: those on their way to it inside the junction, and on it. */
  readonly exits: readonly Vehicle[][];
  readonly walkers: Walker[];
  /** By arm: who is on the crossing at this step. */
  readonly crossing: readonly Walker[][];
  readonly signals: Signals;
  readonly demand: Demand;
  /** Milliseconds of the next arrival: by arm vehicles, then bicycles, then walkers. */
  readonly nextArrivalMs: number[];
  /** Vehicles that an arm may hold before newcomers wait outside. */
  readonly armLimit: number[];
  /** An exit lane that nobody may enter; -1 for none. */
  closedExit: number;
  /** Nobody may enter the junction but this vehicle; null for the usual rules. */
  sole: Vehicle | null;
  /** An approach where everybody creeps. */
  slow: { readonly arm: number; readonly speed: number } | null;
  readonly random: Random;
};

/** In normal traffic, so that a red light's queue is not a jam. */
export const usualArmLimit = 4;

export const createWorld = (seed: number): World => {
  const random = seededRandom(Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1));
  const busy = 0.7 + 0.6 * random.next();
  const rate = (base: number) => base * busy * (0.75 + 0.5 * random.next());
  return {
    nowMs: 0,
    nextId: 1,
    vehicles: [],
    entries: Array.from({ length: entryCount }, () => []),
    exits: Array.from({ length: exitCount }, () => []),
    walkers: [],
    crossing: [[], [], [], []],
    signals: createSignals(random),
    demand: {
      vehicles: [rate(0.13), rate(0.1), rate(0.13), rate(0.1)],
      bicycles: rate(0.06),
      walkers: rate(0.2),
    },
    nextArrivalMs: [0, 0, 0, 0, 0, 0],
    armLimit: [usualArmLimit, usualArmLimit, usualArmLimit, usualArmLimit],
    closedExit: -1,
    sole: null,
    slow: null,
    random,
  };
};

/** Exponential interval of a Poisson stream. */
export const intervalMs = (random: Random, perSecond: number): number => (-Math.log(1 - random.next()) / perSecond) * 1_000;
