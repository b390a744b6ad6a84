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
  /** Read ahead, not yet delivered. */
  let buffer: BusRecord[] = [];
  let bufferBytes = 0;
  let fetching = false;
  let paused = false;
  let stopped = false;
  /** A step is under way, asked for, or waiting to be tried again. */
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
    if (buffer.length === 0 && endKnown && position >= end) return;
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
    if (buffer.length > 0) {
      if (!deliver()) return;
    } else if (!endKnown || position < end) return fetch();
    busy = false;
    schedule();
  };

  const deliver = (): boolean => {
    let taken = 0;
    let works = true;
    for (const record of buffer.slice(0, deliveryBatch)) {
      if (paused || stopped) break;
      try {
        ports.record(record);
      } catch (reason) {
        works = false;
        failed(reason);
        break;
      }
      taken++;
      bufferBytes -= record.bytes.length;
      position = record.offset + 1;
    }
    buffer.splice(0, taken);
    return works;
  };

  const fetch = () => {
    fetching = true;
    ports.fetch(position, deliveryBatch).then(
      ({ records, next }) => {
        fetching = false;
        end = Math.max(end, next);
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
      const tail = last === undefined ? position : last.offset + 1;
      // Notices may come in another order than their records were stored: what does not join on is read from the log.
      const joins = (appended[0]?.offset ?? 0) <= end;
      const takes = joins && endKnown && tail >= end && !fetching && !paused && !stopped;
      // A read may have overtaken the notice of what it read, hence the filter.
      if (takes && buffer.length + appended.length <= bufferRecordsMax && bufferBytes <= bufferBytesMax)
        hold(appended.filter((record) => record.offset >= tail));
      end = Math.max(end, next);
      schedule();
    },
    stop() {
      stopped = true;
      buffer = [];
      cancelRetry();
    },
  };
  schedule();
  return reader;
};
