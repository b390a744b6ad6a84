/**
 * Group commit: what is submitted while one batch is written becomes durable together with the next. A log with nothing under
 * way writes at once what one turn of the loop submits; it never waits for more, for a commit under way is wait enough.
 */
import { Fault } from "../errors.ts";

/** So much goes on its way while a batch is written: it keeps the writer at work, and is enough for a sync of its own. */
const enoughWhileBusy = { records: 400, bytes: 1_048_576 };
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

/** `write` answers item by item, in order; `defer` calls back when the turn of the loop has ended. */
export const createGroupCommit = <Item, Result>(
  write: (items: readonly Item[]) => Promise<readonly Result[]>,
  defer: (run: () => void) => void,
): GroupCommit<Item, Result> => {
  const waiting: Waiting<Item, Result>[] = [];
  let waitingRecords = 0;
  let waitingBytes = 0;
  let inFlight = 0;
  let isDeferred = false;
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
    const batch = next();
    inFlight++;
    try {
      const results = await write(batch.map(({ item }) => item));
      for (const [index, { outcome }] of batch.entries()) outcome.resolve(results[index] as Result); // one result an item
    } catch (thrown) {
      for (const { outcome } of batch) outcome.reject(thrown);
    }
    inFlight--;
    if (isQuiet()) quiet.resolve();
    else schedule();
  };

  const isEnough = () => waitingRecords >= enoughWhileBusy.records || waitingBytes >= enoughWhileBusy.bytes;
  const isTime = () => waiting.length > 0 && (inFlight === 0 || (inFlight < inFlightMax && isEnough()));

  const schedule = () => {
    if (isDeferred || !isTime()) return;
    isDeferred = true;
    // What the same turn of the loop submits goes along, and so does what those submit whose records have just become durable.
    defer(() => {
      isDeferred = false;
      while (isTime()) void send();
    });
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
