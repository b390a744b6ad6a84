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
  let pending = 0;

  return {
    run(pipe, causes, trace) {
      holdAll(causes);
      pending++;
      const { signal } = aborter;
      const ended = (message: () => Tagged) => {
        pending--;
        if (signal.aborted) abandonAll(causes, "the actor that asked for it is gone");
        else outcome(message, causes, trace);
      };
      new Promise((resolve) => resolve(pipe.start(signal))).then(
        (value) => ended(() => pipe.done(value)),
        (reason) => ended(() => pipe.failed(reason)),
      );
    },
    abort(reason) {
      aborter.abort(new Error(reason));
      aborter = new AbortController();
    },
    pending: () => pending,
  };
};
