/** Vedette's own runtime as the pipeline starts it: stages of a supervision tree, the system's clock and dispatcher, real codec. */
import { z } from "zod";
import { createCodec } from "../../protocols/codec.ts";
import { LiveDetection } from "../../protocols/detection.ts";
import { message, type Tagged } from "../../protocols/message.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { type ActorDefinition, type Address, addressOf } from "../../runtime/actor.ts";
import { createMemoryBroker } from "../../runtime/bus-memory.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemDispatcher } from "../../runtime/dispatcher.ts";
import { createFramePool, framePoolLayout } from "../../runtime/frame-pool.ts";
import type { Tolerance } from "../../runtime/intensity.ts";
import { silentLog } from "../../runtime/log.ts";
import { silentObserver } from "../../runtime/observer.ts";
import type { World } from "../../runtime/ports.ts";
import { systemRandom } from "../../runtime/random.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";
import { type System, startSystem } from "../../runtime/system.ts";
import { type ChildSpec, stage, supervisor } from "../../runtime/tree.ts";
import type { Handle, Runtime } from "./ring.ts";

export const Small = message("bench.small", "A message that says little.", { seq: z.int(), hop: z.int() });
export const Tick = message("bench.tick", "A timer ran out.", { timer: z.int(), dueMs: z.number() });

export const tolerance: Tolerance = { restarts: 5, withinMs: 60_000, backoffMs: [100, 5_000] };
const aboutCamera = (about: Tagged): string => ("cameraId" in about ? String(about.cameraId) : "");

/** `vedette` is the root. Bus and store are in memory, and there are no frames, where no others are given. */
export const startTree = async (
  children: readonly ChildSpec[],
  given: Partial<World> = {},
  topics: readonly TopicDefinition<never>[] = [],
): Promise<System> => {
  const world: World = {
    clock: systemClock,
    random: systemRandom,
    dispatcher: systemDispatcher(systemClock, setImmediate),
    codec: createCodec([Small, Tick, LiveDetection]),
    bus: createMemoryBroker({ clock: systemClock }).open(),
    store: createMemoryStore({ clock: systemClock }),
    frames: createFramePool(framePoolLayout(1, 32)),
    log: silentLog,
    observer: silentObserver,
    keyOf: aboutCamera,
    ...given,
  };
  const fatal = (reason: string): never => {
    throw new Error(reason);
  };
  return startSystem(supervisor("vedette", "one_for_one", tolerance, children), topics, world, fatal);
};

const nameOf = (at: number): string => `actor-${at}`;
const addressAt = (at: number): Address<Tagged> => addressOf(`vedette/${nameOf(at)}`);

/** A method, so that a handle of one type of message may stand here: an actor hears no other. */
type Place = {
  readonly at: number;
  readonly isLast: boolean;
  readonly next: Address<Tagged>;
  handle(at: number, heard: Tagged): Tagged | null;
};

/** Counts what it hears, and passes on what `handle` gives. */
const passing = (type: string): ActorDefinition<Place, Place & { seen: number }, Tagged> => ({
  name: "passing",
  mailbox: { capacity: 2_000, overflow: "pause-source" },
  start: (place) => ({ ...place, seen: 0 }),
  on: {
    [type](state, heard, { tell, reply }) {
      state.seen++;
      const passed = state.handle(state.at, heard);
      // Stages may not tell one another in a circle; the last one answers the first.
      if (passed) (state.isLast ? reply : tell)(state.next, passed);
      return state;
    },
  },
});

/** The stages of a ring, sinks first, as in the pipeline. */
export const ringStages = <M extends Tagged>(type: M["type"], actors: number, handle: Handle<M>): ChildSpec[] => {
  const definition = passing(type);
  return Array.from({ length: actors }, (_, back) => {
    const at = actors - 1 - back;
    const next = addressAt((at + 1) % actors);
    const isLast = at === actors - 1;
    return stage(definition, { name: nameOf(at), args: { at, isLast, next, handle }, tells: isLast ? [] : [next] });
  });
};

const runtimeFor = (type: string, name: string, world: Partial<World>): Runtime => ({
  name,
  async open<M extends Tagged>(actors: number, handle: Handle<M>) {
    const system = await startTree(ringStages(type, actors, handle), world);
    return { send: (sent: M) => system.tell(addressAt(0), sent), close: () => system.stop("measured", 1_000) };
  },
});

/** Actors that hear messages of one type. */
export const ownRuntime = (type: string): Runtime => runtimeFor(type, "vedette", {});
/** The same with each message left to the library. */
export const ownRuntimeOnLibraryCodec = (type: string): Runtime =>
  runtimeFor(type, "vedette with @msgpack/msgpack in place of its codec", { codec: createCodec([], { construction: "none" }) });
