/**
 * The simulated junction as one thing: a seed and a time give the same road users at the same places, always. The scene
 * is stepped from 0 by a fixed step; between steps everybody is taken to keep their speed.
 */
import { seededRandom } from "../../../runtime/random.ts";
import type { ActTruth } from "./acts/act.ts";
import { placeVehicles, stepArrivals } from "./arrivals.ts";
import { type ActChoice, createDirector } from "./director.ts";
import { placeWalkers, stepWalkers } from "./people.ts";
import { type Placement, placeAll } from "./placement.ts";
import { type Light, lightOf, stepSignals } from "./signals.ts";
import { stepTraffic } from "./traffic.ts";
import { createView, type View } from "./view.ts";
import { createWorld } from "./world.ts";

export const stepMs = 100;
export const pictureWidth = 960;
export const pictureHeight = 540;

export type SceneOptions = {
  readonly seed: number;
  /** Default `mixture`. */
  readonly act?: ActChoice;
  readonly width?: number;
  readonly height?: number;
};

export type Scene = {
  readonly seed: number;
  readonly view: View;
  /** The time last advanced to. */
  readonly nowMs: () => number;
  /** Steps until less than one step before `timeMs`. Time does not go back. */
  readonly advanceTo: (timeMs: number) => void;
  /** Everyone at the time last advanced to. Ids are never used twice. */
  readonly objects: () => Placement[];
  /** What drivers who come from each arm see: east, north, west, south. */
  readonly lights: () => readonly Light[];
  /** Ground truth of the acts that are over, oldest first; the last 512. */
  readonly acts: () => readonly ActTruth[];
};

export const createScene = (options: SceneOptions): Scene => {
  const { seed } = options;
  const world = createWorld(seed);
  const view = createView(seed, options.width ?? pictureWidth, options.height ?? pictureHeight);
  const random = seededRandom(Math.imul(seed ^ 0x7feb352d, 0xc2b2ae35));
  const director = createDirector(options.act ?? "mixture", { world, view, random, lastArm: -1 });
  placeVehicles(world);
  placeWalkers(world);
  let atMs = 0;

  const step = () => {
    world.nowMs += stepMs;
    stepSignals(world.signals, world.nowMs);
    stepArrivals(world);
    stepWalkers(world, stepMs / 1_000);
    stepTraffic(world, stepMs / 1_000);
    director.step();
  };
  return {
    seed,
    view,
    nowMs: () => atMs,
    advanceTo(timeMs) {
      while (world.nowMs + stepMs <= timeMs) step();
      atMs = Math.max(timeMs, world.nowMs);
    },
    objects: () => placeAll(world, (atMs - world.nowMs) / 1_000),
    lights: () => [0, 1, 2, 3].map((arm) => lightOf(world.signals, arm)),
    acts: director.acts,
  };
};

export type SceneMoment = {
  readonly objects: readonly Placement[];
  readonly lights: readonly Light[];
  readonly acts: readonly ActTruth[];
};

/** The scene at `timeMs`, stepped from its beginning. */
export const sceneAt = (options: SceneOptions, timeMs: number): SceneMoment => {
  const scene = createScene(options);
  scene.advanceTo(timeMs);
  return { objects: scene.objects(), lights: scene.lights(), acts: scene.acts() };
};
