/** Schedulers of the simulation that need no model: each answers a task after a while, or says `expired` at the deadline. */
import type { AssessmentTask } from "../../../protocols/task.ts";
import { topics } from "../../../protocols/topics.ts";
import type { AssessmentResult } from "../../../protocols/verdict.ts";
import type { MailboxPolicy } from "../../../runtime/actor.ts";
import { type Address, actor, addressOf, type Context } from "../../../runtime/actor.ts";
import { type Clock, delay } from "../../../runtime/clock.ts";
import { type Random, randomInt } from "../../../runtime/random.ts";
import { type ChildSpec, stage, stageTaking } from "../../../runtime/tree.ts";
import { aResult } from "../build.ts";

export type StandInPorts = { readonly clock: Clock; readonly random: Random; readonly fails: () => boolean };

type Assess = { readonly type: "assess"; readonly cameraId: number; readonly task: AssessmentTask };
type Done = { readonly type: "done"; readonly taskId: string };
type Late = { readonly type: "late"; readonly taskId: string };
type Receives = AssessmentTask | Assess | Done | Late;

type State = {
  readonly ports: StandInPorts;
  readonly tasks: Map<string, AssessmentTask>;
  /** Each task is answered once, however often it is delivered. */
  readonly said: Set<string>;
};

/** Longer than the deadline and any outage of a run. */
const rereadMs = 70_000;
const tasksMax = 12;

const waitMs = ({ random }: StandInPorts) => 200 + randomInt(random, 3_000);

/** A pipe stands for the call, beside a timer for the deadline. */
const byPipe = (state: State, task: AssessmentTask, ctx: Context<Receives, AssessmentResult>): State => {
  const { taskId } = task;
  const { clock, fails } = state.ports;
  ctx.timers.after(taskId, task.deadlineAt - ctx.nowMs(), { type: "late", taskId });
  ctx.pipe(
    async (signal) => {
      do await delay(clock, waitMs(state.ports), signal);
      while (fails());
    },
    () => ({ type: "done", taskId }),
    () => ({ type: "done", taskId }),
  );
  return state;
};

/** A timer alone holds what the task came from. */
const byTimer = (state: State, task: AssessmentTask, ctx: Context<Receives, AssessmentResult>): State => {
  const { taskId } = task;
  const leftMs = task.deadlineAt - ctx.nowMs();
  const answerMs = waitMs(state.ports);
  ctx.timers.after(taskId, Math.min(leftMs, answerMs), { type: answerMs < leftMs ? "done" : "late", taskId });
  return state;
};

const answering = (name: string, mailbox: MailboxPolicy, wait: typeof byPipe) => {
  const begin = (state: State, task: AssessmentTask, ctx: Context<Receives, AssessmentResult>): State => {
    if (state.said.has(task.taskId) || state.tasks.has(task.taskId)) return state;
    state.tasks.set(task.taskId, task);
    return wait(state, task, ctx);
  };
  const end = (state: State, taskId: string, ctx: Context<Receives, AssessmentResult>, isLate: boolean): State => {
    const task = state.tasks.get(taskId);
    if (!task) return state;
    state.tasks.delete(taskId);
    state.said.add(taskId);
    ctx.timers.cancel(taskId);
    ctx.emit(aResult(task, isLate ? { status: "expired", verdict: null, riskLevel: null, confidence: null } : {}));
    return state;
  };
  return actor<StandInPorts, State, Receives, AssessmentResult, readonly AssessmentResult[]>({
    name,
    mailbox,
    load: (_args, { recent, clock }) => recent(topics.results, clock.nowMs() - rereadMs),
    start: (ports, _ctx, said) => ({ ports, tasks: new Map(), said: new Set(said.map(({ taskId }) => taskId)) }),
    ready: ({ tasks }) => tasks.size < tasksMax,
    on: {
      "assessment.task": begin,
      assess: (state, { task }, ctx) => begin(state, task, ctx),
      done: (state, { taskId }, ctx) => end(state, taskId, ctx, false),
      late: (state, { taskId }, ctx) => end(state, taskId, ctx, true),
    },
  });
};

/** Hands its tasks on, one by one, to a stage whose mailbox is soon full. */
const handingOn = actor<Address<Assess>, Address<Assess>, AssessmentTask>({
  name: "scheduler",
  mailbox: { capacity: 16, overflow: "pause-source" },
  start: (assessor) => assessor,
  on: {
    "assessment.task": (assessor, task, ctx) => {
      ctx.tell(assessor, { type: "assess", cameraId: task.cameraId, task });
      return assessor;
    },
  },
});

const roomy: MailboxPolicy = { capacity: 64, overflow: "pause-source" };
const narrow: MailboxPolicy = { capacity: 4, capacityBytes: 8_192, overflow: "pause-source" };

export const standIn = (kind: "pipe" | "timer" | "two-stages", ports: StandInPorts): readonly ChildSpec[] => {
  if (kind === "two-stages") {
    const assessor = addressOf<Assess>("vedette/assessor");
    return [
      stage(answering("assessor", narrow, byPipe), { args: ports }),
      stageTaking(topics.tasks, handingOn, { args: assessor, tells: [assessor] }),
    ];
  }
  return [stageTaking(topics.tasks, answering("scheduler", roomy, kind === "pipe" ? byPipe : byTimer), { args: ports })];
};
