/** What a SQLite driver does beside its calls: lets go of what is old, in chunks between writes, and checkpoints when it is quiet. */
import { type Clock, delay, every } from "../clock.ts";
import { reasonOf } from "../errors.ts";

const periodMs = 1_000;
/** A pause between two chunks while the file is written to: pruning takes an eighth of its time at most. */
const betweenChunksMs = 25;

export type MaintenancePorts = {
  readonly clock: Clock;
  /** Nothing waits to be written. */
  readonly isQuiet: () => boolean;
  /** Removes one chunk, and says whether there may be another. */
  readonly prune: () => Promise<boolean>;
  readonly checkpoint: () => Promise<void>;
  /** Told once an outage; it is tried again a second later. */
  readonly failed: (reason: string) => void;
};

export type Maintenance = {
  /** There is something to checkpoint. */
  readonly written: () => void;
  /** Resolves when the round under way has ended. */
  readonly stop: () => Promise<void>;
};

export const startMaintenance = ({ clock, isQuiet, prune, checkpoint, failed }: MaintenancePorts): Maintenance => {
  const stopping = new AbortController();
  let dirty = false;
  let failing = false;
  let round: Promise<void> | null = null;

  const pruneAll = async () => {
    while (!stopping.signal.aborted && (await prune())) {
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
      await checkpoint();
    } catch (thrown) {
      if (failing || stopping.signal.aborted) return;
      failing = true;
      failed(reasonOf(thrown));
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
