/**
 * A deterministic run: one seed decides whose turn it is, how long things take and what goes wrong. Time moves only when
 * nothing is left to do. The same seed gives the same run.
 */
import type { Dispatcher, Runnable } from "../../runtime/dispatcher.ts";
import { type Random, randomInt, seededRandom } from "../../runtime/random.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

export type Simulation = {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Runs a step later, in an order of the seed's choosing. */
  readonly defer: (run: () => void) => void;
  /** A process: its turns and timers end together when it is killed. */
  readonly process: () => { readonly dispatcher: Dispatcher; readonly clock: VirtualClock; readonly kill: () => void };
  /** Runs until `untilMs` of virtual time. `between` is called between steps. */
  readonly run: (untilMs: number, between?: () => void) => Promise<void>;
  readonly steps: () => number;
};

/** How far promises get before the next step, before time moves on, and before a run ends: chains of awaits may be long. */
const roundsOfStep = 6;
/** More than the longest chain of promises that the runtime makes between two timers. */
const roundsOfTime = 120;
const roundsOfEnd = 500;

const microtasks = async (rounds: number): Promise<void> => {
  for (let round = 0; round < rounds; round++) await Promise.resolve();
};

/** Some fifty times what a run takes. */
const stepsMax = 200_000;

export const createSimulation = (seed: number): Simulation => {
  const random = seededRandom(seed);
  const clock = virtualClock();
  const pool: (() => void)[] = [];
  let steps = 0;

  const takeOne = (): (() => void) | undefined => {
    const at = randomInt(random, pool.length);
    const taken = pool[at];
    const last = pool.pop();
    if (at < pool.length && last) pool[at] = last;
    return taken;
  };

  return {
    clock,
    random,
    defer: (run) => void pool.push(run),
    process() {
      let alive = true;
      const queued = new Set<Runnable>();
      const ready = (runnable: Runnable) => {
        if (!alive || queued.has(runnable)) return;
        queued.add(runnable);
        pool.push(() => {
          queued.delete(runnable);
          if (alive && runnable.step()) ready(runnable);
        });
      };
      return {
        dispatcher: { ready, atMs: clock.monotonicMs },
        clock: { ...clock, after: (delayMs, run) => clock.after(delayMs, () => alive && run()) },
        kill() {
          alive = false;
        },
      };
    },
    async run(untilMs, between = () => {}) {
      for (;;) {
        await microtasks(roundsOfStep);
        if (pool.length === 0) await microtasks(roundsOfTime);
        if (pool.length === 0 && (clock.nextAtMs() ?? Number.POSITIVE_INFINITY) > untilMs) await microtasks(roundsOfEnd);
        if (pool.length > 0) {
          takeOne()?.();
          between();
          if (++steps > stepsMax) throw new Error(`the run did not come to rest within ${stepsMax} steps`);
          continue;
        }
        const atMs = clock.nextAtMs();
        if (atMs === null || atMs > untilMs) {
          await clock.advance(untilMs - clock.monotonicMs());
          return;
        }
        clock.fireNext();
      }
    },
    steps: () => steps,
  };
};
