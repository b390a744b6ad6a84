/**
 * Where tasks wait for a call, and the one retry loop. A call starts when there is room and some quota group has a seat; every
 * task ends by its deadline. Waiting never blocks: each task is a promise.
 */
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Random } from "../../runtime/random.ts";
import { createLine, type DeskTask, type Ended, endOf, leastCallMs, needMsOf, type Waiting } from "./line.ts";
import type { CallOutcome, Usage } from "./outcome.ts";
import type { Quota, QuotaEvent, Seat } from "./quota.ts";
import { createServiceTime } from "./service-time.ts";

export type CallRecord<Task> = {
  readonly task: Task;
  readonly seat: Seat;
  readonly outcome: CallOutcome;
  readonly durationMs: number;
  readonly usage: Usage | null;
  /** A second call for one task, while the first was out. */
  readonly isHedge: boolean;
};

export type DeskPorts<Task> = {
  readonly clock: Clock;
  readonly random: Random;
  readonly quota: Quota;
  /** About how many tokens a call for the task takes. */
  readonly tokensOf: (task: Task) => number;
  readonly call: (seat: Seat, task: Task, timeoutMs: number, signal: AbortSignal) => Promise<CallOutcome>;
  readonly called: (record: CallRecord<Task>) => void;
  readonly changed: (event: QuotaEvent) => void;
};

export type DeskSettings = {
  readonly maxConcurrent: number;
  readonly retriesMax: number;
  readonly timeoutMs: number;
  /** The share of calls that may be second ones, for dangers whose first call takes longer than nine of ten; 0 makes none. */
  readonly hedgeShare: number;
};

export type Desk<Task> = {
  /** Rejects only when `signal` is aborted. */
  readonly assess: (task: Task, signal: AbortSignal) => Promise<Ended>;
  readonly waiting: () => number;
  readonly inFlight: () => number;
  /** How long nine of ten calls take of late; 0 while too few are known. */
  readonly p90Ms: () => number;
  readonly close: () => void;
};

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
/** When all hope ends at once, the ends are told by and by: each is a result to be made, kept and written, and the loop is others' too. */
const endsAtOnceMax = 32;
/** More wait than can be served when the oldest has used up this share of its time, and the line is long. */
const overdueShare = 0.4;
const longLine = 16;

type Flight = { readonly seat: Seat; readonly startedMs: number; readonly isHedge: boolean; readonly abort: AbortController };
type Entry<Task extends DeskTask> = Waiting<Task> & { readonly flights: Set<Flight>; isOver: boolean };
const callsMaxOf = ({ task }: Waiting<DeskTask>): number => (task.onceIfMs === undefined ? callsMax : 1);

export const createDesk = <Task extends DeskTask>(ports: DeskPorts<Task>, settings: DeskSettings): Desk<Task> => {
  const { clock, random, quota } = ports;
  const line = createLine<Entry<Task>>();
  const serviceTime = createServiceTime();
  let inFlight = 0;
  let arrivals = 0;
  let calls = 0;
  let hedges = 0;
  let cancelWake: Cancel = () => {};
  let wakeAtMs = Number.POSITIVE_INFINITY;
  let isClosed = false;
  /** This turn has ended as many as one may; the next goes on. */
  let isSpent = false;

  const finish = (entry: Entry<Task>, end: Ended["end"], reason: string, text = "") => {
    if (entry.isOver) return;
    entry.isOver = true;
    for (const { abort } of entry.flights) abort.abort(new Error("the task has ended"));
    const { durationMs, lastSeat, lastReason } = entry;
    entry.resolve({
      end,
      text,
      reason: end === "expired" && entry.calls > 0 && lastReason !== "" ? `${reason}; last: ${lastReason}` : reason,
      model: lastSeat?.group.model ?? null,
      keyId: lastSeat?.keyId ?? null,
      calls: entry.calls,
      durationMs,
    });
  };

  const wakeIn = (inMs: number) => {
    const atMs = clock.monotonicMs() + Math.max(1, inMs);
    if (atMs >= wakeAtMs) return;
    cancelWake();
    wakeAtMs = atMs;
    cancelWake = clock.after(Math.max(1, inMs), () => {
      wakeAtMs = Number.POSITIVE_INFINITY;
      isSpent = false;
      sweep();
      fill();
    });
  };

  /** Ends what has no time or no hope left, and sees to it that the next is not missed. */
  const sweep = () => {
    if (isClosed || isSpent || line.size() === 0) return;
    const nowMs = clock.monotonicMs();
    const wallMs = clock.nowMs();
    const hopeInMs = quota.hopeAtMs(nowMs) - nowMs;
    const isShut = quota.isShut(nowMs);
    const p90Ms = serviceTime.p90Ms(nowMs);
    let soonestMs = lookAgainMs;
    let ends = 0;
    for (const entry of line.all()) {
      if (ends === endsAtOnceMax) {
        isSpent = true;
        return wakeIn(1);
      }
      const leftMs = entry.deadlineAt - wallMs;
      const end = endOf(entry, leftMs, hopeInMs, p90Ms, isShut);
      if (end) {
        line.leave(entry);
        finish(entry, ...end);
        ends++;
        continue;
      }
      soonestMs = Math.min(soonestMs, leftMs - needMsOf(entry, p90Ms) + 1);
      if (entry.notBeforeMs > nowMs) soonestMs = Math.min(soonestMs, entry.notBeforeMs - nowMs);
    }
    if (line.size() === 0) return;
    if (hopeInMs > 0) soonestMs = Math.min(soonestMs, hopeInMs);
    wakeIn(soonestMs);
  };

  const isOverloaded = (wallMs: number): boolean => {
    if (line.size() < Math.max(longLine, 2 * inFlight)) return false;
    for (const { task, deadlineAt } of line.all())
      return wallMs - task.capturedAt > overdueShare * (deadlineAt - task.capturedAt);
    return false;
  };

  /** Starts what can start. */
  const fill = () => {
    const nowMs = clock.monotonicMs();
    while (!isClosed && line.size() > 0 && inFlight < settings.maxConcurrent && quota.hasRoom(nowMs)) {
      const wallMs = clock.nowMs();
      const entry = line.next(nowMs, isOverloaded(wallMs));
      if (!entry) return; // those that wait wait for their own time
      const leftMs = entry.deadlineAt - wallMs;
      const end = endOf(entry, leftMs, 0, serviceTime.p90Ms(nowMs), false);
      if (end) {
        line.undo(entry);
        finish(entry, ...end);
        continue;
      }
      const seat = quota.take(nowMs, entry.avoid, entry.tokens, entry.lastSeat?.keyId ?? null);
      if (!seat) {
        line.undo(entry);
        line.enter(entry);
        break;
      }
      start(entry, seat, Math.min(settings.timeoutMs, leftMs), false);
    }
    const hopeInMs = quota.hopeAtMs(nowMs) - nowMs;
    if (line.size() > 0 && hopeInMs > 0) wakeIn(Math.min(lookAgainMs, hopeInMs));
  };

  const arrived = (entry: Entry<Task>) => {
    const nowMs = clock.monotonicMs();
    const leftMs = entry.deadlineAt - clock.nowMs();
    const p90Ms = serviceTime.p90Ms(nowMs);
    const end = endOf(entry, leftMs, quota.hopeAtMs(nowMs) - nowMs, p90Ms, quota.isShut(nowMs));
    if (end) return finish(entry, ...end);
    line.enter(entry);
    fill();
    wakeIn(Math.min(lookAgainMs, leftMs - needMsOf(entry, p90Ms) + 1));
  };

  const start = (entry: Entry<Task>, seat: Seat, timeoutMs: number, isHedge: boolean) => {
    const flight: Flight = { seat, startedMs: clock.monotonicMs(), isHedge, abort: new AbortController() };
    inFlight++;
    calls++;
    entry.calls++;
    entry.lastSeat = seat;
    entry.flights.add(flight);
    const cancelHedge = isHedge ? () => {} : hedgeLater(entry, seat);
    const done = (outcome: CallOutcome) => {
      cancelHedge();
      entry.flights.delete(flight);
      ended(entry, flight, timeoutMs, outcome);
    };
    const call = async () => ports.call(seat, entry.task, timeoutMs, flight.abort.signal);
    // The port never rejects; if it did, or threw, the seat must not be lost.
    call().then(done, (thrown: unknown) => done({ action: "give-up", reason: reasonOf(thrown) }));
  };

  const ended = (entry: Entry<Task>, { seat, startedMs, isHedge }: Flight, timeoutMs: number, outcome: CallOutcome) => {
    const nowMs = clock.monotonicMs();
    const durationMs = nowMs - startedMs;
    inFlight--;
    if (!isHedge) entry.durationMs += durationMs;
    if (outcome.action === "answer") serviceTime.add(durationMs, nowMs);
    const isOwnTimeout = outcome.action === "retry-elsewhere" && outcome.cause === "timeout" && timeoutMs < fairTimeMs;
    const events = quota.release(seat, outcome, !isOwnTimeout || timeoutMs === settings.timeoutMs, nowMs);
    const usage = "usage" in outcome ? (outcome.usage ?? null) : null;
    ports.called({ task: entry.task, seat, outcome, durationMs, usage, isHedge });
    for (const event of events) ports.changed(event);
    if (!entry.isOver) settle(entry, outcome, seat);
    if (events.length > 0) sweep();
    fill();
  };

  /** For a danger whose call takes longer than nine of ten, a second one elsewhere; the first answer counts (Dean and Barroso, The Tail at Scale). */
  const hedgeLater = (entry: Entry<Task>, first: Seat): Cancel => {
    const p90Ms = serviceTime.p90Ms(clock.monotonicMs());
    if (settings.hedgeShare <= 0 || entry.task.riskLevel !== "high" || p90Ms === 0) return () => {};
    return clock.after(p90Ms, () => {
      const leftMs = entry.deadlineAt - clock.nowMs();
      const isWorthIt = leftMs > p90Ms && hedges < settings.hedgeShare * calls && inFlight < settings.maxConcurrent;
      if (isClosed || entry.isOver || entry.calls >= callsMaxOf(entry) || !isWorthIt) return;
      const seat = quota.take(clock.monotonicMs(), first.group.name, entry.tokens, first.keyId);
      if (!seat) return;
      hedges++;
      start(entry, seat, Math.min(settings.timeoutMs, leftMs), true);
    });
  };

  const again = (entry: Entry<Task>, afterMs: number, avoid: string | null) => {
    if (entry.calls >= callsMaxOf(entry)) {
      const isHopeless = quota.hopeAtMs(clock.monotonicMs()) === Number.POSITIVE_INFINITY;
      if (isHopeless) return finish(entry, "no-quota", "every key is out of use");
      return finish(entry, "refused", `given up after ${entry.calls} calls: ${entry.lastReason}`);
    }
    entry.notBeforeMs = clock.monotonicMs() + afterMs;
    entry.avoid = avoid;
    line.enter(entry);
    sweep();
  };

  const settle = (entry: Entry<Task>, outcome: CallOutcome, seat: Seat) => {
    if (outcome.action === "answer") {
      entry.lastSeat = seat;
      return finish(entry, "answered", "", outcome.text);
    }
    entry.lastReason = outcome.reason;
    if (entry.flights.size > 0) return; // the other call may still answer
    switch (outcome.action) {
      case "bad-answer":
        return finish(entry, "bad-answer", outcome.reason);
      case "give-up":
        return finish(entry, "refused", outcome.reason);
      case "aborted":
        return; // the caller has been told by its signal
      case "retry-plain":
      case "retry-unseen":
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
          entry.isOver = true;
          line.leave(entry);
          for (const { abort } of entry.flights) abort.abort(signal.reason);
          reject(signal.reason);
        };
        const entry: Entry<Task> = {
          task,
          deadlineAt: Math.min(task.deadlineAt, clock.nowMs() + waitMaxMs),
          order: arrivals++,
          tokens: ports.tokensOf(task),
          signal,
          flights: new Set(),
          isOver: false,
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
        arrived(entry);
      }),
    waiting: line.size,
    inFlight: () => inFlight,
    p90Ms: () => serviceTime.p90Ms(clock.monotonicMs()),
    close() {
      isClosed = true;
      cancelWake();
    },
  };
};
