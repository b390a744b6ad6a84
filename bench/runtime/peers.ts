/** The runtimes compared, each as its own documentation would have it. All pass references: nothing is encoded or copied. */
import { Decoder, Encoder } from "@msgpack/msgpack";
import { Effect, Fiber, Queue } from "effect";
import { dispatch, spawn, start, stop } from "nact";
import { asapScheduler, observeOn, Subject } from "rxjs";
import { createActor, type EventObject, fromCallback } from "xstate";
import manifest from "../../package.json" with { type: "json" };
import type { Tagged } from "../../protocols/message.ts";
import type { Handle, Runtime } from "./ring.ts";

type Peer = "nact" | "xstate" | "effect" | "rxjs" | "@msgpack/msgpack";
const versions: Readonly<Record<string, string>> = { ...manifest.dependencies, ...manifest.devDependencies };
const named = (peer: Peer): string => `${peer} ${versions[peer]}`;

let systems = 0;

/** `onCrash` is nact's own supervision; mailboxes have no bound. */
export const nact: Runtime = {
  name: named("nact"),
  open<M extends Tagged>(actors: number, handle: Handle<M>) {
    const system = start(`bench-${systems++}`);
    const references = Array.from({ length: actors }, (_, at) =>
      spawn(
        system,
        (seen: number, message: M) => {
          const passed = handle(at, message);
          const next = references[(at + 1) % actors];
          if (passed && next) dispatch(next, passed);
          return seen + 1;
        },
        `actor-${at}`,
        { initialState: 0 },
      ),
    );
    const [first] = references;
    return { send: (message: M) => void (first && dispatch(first, message)), close: () => stop(system) };
  },
};

/** Callback actors, the lightest of its kinds. A send runs the receiver at once; a mailbox holds what comes meanwhile, without bound. */
export const xstate: Runtime = {
  name: named("xstate"),
  open<M extends Tagged>(actors: number, handle: Handle<M>) {
    const references = Array.from({ length: actors }, (_, at) =>
      createActor(
        fromCallback<EventObject>(({ receive }) => {
          receive((event) => {
            const passed = handle(at, event as M); // only M is sent
            if (passed) references[(at + 1) % actors]?.send(passed);
          });
        }),
      ).start(),
    );
    const [first] = references;
    return {
      send: (message: M) => first?.send(message),
      close() {
        for (const reference of references) reference.stop();
      },
    };
  },
};

/** A fiber for each actor, which takes from its bounded queue. */
export const effect: Runtime = {
  name: named("effect"),
  async open<M extends Tagged>(actors: number, handle: Handle<M>) {
    const queues = await Effect.runPromise(Effect.all(Array.from({ length: actors }, () => Queue.bounded<M>(2_000))));
    const fibers = queues.map((queue, at) => {
      const next = queues[(at + 1) % actors] ?? queue;
      const turn = Effect.flatMap(Queue.take(queue), (message) => {
        const passed = handle(at, message);
        return passed ? Queue.offer(next, passed) : Effect.void;
      });
      return Effect.runFork(Effect.forever(turn));
    });
    const [first] = queues;
    return {
      send: (message: M) => void (first && Queue.offerUnsafe(first, message)),
      async close() {
        await Effect.runPromise(Effect.all(fibers.map((fiber) => Fiber.interrupt(fiber))));
      },
    };
  },
};

/** A subject for each actor, observed on the scheduler of microtasks; no bound, no supervision. */
export const rxjs: Runtime = {
  name: named("rxjs"),
  open<M extends Tagged>(actors: number, handle: Handle<M>) {
    const subjects = Array.from({ length: actors }, () => new Subject<M>());
    const subscriptions = subjects.map((subject, at) =>
      subject.pipe(observeOn(asapScheduler)).subscribe((message) => {
        const passed = handle(at, message);
        if (passed) subjects[(at + 1) % actors]?.next(passed);
      }),
    );
    return {
      send: (message: M) => subjects[0]?.next(message),
      close() {
        for (const subscription of subscriptions) subscription.unsubscribe();
      },
    };
  },
};

/**
 * No runtime at all: arrays of bytes, emptied in turn, and at each hop the library's encoder and decoder, made once. What is
 * slower than this pays more for its actors than its codec saves.
 */
export const plainCodec: Runtime = {
  name: `bare queues with ${named("@msgpack/msgpack")} at each hop`,
  open<M extends Tagged>(actors: number, handle: Handle<M>) {
    const encoder = new Encoder({ initialBufferSize: 128 * 1024, ignoreUndefined: true });
    const decoder = new Decoder();
    const queues = Array.from({ length: actors }, (): Uint8Array[] => []);
    let isScheduled = false;
    const drain = () => {
      isScheduled = false;
      for (let busy = true; busy; ) {
        busy = false;
        for (let at = 0; at < actors; at++) {
          const waiting = queues[at] ?? [];
          queues[at] = [];
          for (const bytes of waiting) {
            busy = true;
            const passed = handle(at, decoder.decode(bytes) as M); // what was encoded
            if (passed) queues[(at + 1) % actors]?.push(encoder.encode(passed));
          }
        }
      }
    };
    return {
      send(message: M) {
        queues[0]?.push(encoder.encode(message));
        if (isScheduled) return;
        isScheduled = true;
        setImmediate(drain);
      },
      close() {},
    };
  },
};
