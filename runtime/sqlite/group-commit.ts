/**
 * Group commit: what is submitted within a few milliseconds becomes durable together. An idle log commits at once; a busy
 * one waits at most 5 ms or until 100 records are there, and no longer than four times what a commit takes.
 */
import type { Cancel, Clock } from "../clock.ts";
import { Fault } from "../errors.ts";

const lingerMaxMs = 5;
const lingerPerCommit = 4;
const enoughRecords = 100;
/** While one batch is written a larger one gathers, so that a sync is shared by more. */
const enoughWhileBusy = 400;
const batchRecordsMax = 1_000;
const batchBytesMax = 8 * 1_048_576;
/** One is written while the next is on its way. */
const inFlightMax = 2;
const waitingBytesMax = 64 * 1_048_576;

export type GroupCommit<Item, Result> = {
  /** Resolves when durable; rejects with what `write` rejected with. */
  readonly submit: (item: Item, records: number, bytes: number) => Promise<Result>;
  /** Sends what waits without waiting longer. */
  readonly flush: () => void;
  readonly isQuiet: () => boolean;
  readonly drained: () => Promise<void>;
};

type Waiting<Item, Result> = {
  readonly item: Item;
  readonly records: number;
  readonly bytes: number;
  readonly outcome: PromiseWithResolvers<Result>;
};

/** `write` answers item by item, in order. */
export const createGroupCommit = <Item, Result>(
  clock: Clock,
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
): GroupCommit<Item, Result> => {
  const waiting: Waiting<Item, Result>[] = [];
  let waitingRecords = 0;
  let waitingBytes = 0;
  let inFlight = 0;
  let sentAtMs = Number.NEGATIVE_INFINITY;
  /** What the last commit took; at first unknown, so the longest wait holds. */
  let commitMs = lingerMaxMs / lingerPerCommit;
  let cancel: Cancel | null = null;
  let quiet = Promise.withResolvers<void>();
  quiet.resolve();

  const isQuiet = () => waiting.length === 0 && inFlight === 0;

  const next = (): Waiting<Item, Result>[] => {
    let records = 0;
    let bytes = 0;
    let count = 0;
    for (const each of waiting) {
      if (count > 0 && (records + each.records > batchRecordsMax || bytes + each.bytes > batchBytesMax)) break;
      records += each.records;
      bytes += each.bytes;
      count++;
    }
    waitingRecords -= records;
    waitingBytes -= bytes;
    return waiting.splice(0, count);
  };

  const send = async () => {
    cancel?.();
    cancel = null;
    const batch = next();
    inFlight++;
    const startedMs = clock.monotonicMs();
    sentAtMs = startedMs;
    try {
      const results = await write(batch.map(({ item }) => item));
      for (const [index, { outcome }] of batch.entries()) outcome.resolve(results[index] as Result); // one result an item
    } catch (thrown) {
      for (const { outcome } of batch) outcome.reject(thrown);
    }
    commitMs = clock.monotonicMs() - startedMs;
    inFlight--;
    if (isQuiet()) quiet.resolve();
    else schedule();
  };

  const schedule = () => {
    if (waiting.length === 0 || inFlight >= inFlightMax) return;
    if (waitingRecords >= (inFlight === 0 ? enoughRecords : enoughWhileBusy)) return void send();
    if (cancel !== null) return;
    const waitMs = sentAtMs + Math.min(lingerMaxMs, lingerPerCommit * commitMs) - clock.monotonicMs();
    if (waitMs > 0) {
      cancel = clock.after(waitMs, () => {
        cancel = null;
        sendWaiting();
      });
      return;
    }
    // What the same turn of the loop submits goes along.
    let cancelled = false;
    cancel = () => {
      cancelled = true;
    };
    queueMicrotask(() => {
      if (cancelled) return;
      cancel = null;
      sendWaiting();
    });
  };

  const sendWaiting = () => {
    if (waiting.length > 0 && inFlight < inFlightMax) void send();
  };

  return {
    submit(item, records, bytes) {
      if (waitingBytes + bytes > waitingBytesMax && waiting.length > 0)
        return Promise.reject(new Fault("unavailable", `the log is behind: ${waitingBytes} bytes wait to be written`));
      if (isQuiet()) quiet = Promise.withResolvers();
      const outcome = Promise.withResolvers<Result>();
      waiting.push({ item, records, bytes, outcome });
      waitingRecords += records;
      waitingBytes += bytes;
      schedule();
      return outcome.promise;
    },
    flush() {
      while (waiting.length > 0) void send();
    },
    isQuiet,
    drained: () => quiet.promise,
  };
};
