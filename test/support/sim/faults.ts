/**
 * The fault model: everything that may go wrong in a simulated run, each with its probability. A run does not suffer all of it:
 * its seed leaves some faults out and makes others rare or frequent (swarm testing, Groce et al. 2012), so that what one
 * fault hides another run shows.
 */
import { type Random, randomInt, seededRandom } from "../../../runtime/random.ts";

/** Probabilities. `docs/simulation.md` says what each fault does. */
export type Faults = {
  // Per step of the run.
  readonly processCrash: number;
  readonly rollingRestart: number;
  readonly actorKill: number;
  readonly busOutage: number;
  readonly storeOutage: number;
  readonly slowSink: number;
  readonly clockJump: number;
  /** A handler throws after it has done its work and before its turn ends. */
  readonly turnCrash: number;
  /** Per time that an actor has work. */
  readonly turnDelay: number;
  /** Per record delivered by the bus. */
  readonly deliveryDelay: number;
  /** Per call of the store. */
  readonly storeFailure: number;
  // Per record that the cameras send.
  readonly poisonRecord: number;
  readonly garbageRecord: number;
  // Per call to a model.
  readonly llmThrottle: number;
  readonly llmTimeout: number;
  readonly llmError: number;
  readonly llmGarbage: number;
};

/** What is common when a fault is part of a run at all. */
const usual: Faults = {
  processCrash: 0.001,
  rollingRestart: 0.0005,
  actorKill: 0.003,
  busOutage: 0.001,
  storeOutage: 0.001,
  slowSink: 0.001,
  clockJump: 0.003,
  turnCrash: 0.01,
  turnDelay: 0.05,
  deliveryDelay: 0.1,
  storeFailure: 0.02,
  poisonRecord: 0.02,
  garbageRecord: 0.02,
  llmThrottle: 0.05,
  llmTimeout: 0.05,
  llmError: 0.05,
  llmGarbage: 0.05,
};

/** How long and how far. */
export const bounds = {
  downMs: 3_000,
  outageMs: 4_000,
  slowMs: 5_000,
  deliveryMs: 500,
  turnMs: 200,
  /** Of the wall clock, to either side. */
  skewMs: 3_000,
  drainMs: 5_000,
} as const;

const scaled = (factorOf: (name: keyof Faults) => number): Faults => {
  const names = Object.keys(usual) as (keyof Faults)[]; // the record's own keys
  return Object.fromEntries(names.map((name) => [name, usual[name] * factorOf(name)])) as Faults; // every name has its value
};

export const noFaults: Faults = scaled(() => 0);
export const usualFaults: Faults = usual;

/**
 * `pipe` and `timer`: one stage that waits in that way · `two-stages`: a second stage with a small mailbox does the waiting ·
 * `model`: the real scheduler, with a simulated provider.
 */
export const schedulerKinds = ["pipe", "timer", "two-stages", "model"] as const;
export type SchedulerKind = (typeof schedulerKinds)[number];

/** What a run is made of. */
export type Mix = {
  readonly faults: Faults;
  readonly scheduler: SchedulerKind;
  /** Records come one by one, or many at once with pauses between. */
  readonly load: "steady" | "bursts";
  /** Cameras, trackers and groupers run in the process, beside the records that come from elsewhere. */
  readonly lanes: boolean;
};

const factors = [0.3, 1, 1, 3];

const oneOf = <T>(random: Random, values: readonly T[], otherwise: T): T => values[randomInt(random, values.length)] ?? otherwise;

/** The mix of a seed. It does not depend on the run. */
export const mixOf = (seed: number): Mix => {
  const random = seededRandom(Math.imul(seed, 0x9e37_79b1) + 1);
  const faults = scaled(() => (random.next() < 0.4 ? 0 : oneOf(random, factors, 1)));
  return {
    faults,
    scheduler: oneOf(random, schedulerKinds, "pipe"),
    load: random.next() < 0.3 ? "bursts" : "steady",
    lanes: random.next() < 0.5,
  };
};

/** In a line: the faults that are part of it, with what differs from the usual. */
export const describeMix = ({ faults, scheduler, load, lanes }: Mix): string => {
  const names = Object.keys(usual) as (keyof Faults)[]; // as above
  const named = names.filter((name) => faults[name] > 0).map((name) => `${name} ${Number(faults[name].toPrecision(2))}`);
  return `scheduler ${scheduler}, ${load}${lanes ? ", lanes" : ""}; ${named.join(", ") || "no faults"}`;
};
