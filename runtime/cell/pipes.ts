/** An incarnation's work that waits. Its outcome is a message; after the incarnation's end it is nobody's, and its causes are repeated. */
import type { Tagged } from "../../protocols/message.ts";
import { abandonAll, type Cause, holdAll } from "../settlement.ts";
import type { Pipe } from "./outbox.ts";

export type Pipes = {
  readonly run: (pipe: Pipe, causes: readonly Cause[], trace: string) => void;
  readonly abort: (reason: string) => void;
  readonly pending: () => number;
};

/** `outcome` takes over the hold on the causes. */
export const createPipes = (outcome: (message: () => Tagged, causes: readonly Cause[], trace: string) => void): Pipes => {
  let aborter = new AbortController();
  const running = new Set<readonly Cause[]>();

  return {
    run(pipe, causes, trace) {
      holdAll(causes);
      const held = [...causes]; // a list of its own, so that each pipe is known from the others
      running.add(held);
      const { signal } = aborter;
      const ended = (message: () => Tagged) => {
        if (running.delete(held)) outcome(message, causes, trace);
      };
      new Promise((resolve) => resolve(pipe.start(signal))).then(
        (value) => ended(() => pipe.done(value)),
        (reason) => ended(() => pipe.failed(reason)),
      );
    },
    abort(reason) {
      aborter.abort(new Error(reason));
      aborter = new AbortController();
      // Not when they end: work that does not heed its signal must not keep a delivery for ever.
      const given = [...running];
      running.clear();
      for (const causes of given) abandonAll(causes, reason);
    },
    pending: () => running.size,
  };
};
