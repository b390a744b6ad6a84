/** Decides which act comes when: one kind again and again, a mixture from time to time, or none. */
import { type HazardType, hazardTypes } from "../../../protocols/detection.ts";
import { type Random, randomInt } from "../../../runtime/random.ts";
import type { Act, ActTruth, Stage, StartAct } from "./acts/act.ts";
import { startCongestion } from "./acts/congestion.ts";
import { startNearMiss } from "./acts/near-miss.ts";
import { startStalled } from "./acts/stalled.ts";
import { startTailgating } from "./acts/tailgating.ts";
import { startWrongWay } from "./acts/wrong-way.ts";

/** `mixture` is what a scene without the parameter shows. */
export type ActChoice = HazardType | "none" | "mixture";

export type Director = {
  /** To be called once a step, after the world has moved. */
  readonly step: () => void;
  /** The acts that are over, oldest first; the last 512. */
  readonly acts: () => readonly ActTruth[];
};

const starts: Readonly<Record<HazardType, StartAct>> = {
  tailgating: startTailgating,
  "near-miss": startNearMiss,
  "wrong-way": startWrongWay,
  stalled: startStalled,
  congestion: startCongestion,
};

const firstMs = 5_000;
const periodMs = 20_000;
const restMs = 8_000;
const retryMs = 250;
const patienceMs = 12_000;
const kept = 512;

const pauseMs = (random: Random): number => 12_000 + 20_000 * random.next();
const anyHazard = (random: Random): HazardType => hazardTypes[randomInt(random, hazardTypes.length)] ?? "stalled";

export const createDirector = (choice: ActChoice, stage: Stage): Director => {
  const { world, random } = stage;
  const done: ActTruth[] = [];
  const next = () => (choice === "mixture" || choice === "none" ? anyHazard(random) : choice);
  let running: Act | null = null;
  let hazard = next();
  let dueMs = choice === "mixture" ? firstMs + 8_000 * random.next() : firstMs;
  let begunMs = 0;
  let tryAtMs = dueMs;

  const plan = (atMs: number) => {
    hazard = next();
    dueMs = atMs;
    tryAtMs = atMs;
  };
  const finish = (act: Act) => {
    const truth = act.truth();
    if (truth) done.push(truth);
    if (done.length > kept) done.shift();
    if (!truth) return plan(world.nowMs + 1_500);
    plan(choice === "mixture" ? world.nowMs + pauseMs(random) : Math.max(begunMs + periodMs, world.nowMs + restMs));
  };
  return {
    acts: () => done,
    step() {
      if (choice === "none") return;
      if (running) {
        if (running.step()) return;
        const over = running;
        running = null;
        return finish(over);
      }
      if (world.nowMs < tryAtMs) return;
      running = starts[hazard](stage);
      begunMs = world.nowMs;
      tryAtMs = world.nowMs + retryMs;
      // The moment did not suit for long: something else, when there is a choice.
      if (!running && choice === "mixture" && world.nowMs - dueMs > patienceMs) plan(world.nowMs);
    },
  };
};

export const isActChoice = (text: string): text is ActChoice =>
  text === "none" || text === "mixture" || hazardTypes.some((hazard) => hazard === text);
