/** Very many actors that have nothing to do: how fast they are made, and what each holds of the heap. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Effect, Fiber, Queue } from "effect";
import { dispatch, spawn, start, stop } from "nact";
import { createActor, fromCallback } from "xstate";
import { addressOf, type DynamicAddress } from "../../runtime/actor.ts";
import { systemClock } from "../../runtime/clock.ts";
import { dynamic, stage } from "../../runtime/tree.ts";
import type { Contestant } from "../harness.ts";
import { startTree, tolerance } from "./own.ts";
import { effect, nact, xstate } from "./peers.ts";
import type { Ball } from "./ring.ts";

type Crowd = {
  /** One message for each; resolves when all have heard. */
  readonly tellAll: () => Promise<void>;
  readonly close: () => void | Promise<void>;
};

export type CrowdRuntime = {
  readonly name: string;
  /** Resolves when all are ready to hear. */
  readonly open: (actors: number) => Promise<Crowd>;
};

const ball: Ball = { type: "bench.small", seq: 1, hop: 1 };

/** Resolves at the `total`th call of `one`. */
const countdown = (total: number) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = total;
  const one = () => {
    if (--left === 0) resolve();
  };
  return { all: promise, one };
};

/** A dynamic supervisor takes 10,000 children. */
const childrenMax = 10_000;

const own: CrowdRuntime = {
  name: "vedette",
  async open(actors) {
    const started = countdown(actors);
    let heard = () => {};
    const definition = {
      name: "idle",
      mailbox: { capacity: 16, overflow: "drop-oldest" },
      start() {
        started.one();
        return { seen: 0 };
      },
      on: {
        "bench.small"(state: { seen: number }) {
          state.seen++;
          heard();
          return state;
        },
      },
    } as const;
    const crowdOf = (actor: number) => `crowd-${Math.floor(actor / childrenMax)}`;
    const crowds = Array.from({ length: Math.ceil(actors / childrenMax) }, (_, at) =>
      dynamic(crowdOf(at * childrenMax), tolerance, (key) => stage(definition, { name: key, args: undefined })),
    );
    const system = await startTree(crowds);
    for (let actor = 0; actor < actors; actor++) {
      const supervisor: DynamicAddress<undefined> = { path: `vedette/${crowdOf(actor)}` };
      system.startChild(supervisor, String(actor), undefined);
    }
    await started.all;
    return {
      async tellAll() {
        const { all, one } = countdown(actors);
        heard = one;
        for (let actor = 0; actor < actors; actor++) system.tell(addressOf<Ball>(`vedette/${crowdOf(actor)}/${actor}`), ball);
        await all;
      },
      close: () => system.stop("measured", 1_000),
    };
  },
};

let systems = 0;

const nactCrowd: CrowdRuntime = {
  name: nact.name,
  async open(actors) {
    let heard = () => {};
    const system = start(`crowd-${systems++}`);
    const hear = (seen: number, _: Ball) => {
      heard();
      return seen + 1;
    };
    const references = Array.from({ length: actors }, (_, at) => spawn(system, hear, String(at), { initialState: 0 }));
    return {
      async tellAll() {
        const { all, one } = countdown(actors);
        heard = one;
        for (const reference of references) dispatch(reference, ball);
        await all;
      },
      close: () => stop(system),
    };
  },
};

const xstateCrowd: CrowdRuntime = {
  name: xstate.name,
  async open(actors) {
    let heard = () => {};
    const logic = fromCallback<Ball>(({ receive }) => {
      let seen = 0;
      receive(() => {
        seen++;
        if (seen > 0) heard();
      });
    });
    const references = Array.from({ length: actors }, () => createActor(logic).start());
    return {
      async tellAll() {
        const { all, one } = countdown(actors);
        heard = one;
        for (const reference of references) reference.send(ball);
        await all;
      },
      close() {
        for (const reference of references) reference.stop();
      },
    };
  },
};

const effectCrowd: CrowdRuntime = {
  name: effect.name,
  async open(actors) {
    let heard = () => {};
    const queues = Array.from({ length: actors }, () => Effect.runSync(Queue.bounded<Ball>(16)));
    const fibers = queues.map((queue) => {
      let seen = 0;
      const turn = Effect.map(Queue.take(queue), () => {
        seen++;
        if (seen > 0) heard();
      });
      return Effect.runFork(Effect.forever(turn));
    });
    return {
      async tellAll() {
        const { all, one } = countdown(actors);
        heard = one;
        for (const queue of queues) Queue.offerUnsafe(queue, ball);
        await all;
      },
      async close() {
        await Effect.runPromise(Fiber.interruptAll(fibers));
      },
    };
  },
};

/** Actors made a second, until the last is ready. */
export const spawning = ({ name, open }: CrowdRuntime): Contestant => ({
  name,
  async run(size) {
    const startedMs = systemClock.monotonicMs();
    const crowd = await open(size);
    const tookMs = systemClock.monotonicMs() - startedMs;
    await crowd.close();
    return { values: [(size * 1_000) / tookMs], hash: size };
  },
});

export const crowds: readonly [CrowdRuntime, ...CrowdRuntime[]] = [own, nactCrowd, effectCrowd, xstateCrowd];

const idle = join(import.meta.dirname, "idle.ts");

/** Bytes for each actor, after a collection, in a process of its own. `told`: each has heard one message. */
export const resting =
  (figure: "heapBytes" | "rssBytes", told: boolean) =>
  ({ name }: CrowdRuntime): Contestant => ({
    name,
    async run(size) {
      const args = [idle, name, String(size), told ? "told" : "untold"];
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
      const figures: Record<string, number> = JSON.parse(stdout);
      return { values: [figures[figure] ?? Number.NaN], hash: size };
    },
  });
