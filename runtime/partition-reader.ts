/**
 * Delivers one partition, in order, to one reader: reads ahead in bounded batches, stops at once when paused, and takes
 * records that were just appended without reading them back.
 */
import type { BusRecord } from "./bus.ts";
import type { Cancel, Clock } from "./clock.ts";

/** Records delivered, and read, at a time. */
export const deliveryBatch = 256;
const bufferRecordsMax = 1_024;
const bufferBytesMax = 4 * 1_048_576;
const retryMs = 1_000;

/** `next` is the end of the partition when it was read. */
export type Fetched = { readonly records: readonly BusRecord[]; readonly next: number };

export type ReaderPorts = {
  readonly fetch: (offset: number, limit: number) => Promise<Fetched>;
  readonly record: (record: BusRecord) => void;
  /** A read or the record handler failed; the reader tries the same place again a second later. */
  readonly failed: (reason: unknown) => void;
  readonly clock: Clock;
  /** Runs a step of delivery later, so that no reader keeps the loop to itself. */
  readonly defer: (run: () => void) => void;
};

export type PartitionReader = {
  /** The offset that is delivered next. */
  readonly position: () => number;
  readonly pause: () => void;
  readonly resume: () => void;
  /** The partition ends at `next`; `appended` are its newest records, where they are at hand. */
  readonly grown: (next: number, appended?: readonly BusRecord[]) => void;
  readonly stop: () => void;
};

export const openPartitionReader = (from: number, ports: ReaderPorts): PartitionReader => {
  let position = from;
  let end = 0;
  let endKnown = false;
  let buffer: BusRecord[] = [];
  let taken = 0;
  let bufferBytes = 0;
  let fetching = false;
  let paused = false;
  let stopped = false;
  /** A step is under way or already asked for. */
  let busy = false;
  let cancelRetry: Cancel = () => {};

  const hold = (records: readonly BusRecord[]) => {
    for (const record of records) {
      buffer.push(record);
      bufferBytes += record.bytes.length;
    }
  };
  const schedule = () => {
    if (busy || stopped || paused) return;
    if (taken === buffer.length && endKnown && position >= end) return;
    busy = true;
    ports.defer(step);
  };
  const failed = (reason: unknown) => {
    if (stopped) return;
    ports.failed(reason);
    cancelRetry = ports.clock.after(retryMs, step);
  };

  const step = () => {
    if (stopped || paused) {
      busy = false;
      return;
    }
    if (taken === buffer.length) {
      buffer = [];
      taken = 0;
      bufferBytes = 0;
      if (!endKnown || position < end) return fetch();
    } else if (!deliver()) return;
    busy = false;
    schedule();
  };

  const deliver = (): boolean => {
    for (let count = 0; count < deliveryBatch && !paused && !stopped; count++) {
      const record = buffer[taken];
      if (record === undefined) break;
      try {
        ports.record(record);
      } catch (reason) {
        failed(reason);
        return false;
      }
      taken++;
      position = record.offset + 1;
    }
    return true;
  };

  const fetch = () => {
    fetching = true;
    ports.fetch(position, deliveryBatch).then(
      ({ records, next }) => {
        fetching = false;
        end = Math.max(end, next);
        // A place beyond the end (a log that was replaced) is moved to the end; later it cannot be beyond.
        if (!endKnown) position = Math.min(position, end);
        endKnown = true;
        if (records.length === 0) position = Math.max(position, next);
        hold(records);
        step();
      },
      (reason) => {
        fetching = false;
        failed(reason);
      },
    );
  };

  const reader: PartitionReader = {
    position: () => position,
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      schedule();
    },
    grown(next, appended = []) {
      const last = buffer[buffer.length - 1];
      const caughtUp =
        endKnown && !fetching && (last === undefined || taken === buffer.length ? position : last.offset + 1) >= end;
      const fits = buffer.length - taken + appended.length <= bufferRecordsMax && bufferBytes <= bufferBytesMax;
      if (caughtUp && fits && !paused && !stopped) hold(appended);
      end = Math.max(end, next);
      schedule();
    },
    stop() {
      stopped = true;
      buffer = [];
      taken = 0;
      cancelRetry();
    },
  };
  schedule();
  return reader;
};
