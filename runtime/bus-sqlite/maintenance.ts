/** What the log does beside appending and reading: lets go of old records, in chunks between writes, and checkpoints when it is quiet. */
import { type Clock, delay, every } from "../clock.ts";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Space } from "./calls.ts";

const periodMs = 1_000;
/** A pause between two chunks while the log is written to: pruning takes an eighth of its time at most. */
const betweenChunksMs = 25;

export type MaintenancePorts = {
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing waits to be written. */
  readonly isQuiet: () => boolean;
  readonly prune: () => Promise<Space & { readonly more: boolean }>;
  readonly checkpoint: () => Promise<void>;
  readonly measured: (space: Space) => void;
};

export type Maintenance = {
  /** There is something to checkpoint. */
  readonly written: () => void;
  /** Resolves when the round under way has ended. */
  readonly stop: () => Promise<void>;
};

export const startMaintenance = (ports: MaintenancePorts): Maintenance => {
  const { clock, isQuiet } = ports;
  const stopping = new AbortController();
  let dirty = false;
  let failing = false;
  let round: Promise<void> | null = null;

  const pruneAll = async () => {
    while (!stopping.signal.aborted) {
      const { more, ...space } = await ports.prune();
      ports.measured(space);
      if (!more) return;
      dirty = true;
      if (!isQuiet()) await delay(clock, betweenChunksMs, stopping.signal);
    }
  };

  const run = async () => {
    try {
      await pruneAll();
      failing = false;
      if (!dirty || !isQuiet() || stopping.signal.aborted) return;
      dirty = false;
      await ports.checkpoint();
    } catch (thrown) {
      if (failing || stopping.signal.aborted) return;
      // Once an outage: it is tried again a second later.
      failing = true;
      ports.log.warn("bus.append-failed", { driver: "sqlite", work: "maintenance", reason: reasonOf(thrown) });
    }
  };

  const cancel = every(clock, periodMs, () => {
    round ??= run().finally(() => {
      round = null;
    });
  });

  return {
    written() {
      dirty = true;
    },
    async stop() {
      cancel();
      stopping.abort();
      await round;
    },
  };
};
