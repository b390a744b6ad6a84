/** What a supervisor does about a failure: wait, restart, or give up. */
import type { Failure } from "../cell/failure.ts";
import { delay } from "../clock.ts";
import { reasonOf } from "../errors.ts";
import { createIntensity, type Tolerance } from "../intensity.ts";
import type { NodePorts, OnFailure } from "./node.ts";

export type Restarter = {
  readonly failed: (failure: Failure) => void;
  /** How many more failures are tolerated just now. */
  readonly left: () => number;
  /** The pause before the restart that is next is over. */
  readonly hurry: () => void;
  /** No restart begins after this; one in progress ends first. */
  readonly end: () => Promise<void>;
};

/**
 * Restarts one node, again and again until it runs, within its tolerance. Failures are handled one after another.
 * `escalate` is called when there were too many; the restarting then ends.
 */
export const createRestarter = (
  path: string,
  tolerance: Tolerance,
  ports: NodePorts,
  restart: (failedPath: string, reason: string) => Promise<void>,
  escalate: OnFailure,
): Restarter => {
  const intensity = createIntensity(tolerance);
  let work: Promise<void> = Promise.resolve();
  let isEnding = false;
  let pause = new AbortController();

  const handle = async (failure: Failure): Promise<void> => {
    let last = failure;
    while (!isEnding) {
      const nowMs = ports.clock.monotonicMs();
      if (!intensity.allows(nowMs, last.causeKeys)) {
        isEnding = true; // whoever hears of it decides on all that failed together
        ports.observer.escalated(path, last.reason);
        escalate({ path, key: last.key, reason: `too many failures: ${last.reason}`, causeKeys: [] });
        return;
      }
      await delay(ports.clock, intensity.backoffMs(nowMs, ports.random), pause.signal).catch(() => {});
      if (isEnding) return;
      try {
        await restart(last.path, last.reason);
        return;
      } catch (thrown) {
        ports.observer.failed(last.path, "start", reasonOf(thrown), thrown instanceof Error ? thrown.stack : undefined);
        last = { path: last.path, key: last.key, reason: reasonOf(thrown), causeKeys: [] };
      }
    }
  };

  const hurry = () => {
    pause.abort();
    pause = new AbortController();
  };

  return {
    failed(failure) {
      if (!isEnding) work = work.then(() => handle(failure));
    },
    left: () => intensity.left(ports.clock.monotonicMs()),
    hurry,
    async end() {
      isEnding = true;
      hurry();
      await work;
    },
  };
};
