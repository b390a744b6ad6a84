/** A cell's writes to the store. Each holds the causes of its turn until the fact is durable. */
import type { Clock } from "../clock.ts";
import { reasonOf } from "../errors.ts";
import type { Observer } from "../observer.ts";
import { abandonAll, type Cause, holdAll, releaseAll } from "../settlement.ts";
import type { Fact, Store } from "../store.ts";

const attemptsMax = 10;

export type Saves = {
  readonly put: (facts: readonly Fact[], causes: readonly Cause[]) => void;
  readonly pending: () => number;
  /** Nothing is tried again. */
  readonly close: () => void;
  /** Resolves when nothing is being written any more. */
  readonly flushed: () => Promise<void>;
};

export const createSaves = (store: Store, clock: Clock, observer: Observer): Saves => {
  let pending = 0;
  let flushed: (() => void)[] = [];
  let closed = false;

  const ended = () => {
    if (--pending > 0) return;
    const waiters = flushed;
    flushed = [];
    for (const resolve of waiters) resolve();
  };

  const attempt = (facts: readonly Fact[], causes: readonly Cause[], attempts: number) => {
    store.put(facts).then(
      () => {
        ended();
        releaseAll(causes);
      },
      (thrown) => {
        observer.sendFailed("store", reasonOf(thrown));
        if (attempts < attemptsMax) {
          clock.after(Math.min(5_000, 100 * 2 ** attempts), () => {
            if (!closed) return attempt(facts, causes, attempts + 1);
            ended();
            abandonAll(causes, "the stage stopped before its facts were durable");
          });
          return;
        }
        ended();
        abandonAll(causes, `the store did not take a fact: ${reasonOf(thrown)}`);
      },
    );
  };

  return {
    put(facts, causes) {
      pending++;
      holdAll(causes);
      attempt(facts, causes, 0);
    },
    close() {
      closed = true;
    },
    pending: () => pending,
    flushed: () => (pending === 0 ? Promise.resolve() : new Promise((resolve) => flushed.push(resolve))),
  };
};
