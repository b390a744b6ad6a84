/**
 * Where tasks wait for a call, and the one retry loop. Tasks stand in one line by urgency; a call starts when there is room
 * and some quota group has a seat; every task ends by its deadline. Waiting never blocks: each task is a promise.
 */
import { riskRank } from "../../protocols/ids.ts";
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Random } from "../../runtime/random.ts";
import { createLine, type DeskTask, type Ended, endOf, leastCallMs, type Waiting } from "./line.ts";
import type { CallOutcome, Usage } from "./outcome.ts";
import type { Quota, QuotaEvent, Seat } from "./quota.ts";
import { createServiceTime } from "./service-time.ts";

export type CallRecord = {
  readonly seat: Seat;
  readonly outcome: CallOutcome;
  readonly durationMs: number;
  readonly usage: Usage | null;
};

export type DeskPorts<Task> = {
  readonly clock: Clock;
  readonly random: Random;
  readonly quota: Quota;
  readonly call: (seat: Seat, task: Task, timeoutMs: number, signal: AbortSignal) => Promise<CallOutcome>;
  readonly called: (record: CallRecord) => void;
  readonly changed: (event: QuotaEvent) => void;
};

export type DeskSettings = {
  readonly maxConcurrent: number;
  readonly retriesMax: number;
  readonly timeoutMs: number;
};

export type Desk<Task> = {
  /** Rejects only when `signal` is aborted. */
  readonly assess: (task: Task, signal: AbortSignal) => Promise<Ended>;
  readonly waiting: () => number;
  readonly inFlight: () => number;
  readonly close: () => void;
};

/** Each level of risk stands before others as if it were so much older: dangerous first, yet nothing waits for ever. */
const headStartMs = 2_000;
/** Of any kind, throttled and misdirected ones included. */
const callsMax = 10;
const backoffMs = 250;
const backoffMaxMs = 2_000;
/** A wall clock that is set moves deadlines; the line is looked at again at least this often. */
const lookAgainMs = 1_000;
/** A call that was given less than this and ran into its task's deadline says nothing about the provider. */
const fairTimeMs = 5_000;
/** However far off a task's deadline is, by the clock of whoever made it. */
const waitMaxMs = 600_000;

export const createDesk = <Task extends DeskTask>(ports: DeskPorts<Task>, settings: DeskSettings): Desk<Task> => {
  const { clock, random, quota } = ports;
  const line = createLine<Task>();
  const serviceTime = createServiceTime();
  let inFlight = 0;
  let arrivals = 0;
  let cancelWake: Cancel = () => {};
  let isClosed = false;

  const finish = (entry: Waiting<Task>, end: Ended["end"], reason: string, text = "") => {
    const { calls, durationMs, lastSeat, lastReason } = entry;
    entry.resolve({
      end,
      text,
      reason: end === "expired" && calls > 0 && lastReason !== "" ? `${reason}; last: ${lastReason}` : reason,
      model: lastSeat?.group.model ?? null,
      keyId: lastSeat?.keyId ?? null,
      calls,
      durationMs,
    });
  };

  /** Goes along the line once: ends what has no time or no hope left, starts what can start, and sets the next wake. */
  const look = () => {
    cancelWake();
    if (isClosed) return;
    const nowMs = clock.monotonicMs();
    const wallMs = clock.nowMs();
    const hopeInMs = quota.hopeAtMs(nowMs) - nowMs;
    const p90Ms = serviceTime.p90Ms(nowMs);
    let wakeInMs = lookAgainMs;
    let hasSeats = true;
    for (const entry of line.takeAll()) {
      const leftMs = entry.deadlineAt - wallMs;
      const end = endOf(entry, leftMs, hopeInMs, p90Ms);
      if (end) {
        finish(entry, ...end);
        continue;
      }
      const seat =
        hasSeats && inFlight < settings.maxConcurrent && entry.notBeforeMs <= nowMs ? quota.take(nowMs, entry.avoid) : null;
      if (seat) {
        start(entry, seat, leftMs);
        continue;
      }
      if (entry.notBeforeMs <= nowMs)
        hasSeats = false; // the first that could go and cannot: nor can those behind it
      else wakeInMs = Math.min(wakeInMs, entry.notBeforeMs - nowMs);
      wakeInMs = Math.min(wakeInMs, leftMs);
      line.enter(entry);
    }
    if (line.size() === 0) return;
    const nextHopeMs = quota.hopeAtMs(nowMs) - nowMs;
    if (nextHopeMs > 0) wakeInMs = Math.min(wakeInMs, nextHopeMs);
    cancelWake = clock.after(Math.max(1, wakeInMs), look);
  };

  const start = (entry: Waiting<Task>, seat: Seat, leftMs: number) => {
    inFlight++;
    entry.calls++;
    entry.lastSeat = seat;
    const startedMs = clock.monotonicMs();
    const timeoutMs = Math.min(settings.timeoutMs, leftMs);
    const done = (outcome: CallOutcome) => {
      const nowMs = clock.monotonicMs();
      const durationMs = nowMs - startedMs;
      inFlight--;
      entry.durationMs += durationMs;
      if (outcome.action === "answer") serviceTime.add(durationMs, nowMs);
      const isOwnTimeout = outcome.action === "retry-elsewhere" && outcome.cause === "timeout" && timeoutMs < fairTimeMs;
      const event = quota.release(seat, outcome, !isOwnTimeout || timeoutMs === settings.timeoutMs, nowMs);
      const usage = "usage" in outcome ? (outcome.usage ?? null) : null;
      ports.called({ seat, outcome, durationMs, usage });
      if (event) ports.changed(event);
      settle(entry, outcome, seat);
      look();
    };
    const call = async () => ports.call(seat, entry.task, timeoutMs, entry.signal);
    // The port never rejects; if it did, or threw, the seat must not be lost.
    call().then(done, (thrown: unknown) => done({ action: "give-up", reason: reasonOf(thrown) }));
  };

  const again = (entry: Waiting<Task>, afterMs: number, avoid: string | null) => {
    if (entry.calls >= callsMax) return finish(entry, "refused", `given up after ${entry.calls} calls: ${entry.lastReason}`);
    entry.notBeforeMs = clock.monotonicMs() + afterMs;
    entry.avoid = avoid;
    line.enter(entry);
  };

  const settle = (entry: Waiting<Task>, outcome: CallOutcome, seat: Seat) => {
    if (outcome.action === "answer") return finish(entry, "answered", "", outcome.text);
    entry.lastReason = outcome.reason;
    switch (outcome.action) {
      case "bad-answer":
        return finish(entry, "bad-answer", outcome.reason);
      case "give-up":
        return finish(entry, "refused", outcome.reason);
      case "aborted":
        return; // the caller has been told by its signal
      case "retry-plain":
      case "park-key":
        return again(entry, 0, null);
      case "park-model":
      case "retry-after":
        return again(entry, 0, seat.group.name);
      case "retry-elsewhere": {
        entry.retries++;
        if (entry.deadlineAt - clock.nowMs() < leastCallMs) return again(entry, 0, null); // ends as expired at once
        if (entry.retries > settings.retriesMax) return finish(entry, "refused", `${outcome.reason}, after ${entry.calls} calls`);
        const ceilingMs = Math.min(backoffMaxMs, backoffMs * 2 ** (entry.retries - 1));
        return again(entry, random.next() * ceilingMs, seat.group.name);
      }
    }
  };

  return {
    assess: (task, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted || isClosed) return reject(signal.reason ?? new Error("the desk is closed"));
        const stop = () => {
          line.leave(entry);
          reject(signal.reason);
        };
        const deadlineAt = Math.min(task.deadlineAt, clock.nowMs() + waitMaxMs);
        const entry: Waiting<Task> = {
          task,
          deadlineAt,
          urgencyMs: deadlineAt - riskRank(task.riskLevel) * headStartMs,
          order: arrivals++,
          signal,
          notBeforeMs: 0,
          avoid: null,
          calls: 0,
          retries: 0,
          durationMs: 0,
          lastReason: "",
          lastSeat: null,
          resolve(ended) {
            signal.removeEventListener("abort", stop);
            resolve(ended);
          },
        };
        signal.addEventListener("abort", stop, { once: true });
        line.enter(entry);
        look();
      }),
    waiting: line.size,
    inFlight: () => inFlight,
    close() {
      isClosed = true;
      cancelWake();
    },
  };
};
