/** Questions from outside of the actors, each with an address for its answer and a limit to how long it waits. */
import type { Codec } from "../protocols/codec.ts";
import type { Tagged } from "../protocols/message.ts";
import { type Address, addressOf } from "./actor.ts";
import type { Clock } from "./clock.ts";
import type { Envelope } from "./envelope.ts";
import { Fault, reasonOf } from "./errors.ts";
import { releaseAll } from "./settlement.ts";

const waitingMax = 1_000;

export type Asks = {
  readonly ask: <M extends Tagged, Answer extends Tagged>(
    to: Address<M>,
    question: (replyTo: Address<Answer>) => M,
    timeoutMs: number,
  ) => Promise<Answer>;
  /** False when nobody waits for it any more. */
  readonly answered: (replyTo: string, envelope: Envelope) => boolean;
  readonly close: () => void;
};

type Waiting = { readonly answer: (message: Tagged) => void; readonly fail: (why: string) => void };

/** `tell` says whether somebody took the message. */
export const createAsks = (clock: Clock, codec: Codec, tell: (path: string, message: Tagged) => boolean): Asks => {
  const waiting = new Map<string, Waiting>();
  let count = 0;

  const ask: Asks["ask"] = (to, question, timeoutMs) =>
    new Promise((resolve, reject) => {
      if (waiting.size >= waitingMax) return reject(new Fault("unavailable", `${waitingMax} questions wait for answers already`));
      const path = `ask/${count++}`;
      const end = () => {
        waiting.delete(path);
        cancel();
      };
      const fail = (why: string) => {
        end();
        reject(new Fault("unavailable", `${to.path} did not answer: ${why}`));
      };
      const cancel = clock.after(timeoutMs, () => fail(`nothing came within ${timeoutMs} ms`));
      waiting.set(path, {
        fail,
        answer(message) {
          end();
          resolve(message as never); // whoever is asked answers with what the question's type says
        },
      });
      try {
        if (!tell(to.path, question(addressOf(path)))) fail("nobody took the question");
      } catch (thrown) {
        end();
        reject(thrown);
      }
    });

  return {
    ask,
    answered(replyTo, { type, bytes, causes }) {
      const asker = waiting.get(replyTo);
      if (!asker) return false;
      try {
        asker.answer(codec.decode(type, bytes));
      } catch (thrown) {
        asker.fail(`its answer cannot be read: ${reasonOf(thrown)}`);
      }
      releaseAll(causes);
      return true;
    },
    close() {
      for (const { fail } of [...waiting.values()]) fail("the system has stopped");
    },
  };
};
