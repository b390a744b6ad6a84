/**
 * One second call for an answer that could not be read: the same question, the answer, and what is wrong with it. It takes its
 * place at the desk like any call, under the task's own deadline, and is not begun with less time left than calls take.
 */
import type { AssessmentTask } from "../../protocols/task.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ParsedAnswer } from "./answer.ts";
import type { Desk } from "./desk.ts";
import type { Ended } from "./line.ts";
import type { Unreadable } from "./prompt.ts";
import { readAnswer } from "./result.ts";

/** What goes to the desk. */
export type Question = AssessmentTask & { readonly onceIfMs?: number; readonly repair?: Unreadable };

export type RepairOutcome = "repaired" | "unreadable" | "unanswered" | "no-time" | "no-budget";

export type RepairPorts = {
  readonly desk: Pick<Desk<Question>, "assess" | "p90Ms">;
  readonly clock: Clock;
  readonly isAffordable: (task: AssessmentTask) => boolean;
  readonly tell: (outcome: RepairOutcome) => void;
};

type Read = { readonly ended: Ended; readonly read: ParsedAnswer };

/** Rejects only when `signal` is aborted. */
export const readOrRepair = async (
  { desk, clock, isAffordable, tell }: RepairPorts,
  task: AssessmentTask,
  first: Ended,
  signal: AbortSignal,
): Promise<Read> => {
  const read = readAnswer(task, first.text);
  const asItIs = { ended: first, read };
  if (read.ok) return asItIs;
  const given = (outcome: RepairOutcome, what: Read): Read => {
    tell(outcome);
    return what;
  };
  if (!isAffordable(task)) return given("no-budget", asItIs);
  // This task's own call is the only measure while few are known.
  const onceIfMs = Math.max(desk.p90Ms(), first.durationMs / Math.max(1, first.calls));
  if (task.deadlineAt - clock.nowMs() < onceIfMs) return given("no-time", asItIs);

  const repair = { answer: first.text, reason: read.reason };
  const second = await desk.assess({ ...task, onceIfMs, repair }, signal);
  const both = { calls: first.calls + second.calls, durationMs: first.durationMs + second.durationMs };
  if (second.end !== "answered")
    return given(second.calls > 0 ? "unanswered" : "no-time", { ended: { ...first, ...both }, read });
  const again = readAnswer(task, second.text);
  return given(again.ok ? "repaired" : "unreadable", { ended: { ...second, ...both }, read: again });
};
