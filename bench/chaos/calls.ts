/**
 * What was paid for: every call to the model by task, every look for a kept answer and every answer that was kept, and whether
 * a second call could have been spared. All times are of one machine's wall clock.
 */
import type { AnswerCommand } from "./services.ts";

export type ModelCall = {
  readonly taskId: string;
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  /** `cut`: the caller went away before its answer. */
  readonly outcome: "answered" | "refused" | "cut";
};

/** Something was away, for some of the processes. */
export type Absence = { readonly what: "scheduler" | "redis"; readonly fromMs: number; readonly toMs: number };

export type Payment = {
  readonly taskId: string;
  /** Null where the earlier answer could not be known. */
  readonly fault: string | null;
};

/** A scheduler gives the store one second, and may have asked it just before it went away. */
const storeGraceMs = 2_000;
/** An answer that came so long before its process died was on its way into the store. */
const keepGraceMs = 1_500;
/** From its look for an answer to its call a task waits for a seat, at most until its deadline. */
const waitMaxMs = 15_000;

const isAway = (absences: readonly Absence[], what: Absence["what"], fromMs: number, toMs: number): boolean =>
  absences.some((absence) => absence.what === what && absence.fromMs <= toMs && absence.toMs >= fromMs);

/** Why `call` should not have been made, given the answered call before it; null when it was right to make it. */
const objection = (
  first: ModelCall,
  call: ModelCall,
  commands: readonly AnswerCommand[],
  absences: readonly Absence[],
  publishedAtMs: number | undefined,
): string | null => {
  if (publishedAtMs !== undefined && publishedAtMs < call.arrivedAtMs) return "its result was on the topic already";
  const looked = commands.findLast(
    ({ command, atMs }) => command === "get" && atMs <= call.arrivedAtMs && atMs > first.endedAtMs,
  );
  if (!looked) {
    return isAway(absences, "redis", call.arrivedAtMs - waitMaxMs, call.arrivedAtMs)
      ? null
      : "nobody looked for the kept answer, and the store was there";
  }
  const isKept = commands.some(({ command, atMs }) => command === "set" && atMs <= looked.atMs);
  if (isKept)
    return isAway(absences, "redis", looked.atMs - storeGraceMs, looked.atMs + storeGraceMs)
      ? null
      : "the kept answer was looked for, and was there";
  const isExcused =
    isAway(absences, "redis", first.endedAtMs - storeGraceMs, first.endedAtMs + storeGraceMs) ||
    isAway(absences, "scheduler", first.endedAtMs, first.endedAtMs + keepGraceMs);
  return isExcused ? null : "the first answer was not kept, though scheduler and store were there";
};

/** Each call for a task that had been answered before. */
export const repeatedPayments = (
  calls: ReadonlyMap<string, readonly ModelCall[]>,
  commands: ReadonlyMap<string, readonly AnswerCommand[]>,
  absences: readonly Absence[],
  publishedAtMs: ReadonlyMap<string, number>,
): readonly Payment[] =>
  [...calls].flatMap(([taskId, made]) =>
    made.flatMap((call): Payment[] => {
      const first = made.find((each) => each.outcome === "answered" && each.endedAtMs <= call.arrivedAtMs);
      if (!first || call === first) return [];
      return [{ taskId, fault: objection(first, call, commands.get(taskId) ?? [], absences, publishedAtMs.get(taskId)) }];
    }),
  );

const add = <T>(map: Map<string, T[]>, key: string, value: T): void => {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
};

export const createCallBook = () => {
  const calls = new Map<string, ModelCall[]>();
  const commands = new Map<string, AnswerCommand[]>();
  let cut = 0;
  let made = 0;
  return {
    calls: calls as ReadonlyMap<string, readonly ModelCall[]>,
    commands: commands as ReadonlyMap<string, readonly AnswerCommand[]>,
    called(call: ModelCall): void {
      made++;
      if (call.outcome === "cut") cut++;
      add(calls, call.taskId, call);
    },
    asked: (command: AnswerCommand): void => add(commands, command.taskId, command),
    made: () => made,
    cut: () => cut,
    /** What belongs to a round that is judged is not needed again. */
    clear(): void {
      calls.clear();
      commands.clear();
    },
  };
};
