/**
 * Takes assessment tasks and gives each exactly one result, by its deadline: a model's verdict, or why there is none.
 * Without keys the rules assess at once. Each task waits in a pipe of its own, which holds the record it came from.
 */
import type { AssessmentTask } from "../protocols/task.ts";
import { topics } from "../protocols/topics.ts";
import type { AssessmentResult, TaskAssessed } from "../protocols/verdict.ts";
import { actor } from "../runtime/actor.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Fact, Store } from "../runtime/store.ts";
import { type Accounts, keepMs } from "./scheduler/accounts.ts";
import type { QuotaGroup } from "./scheduler/group.ts";
import { boundedBy, createModelAssessor, type ModelAssessor, type ModelSettings } from "./scheduler/model.ts";
import type { Fetch } from "./scheduler/openai.ts";
import { resultByRules, withEvidence } from "./scheduler/result.ts";
import { createSeenTasks, type SeenTasks } from "./scheduler/seen.ts";

export type SchedulerArgs = ModelSettings & {
  /** Quota, keys and spending; they outlive a restart of the actor. */
  readonly accounts: Accounts;
  /** The groups and keys as they are configured by now; null when nothing has changed since the last time. */
  readonly reload: () => readonly QuotaGroup[] | null;
  readonly deadlineMs: number;
  /** How long ago a record may have been written that is delivered again. */
  readonly outageMs: number;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly store: Store;
  readonly metrics: Metrics;
};

type State = {
  readonly args: SchedulerArgs;
  readonly model: ModelAssessor;
  readonly seen: SeenTasks;
  readonly held: number;
  readonly heldBytes: number;
};

export type SchedulerReceives =
  | AssessmentTask
  /** Said by the owner before of a partition that came. */
  | AssessmentResult
  | TaskAssessed
  | { readonly type: "task.abandoned"; readonly taskId: string; readonly reason: string }
  | { readonly type: "report" }
  | { readonly type: "keep" };

const seenMax = 100_000;
const seenTtlMs = 15 * 60_000;
const reportMs = 5_000;
/** Tasks held at once, waiting or in flight; above, the topic waits. */
const heldLeast = 1_000;
const heldMaxBytes = 64 * 2 ** 20;

/** Never worth a failure: what the store does not know is learnt again. */
const tolerant = ({ clock, metrics }: SchedulerArgs, work: Promise<void>): Promise<void> =>
  boundedBy(clock, work, undefined, () => metrics.pipelineErrors.inc({ error_type: "quota_not_kept", component: "scheduler" }));
const keep = (args: SchedulerArgs, facts: readonly Fact[]): Promise<void> =>
  facts.length === 0 ? Promise.resolve() : tolerant(args, args.store.put(facts));

export const scheduler = actor<SchedulerArgs, State, SchedulerReceives, AssessmentResult, readonly AssessmentResult[]>({
  name: "scheduler",
  mailbox: { capacity: 1_000, capacityBytes: 16 * 2 ** 20, overflow: "pause-source" },

  async load(args, { recent, clock }) {
    await tolerant(args, args.accounts.load(args.store));
    return recent(topics.results, clock.nowMs() - args.deadlineMs - args.outageMs);
  },
  adopt: (args, { recent, clock }) => recent(topics.results, clock.nowMs() - args.deadlineMs - args.outageMs),

  start(args, ctx, results) {
    const { accounts, fetch, store, clock, metrics } = args;
    const model = createModelAssessor(args, { accounts, fetch, store, clock, metrics, random: ctx.random, log: ctx.log });
    const seen = createSeenTasks(seenMax, seenTtlMs);
    for (const { taskId } of results) seen.add(taskId, ctx.monotonicMs());
    model.report();
    ctx.timers.after("report", reportMs, { type: "report" });
    ctx.timers.after("keep", keepMs, { type: "keep" });
    return { args, model, seen, held: 0, heldBytes: 0 };
  },

  ready: ({ args, held, heldBytes }) => held < Math.max(heldLeast, 2 * args.maxConcurrent) && heldBytes < heldMaxBytes,

  on: {
    "assessment.task": (state, task, ctx) => {
      const { args, model, seen } = state;
      if (seen.has(task.taskId, ctx.monotonicMs())) {
        args.metrics.dropped.inc({ actor: "scheduler", type: task.type, reason: "duplicate" });
        args.metrics.callsAvoided.inc({ reason: "duplicate" });
        return state;
      }
      if (!args.accounts.hasKeys()) {
        args.metrics.callsAvoided.inc({ reason: "no-keys" });
        const result = withEvidence(resultByRules(task, args.language, ctx.nowMs()), task.image);
        ctx.emit(result);
        return ended(state, result, ctx.monotonicMs());
      }
      // The picture as it came is a view of the bytes of a whole batch; what waits here must not keep those alive.
      const held = { ...task, image: task.image.slice() };
      const imageBytes = task.image.byteLength;
      ctx.pipe(
        (signal) => model.assess(held, signal),
        (result) => ({ ...withEvidence(result, held.image), type: "task.assessed", imageBytes }),
        (reason) => ({ type: "task.abandoned", taskId: task.taskId, reason: String(reason) }),
      );
      return { ...state, held: state.held + 1, heldBytes: state.heldBytes + imageBytes };
    },

    "assessment.result": (state, { taskId }, ctx) => {
      state.seen.add(taskId, ctx.monotonicMs());
      return state;
    },

    // A task delivered again while it was under way comes here twice and is said twice, under one id: what is settled must
    // have been said, and whether the first saying is durable yet is not known here.
    "task.assessed": (state, { imageBytes, ...assessed }, ctx) => {
      const result: AssessmentResult = { ...assessed, type: "assessment.result" };
      ctx.emit(result);
      const counted = seen(state, result, ctx.monotonicMs()) ? state : ended(state, result, ctx.monotonicMs());
      return { ...counted, held: state.held - 1, heldBytes: state.heldBytes - imageBytes };
    },

    // An assessment ends in a result whatever happens; this is a fault of ours, and the task must not be settled without one.
    "task.abandoned": (_state, { taskId, reason }) => {
      throw new Error(`the assessment of ${taskId} ended without a result: ${reason}`);
    },

    keep: (state, _keep, ctx) => {
      void keep(state.args, state.args.accounts.sending(false));
      ctx.timers.after("keep", keepMs, { type: "keep" });
      return state;
    },

    report: (state, _report, ctx) => {
      const { args, model } = state;
      const { accounts, store } = args;
      const groups = args.reload();
      if (groups) model.changed(accounts.replace(groups));
      model.report();
      void keep(args, accounts.booked());
      void tolerant(args, accounts.learnOthers(store));
      ctx.timers.after("report", reportMs, { type: "report" });
      return state;
    },
  },

  async release({ args, model }) {
    model.close();
    await keep(args, [...args.accounts.sending(true), ...args.accounts.booked()]);
  },
});

const seen = (state: State, { taskId }: AssessmentResult, nowMs: number): boolean => state.seen.has(taskId, nowMs);

const ended = (state: State, { taskId, results }: AssessmentResult, nowMs: number): State => {
  state.args.metrics.tasksProcessed.inc({ status: results[0]?.status ?? "error" });
  state.seen.add(taskId, nowMs);
  return state;
};
