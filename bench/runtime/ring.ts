/** The same actors in a ring under each of the runtimes compared: what is sent to whom, and how many messages a second they manage. */
import type { Tagged } from "../../protocols/message.ts";
import { type Contestant, rateOf } from "../harness.ts";

/** What actor `at` passes on to the next one, or null to keep it. The actor after the last is the first. */
export type Handle<M extends Tagged> = (at: number, message: M) => M | null;

/** Actors at run. */
export type Ring<M extends Tagged> = {
  /** To the first actor. */
  readonly send: (message: M) => void;
  readonly close: () => void | Promise<void>;
};

export type OpenRing = <M extends Tagged>(actors: number, handle: Handle<M>) => Ring<M> | Promise<Ring<M>>;

export type Runtime = { readonly name: string; readonly open: OpenRing };

/** What waits before the first actor at most. */
const window = 1_000;

/** Sends each message through six actors; the hash is of what arrives at the sixth, in order. */
export const pipeline =
  <M extends Tagged>(messages: readonly M[], weigh: (message: M) => number) =>
  async ({ name, open }: Runtime): Promise<Contestant> => {
    const last = 5;
    let hash = 0;
    let missing = 0;
    let arrived = () => {};
    const { send, close } = await open<M>(last + 1, (at, message) => {
      if (at < last) return message;
      hash = (Math.imul(hash, 31) + weigh(message)) | 0;
      if (--missing === 0) arrived();
      return null;
    });
    const run = rateOf(async (size) => {
      hash = 0;
      for (let sent = 0; sent < size; ) {
        missing = Math.min(window, size - sent);
        const done = new Promise<void>((resolve) => {
          arrived = resolve;
        });
        for (const end = sent + missing; sent < end; sent++) {
          const message = messages[sent % messages.length];
          if (message) send(message);
        }
        await done;
      }
      return hash >>> 0;
    });
    return { name, run, close };
  };

export type Ball = { readonly type: "bench.small"; readonly seq: number; readonly hop: number };

/** Two actors and one message between them, `size` times there and back. */
export const pingPong = async ({ name, open }: Runtime): Promise<Contestant> => {
  let hash = 0;
  let arrived = () => {};
  const { send, close } = await open<Ball>(2, (at, { type, seq, hop }) => {
    hash = (Math.imul(hash, 31) + seq) | 0;
    if (seq > 0) return { type, seq: seq - at, hop: hop + 1 };
    arrived();
    return null;
  });
  const run = rateOf(async (size): Promise<number> => {
    hash = 0;
    const done = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    send({ type: "bench.small", seq: size, hop: 0 });
    await done;
    return hash >>> 0;
  });
  return { name, run, close };
};
