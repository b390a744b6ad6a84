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
  const ending = new AbortController();

  const handle = async (failure: Failure): Promise<void> => {
    let last = failure;
    while (!ending.signal.aborted) {
      const nowMs = ports.clock.monotonicMs();
      if (!intensity.allows(nowMs, last.causeKeys)) {
        ending.abort(); // whoever hears of it decides on all that failed together
        ports.observer.escalated(path, last.reason);
        escalate({ path, key: last.key, reason: `too many failures: ${last.reason}`, causeKeys: [] });
        return;
      }
      const waited = await delay(ports.clock, intensity.backoffMs(nowMs, ports.random), ending.signal).then(
        () => true,
        () => false,
      );
      if (!waited) return;
      try {
        await restart(last.path, last.reason);
        return;
      } catch (thrown) {
        ports.observer.failed(last.path, "start", reasonOf(thrown), thrown instanceof Error ? thrown.stack : undefined);
        last = { path: last.path, key: last.key, reason: reasonOf(thrown), causeKeys: [] };
      }
    }
  };

  return {
    failed(failure) {
      if (!ending.signal.aborted) work = work.then(() => handle(failure));
    },
    left: () => intensity.left(ports.clock.monotonicMs()),
    async end() {
      ending.abort();
      await work;
    },
  };
};
