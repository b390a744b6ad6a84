/**
 * A stage's way out to the bus. Records leave in turn order, one batch in flight, so that a retry cannot overtake.
 * A failed append never undoes a turn: it is tried again with backoff; above high water the stage takes no more turns.
 */
import type { Bus, Outgoing } from "./bus.ts";
import type { Clock } from "./clock.ts";
import { Fault, reasonOf } from "./errors.ts";
import type { Observer } from "./observer.ts";
import { abandonAll, type Cause, releaseAll } from "./settlement.ts";

const batchRecords = 256;
const batchBytes = 8 * 1024 * 1024;
const highRecords = 2_048;
const highBytes = 32 * 1024 * 1024;
const backoffMs = { first: 100, cap: 5_000 };

type Waiting = { readonly record: Outgoing; readonly causes: readonly Cause[] };

export type Outlet = {
  /** Takes over one hold on each cause. */
  readonly send: (record: Outgoing, causes: readonly Cause[]) => void;
  readonly isAboveHighWater: () => boolean;
  readonly isBelowLowWater: () => boolean;
  readonly pending: () => number;
  /** Resolves when nothing is on its way any more. */
  readonly flushed: () => Promise<void>;
  /** Lets go of what is not durable; its causes will be repeated. */
  readonly close: () => void;
};

export const createOutlet = (path: string, bus: Bus, clock: Clock, observer: Observer, drained: () => void): Outlet => {
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let inFlight: readonly Waiting[] = [];
  let failures = 0;
  let closed = false;
  let flushed: (() => void)[] = [];

  const pending = () => waiting.length + inFlight.length;

  const nextBatch = (): Waiting[] => {
    let bytes = 0;
    let count = 0;
    for (const { record } of waiting) {
      if (count === batchRecords || (count > 0 && bytes + record.bytes.byteLength > batchBytes)) break;
      bytes += record.bytes.byteLength;
      count++;
    }
    return waiting.splice(0, count);
  };

  const ended = (batch: readonly Waiting[], end: (causes: readonly Cause[]) => void) => {
    for (const { record, causes } of batch) {
      waitingBytes -= record.bytes.byteLength;
      end(causes);
    }
  };

  const append = (batch: readonly Waiting[]) => {
    inFlight = batch;
    bus.append(batch.map(({ record }) => record)).then(
      () => {
        if (closed) return;
        failures = 0;
        inFlight = [];
        for (const { record } of batch) observer.sent(record.topic, record.key);
        ended(batch, releaseAll);
        progressed();
      },
      (thrown) => {
        if (!closed) failed(batch, thrown);
      },
    );
  };

  const failed = (batch: readonly Waiting[], thrown: unknown) => {
    const hopeless = thrown instanceof Fault && !thrown.retryable;
    for (const { record } of batch) observer.sendFailed(record.topic, thrown instanceof Fault ? thrown.code : "error");
    if (hopeless && batch.length > 1) {
      // One record of the batch cannot be stored; alone each shows whether it is the one.
      inFlight = [];
      waiting = [...batch, ...waiting];
      single = batch.length;
      pump();
      return;
    }
    if (hopeless) {
      inFlight = [];
      observer.dropped(path, batch[0]?.record.type ?? "", thrown.code, 1);
      ended(batch, (causes) => abandonAll(causes, thrown.message, true));
      progressed();
      return;
    }
    failures++;
    // A bus that is away has said so itself.
    if (failures === 1 && bus.health().status === "up") observer.appendFailed(path, reasonOf(thrown));
    clock.after(Math.min(backoffMs.cap, backoffMs.first * 2 ** (failures - 1)), () => {
      if (!closed) append(batch);
    });
  };

  const progressed = () => {
    drained();
    pump();
    if (pending() > 0) return;
    const waiters = flushed;
    flushed = [];
    for (const resolve of waiters) resolve();
  };

  /** How many of the next records go one by one. */
  let single = 0;
  const pump = () => {
    if (closed || inFlight.length > 0 || waiting.length === 0) return;
    append(single > 0 ? waiting.splice(0, 1) : nextBatch());
    if (single > 0) single--;
  };

  return {
    send(record, causes) {
      waiting.push({ record, causes });
      waitingBytes += record.bytes.byteLength;
      pump();
    },
    isAboveHighWater: () => pending() >= highRecords || waitingBytes >= highBytes,
    isBelowLowWater: () => pending() <= highRecords / 2 && waitingBytes <= highBytes / 2,
    pending,
    flushed: () => (pending() === 0 ? Promise.resolve() : new Promise((resolve) => flushed.push(resolve))),
    close() {
      closed = true;
      const left = [...inFlight, ...waiting];
      inFlight = [];
      waiting = [];
      ended(left, (causes) => abandonAll(causes, "the stage stopped before its records were durable"));
      for (const resolve of flushed) resolve();
    },
  };
};
