/**
 * Takes assessment tasks and ends each in exactly one result: a model's verdict, the rules', or why there is none.
 *
 * A task waits in `held` until a key may be called; each call is one pipe, and its outcome decides what follows. The deadline's
 * timer holds the task's cause all the while, so that the task is settled by the turn that says its result.
 */
import { decode, encode } from "@msgpack/msgpack";
import { riskRank } from "../protocols/ids.ts";
import type { AssessmentTask } from "../protocols/task.ts";
import { topics } from "../protocols/topics.ts";
import type { AssessmentResult, Verdict } from "../protocols/verdict.ts";
import { actor, type Context } from "../runtime/actor.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Store } from "../runtime/store.ts";
import { createDesk, type Desk, type DeskOptions, measureKeys, type Ticket } from "./scheduler/desk.ts";
import { type CallOutcome, callModel, type Fetch, refusesJsonMode } from "./scheduler/openai.ts";
import { type PromptTemplate, renderPrompt } from "./scheduler/prompt.ts";
import { type Effort, noEffort, resultOf, verdictOfText, withoutVerdict } from "./scheduler/result.ts";
import { retryAfterMs } from "./scheduler/retry.ts";
import { assessByRules, type Language } from "./scheduler/rules.ts";

export type SchedulerArgs = DeskOptions & {
  readonly maxConcurrent: number;
  readonly timeoutMs: number;
  readonly retriesMax: number;
  readonly language: Language;
  readonly prompt: PromptTemplate;
  readonly deadlineMs: number;
  /** How long ago a record may have been written that is delivered again. */
  readonly outageMs: number;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly store: Store;
  readonly metrics: Metrics;
};

type Found = { readonly type: "found"; readonly taskId: string; readonly answer: Uint8Array | null };
type Called = { readonly type: "called"; readonly taskId: string; readonly outcome: CallOutcome; readonly tookMs: number };
type Kept = { readonly type: "kept"; readonly taskId: string };
type Overdue = { readonly type: "overdue"; readonly taskId: string };
type Look = { readonly type: "look" };
export type SchedulerReceives = AssessmentTask | Found | Called | Kept | Overdue | Look;

type Held = {
  readonly task: AssessmentTask;
  phase: "looking_up" | "waiting" | "calling" | "keeping";
  notBeforeMs: number;
  ticket: Ticket | null;
  effort: Effort;
  /** Why the last call failed. */
  failure: string | null;
  /** What is published once it is stored. */
  result: AssessmentResult | null;
};
type State = {
  readonly args: SchedulerArgs;
  /** Null without keys: the rules assess. */
  readonly desk: Desk | null;
  readonly held: Map<string, Held>;
  /** Tasks that have their result, oldest first. */
  readonly said: Set<string>;
  inFlight: number;
};
type Ctx = Context<SchedulerReceives>;

const heldMax = 1_000;
const saidMax = 100_000;
/** A call is broken off so long before the deadline that its outcome is still in time. */
const marginMs = 50;
const answerTtlMs = 15 * 60_000;

export const scheduler = actor<SchedulerArgs, State, SchedulerReceives, readonly AssessmentResult[]>({
  name: "scheduler",
  mailbox: { capacity: 1_024, overflow: "pause-source" },

  load: ({ deadlineMs, outageMs }, { recent, clock }) => recent(topics.results, clock.nowMs() - deadlineMs - outageMs),

  start: (args, _ctx, results) => ({
    args,
    desk: args.groups.some(({ keys }) => keys.length > 0) ? createDesk(args) : null,
    held: new Map(),
    said: new Set(results.map(({ taskId }) => taskId)),
    inFlight: 0,
  }),

  ready: ({ held }) => held.size < heldMax,

  on: {
    "assessment.task": (state, task, ctx) => {
      const { taskId } = task;
      if (state.said.has(taskId) || state.held.has(taskId)) {
        state.args.metrics.dropped.inc({ actor: "scheduler", type: task.type, reason: "duplicate" });
        return state;
      }
      const { desk, args } = state;
      if (task.deadlineAt <= ctx.nowMs()) return say(state, ctx, expired(task, noEffort, null));
      if (!desk) return say(state, ctx, resultOf(task, assessByRules(task, args.language, "ok"), noEffort));
      state.held.set(taskId, {
        task,
        phase: "looking_up",
        notBeforeMs: 0,
        ticket: null,
        effort: noEffort,
        failure: null,
        result: null,
      });
      ctx.timers.after(taskId, task.deadlineAt - ctx.nowMs(), { type: "overdue", taskId });
      // An answer that was paid for before a crash is not paid for again.
      ctx.pipe(
        () => args.store.get(answerKey(taskId)),
        (answer) => ({ type: "found", taskId, answer }),
        () => ({ type: "found", taskId, answer: null }),
      );
      return state;
    },

    found: (state, { taskId, answer }, ctx) => {
      const held = state.held.get(taskId);
      if (!held) return state;
      if (answer !== null) return say(state, ctx, { ...(decode(answer) as AssessmentResult), type: "assessment.result" }); // stored by `keep`
      held.phase = "waiting";
      return dispatch(state, ctx);
    },

    called(state, { taskId, outcome, tookMs }, ctx) {
      const held = state.held.get(taskId);
      if (held?.ticket) {
        held.effort = { ...held.effort, llmLatency: (held.effort.llmLatency ?? 0) + tookMs / 1_000 };
        return dispatch(afterCall(state, ctx, held, held.ticket, outcome), ctx);
      }
      return dispatch(state, ctx); // the deadline was faster
    },

    kept: (state, { taskId }, ctx) => {
      const result = state.held.get(taskId)?.result;
      return result ? dispatch(say(state, ctx, result), ctx) : state;
    },

    overdue: (state, { taskId }, ctx) => {
      const held = state.held.get(taskId);
      if (!held) return state;
      if (held.result) return dispatch(say(state, ctx, held.result), ctx); // only its storing is slow
      if (held.ticket) letGo(state, held, held.ticket, null, ctx.nowMs());
      return dispatch(say(state, ctx, expired(held.task, held.effort, held.failure)), ctx);
    },

    look: (state, _look, ctx) => dispatch(state, ctx),
  },
});

const answerKey = (taskId: string): string => `answer:${taskId}`;

const expired = (task: AssessmentTask, effort: Effort, failure: string | null): AssessmentResult =>
  resultOf(
    task,
    withoutVerdict(task, "expired", effort.llmModel ?? "rules", failure ?? ""),
    effort,
    failure ?? "no answer before the deadline",
  );

/** The task's one result. Cancelling the deadline brings the task's cause into this turn. */
const say = (state: State, ctx: Ctx, result: AssessmentResult): State => {
  const { taskId } = result;
  ctx.timers.cancel(taskId);
  ctx.emit(result);
  state.held.delete(taskId);
  state.said.add(taskId);
  if (state.said.size > saidMax) state.said.delete(state.said.values().next().value ?? "");
  state.args.metrics.tasksProcessed.inc({ status: result.results[0]?.status ?? "error" });
  return state;
};

/** Stores what is to be said first, so that a crash in between neither pays again nor says something else. */
const keep = (state: State, ctx: Ctx, held: Held, verdict: Verdict, error?: string): State => {
  const { taskId } = held.task;
  const result = resultOf(held.task, verdict, held.effort, error);
  held.phase = "keeping";
  held.result = result;
  const { type: _, ...fields } = result;
  const kept = (): Kept => ({ type: "kept", taskId });
  // A store that is away costs the protection, not the verdict.
  ctx.pipe(
    () =>
      state.args.store.put([{ key: answerKey(taskId), bytes: encode(fields, { ignoreUndefined: true }), ttlMs: answerTtlMs }]),
    kept,
    kept,
  );
  return state;
};

/** Gives the key back. `null` says nothing about it: the call was ours to break off. */
const letGo = (state: State, held: Held, ticket: Ticket, outcome: CallOutcome | null, nowMs: number): void => {
  state.desk?.giveBack(ticket, outcome, nowMs);
  state.inFlight--;
  held.ticket = null;
  state.args.metrics.llmConcurrent.set({ scheduler_id: "0" }, state.inFlight);
};

const afterCall = (state: State, ctx: Ctx, held: Held, ticket: Ticket, outcome: CallOutcome): State => {
  const { args } = state;
  const { model } = ticket.endpoint;
  letGo(state, held, ticket, outcome, ctx.nowMs());
  count(args.metrics, ticket, outcome);
  if (outcome.ok) {
    const { verdict, error } = verdictOfText(held.task, outcome.text, model);
    return keep(state, ctx, held, verdict, error);
  }
  held.failure = outcome.reason;
  held.phase = "waiting";
  if (ticket.jsonMode && refusesJsonMode(outcome)) {
    state.desk?.refuseJsonMode(ticket); // asked again at once, without the option
    return state;
  }
  const leftMs = held.task.deadlineAt - ctx.nowMs();
  const pauseMs = retryAfterMs(outcome, held.effort.calls, args.retriesMax, leftMs, ctx.random);
  if (pauseMs === null) return keep(state, ctx, held, withoutVerdict(held.task, "error", model, outcome.reason), outcome.reason);
  ctx.log.debug("llm.failed", { taskId: held.task.taskId, reason: outcome.reason, action: outcome.action, pauseMs });
  held.notBeforeMs = ctx.nowMs() + pauseMs;
  return state;
};

/** Highest risk first, then the nearest deadline. */
const nextOf = (held: Iterable<Held>, nowMs: number): Held | null => {
  let first: Held | null = null;
  for (const each of held) {
    if (each.phase !== "waiting" || each.notBeforeMs > nowMs) continue;
    const precedes =
      !first ||
      riskRank(each.task.riskLevel) > riskRank(first.task.riskLevel) ||
      (each.task.riskLevel === first.task.riskLevel && each.task.deadlineAt < first.task.deadlineAt);
    if (precedes) first = each;
  }
  return first;
};

/** Starts as many calls as keys, limits and concurrency allow, and sets the time of the next look. */
const dispatch = (state: State, ctx: Ctx): State => {
  const { desk, args } = state;
  if (!desk) return state;
  const nowMs = ctx.nowMs();
  while (state.inFlight < args.maxConcurrent) {
    const held = nextOf(state.held.values(), nowMs);
    const ticket = held && desk.take(nowMs);
    if (!ticket) break;
    call(state, ctx, held, ticket);
  }
  const hopeMs = desk.hopeAtMs(nowMs);
  let nextMs = Number.POSITIVE_INFINITY;
  for (const held of state.held.values()) {
    if (held.phase !== "waiting") continue;
    // No key will be free before the deadline: the rules' word now is worth more than silence until then.
    if (hopeMs > held.task.deadlineAt) degrade(state, ctx, held);
    else nextMs = Math.min(nextMs, Math.max(held.notBeforeMs, hopeMs));
  }
  if (nextMs < Number.POSITIVE_INFINITY && state.inFlight < args.maxConcurrent)
    ctx.timers.after("look", Math.max(1, nextMs - nowMs), { type: "look" });
  survey(state, nowMs);
  return state;
};

const degrade = (state: State, ctx: Ctx, held: Held): void => {
  const error = held.failure ?? "no quota group can be called before the deadline";
  keep(state, ctx, held, assessByRules(held.task, state.args.language, "degraded"), error);
};

const call = (state: State, ctx: Ctx, held: Held, ticket: Ticket): void => {
  const { args } = state;
  const { task } = held;
  const { taskId, image } = task;
  const { endpoint, jsonMode, use } = ticket;
  state.inFlight++;
  args.metrics.llmConcurrent.set({ scheduler_id: "0" }, state.inFlight);
  args.metrics.keyCalls.inc({ pool_id: use.group, key_id: use.id });
  held.phase = "calling";
  held.ticket = ticket;
  held.effort = { ...held.effort, calls: held.effort.calls + 1, llmModel: endpoint.model, apiKeyId: use.id };
  const prompt = renderPrompt(args.prompt, task);
  const limitMs = Math.max(1, Math.min(args.timeoutMs, task.deadlineAt - ctx.nowMs() - marginMs));
  ctx.pipe(
    async (ended) => {
      const beganMs = args.clock.monotonicMs();
      const late = new AbortController();
      const cancel = args.clock.after(limitMs, () => late.abort(new Error(`no answer within ${limitMs} ms`)));
      const signal = AbortSignal.any([ended, late.signal]);
      const outcome = await callModel({ fetch: args.fetch, endpoint, prompt, image, jsonMode, signal }, args.clock.nowMs);
      cancel();
      return { outcome, tookMs: args.clock.monotonicMs() - beganMs };
    },
    ({ outcome, tookMs }) => ({ type: "called", taskId, outcome, tookMs }),
    (thrown) => ({
      type: "called",
      taskId,
      outcome: { ok: false, action: "give_up", status: null, reason: String(thrown), retryAfterMs: null },
      tookMs: 0,
    }),
  );
};

const count = (metrics: Metrics, { endpoint: { model }, use }: Ticket, outcome: CallOutcome): void => {
  const status = !outcome.ok ? "error" : outcome.text.trim() === "" ? "empty_response" : "success";
  metrics.llmRequests.inc({ model, api_key_id: use.id, status });
  if (!outcome.ok) return;
  metrics.llmTokens.inc({ model, token_type: "prompt_tokens" }, outcome.promptTokens);
  metrics.llmTokens.inc({ model, token_type: "completion_tokens" }, outcome.completionTokens);
};

const survey = ({ args, held, desk }: State, nowMs: number): void => {
  let calling = 0;
  for (const { phase } of held.values()) if (phase === "calling") calling++;
  args.metrics.taskQueue.set({ queue_type: "processing" }, calling);
  args.metrics.taskQueue.set({ queue_type: "pending" }, held.size - calling);
  if (desk) measureKeys(args.metrics, desk.view(nowMs));
};
