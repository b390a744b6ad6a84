/** Merges the verdicts of a frame: each result goes out at once as a revision, the last one is final. */
import { topics } from "../protocols/topics.ts";
import type { AssessmentResult, RiskUpdate } from "../protocols/verdict.ts";
import { actor, type Context } from "../runtime/actor.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { partitionOf } from "../runtime/partition.ts";
import { closedUnfinished, hasResult, openRequest, type Request, requestOf, updateOf, withResult } from "./aggregator/request.ts";

type Overdue = { readonly type: "overdue"; readonly messageId: string };
/** Cameras that another process goes on with, by the partitions that were taken away. */
type Gone = { readonly type: "gone"; readonly partitions: readonly number[]; readonly of: number };

export type AggregatorArgs = {
  readonly deadlineMs: number;
  /** A missing result is waited for so long after the deadline: the scheduler says `expired` at the deadline itself. */
  readonly graceMs: number;
  /** How long ago a record may have been written that is delivered again. */
  readonly outageMs: number;
  readonly metrics: Metrics;
};
/** Requests by messageId, oldest first; finished ones stay, so that a result that comes again is recognised. */
type State = { readonly args: AggregatorArgs; readonly requests: Map<string, Request> };

const requestsMax = 50_000;
const riskTypesMax = 50;

export const aggregator = actor<
  AggregatorArgs,
  State,
  AssessmentResult | RiskUpdate | Overdue | Gone,
  RiskUpdate,
  readonly RiskUpdate[]
>({
  name: "aggregator",
  mailbox: { capacity: 1_024, overflow: "pause-source" },

  load: (args, { recent, clock }) => recent(topics.incidents, clock.nowMs() - args.deadlineMs - args.outageMs),
  adopt: (args, { recent, clock }) => recent(topics.incidents, clock.nowMs() - args.deadlineMs - args.outageMs),
  part: ({ partitions, of }) => ({ type: "gone", partitions: [...partitions], of }),

  start(args, ctx, updates) {
    const state: State = { args, requests: new Map() };
    for (const update of updates) learn(state, update);
    for (const request of state.requests.values()) if (!request.final) expect(state, request, ctx);
    return state;
  },

  on: {
    "assessment.result": (state, result, ctx) => {
      const { args, requests } = state;
      const known = requests.get(result.requestId) ?? openRequest(result);
      if (hasResult(known, result.taskId)) {
        args.metrics.dropped.inc({ actor: "aggregator", type: result.type, reason: "duplicate" });
        return state;
      }
      if (known.final) {
        args.metrics.dropped.inc({ actor: "aggregator", type: result.type, reason: "late" });
        return state;
      }
      const request = withResult(known, result);
      requests.set(request.messageId, request);
      ctx.emit(updateOf(request, `${result.taskId}_update`));
      if (request.final) ctx.timers.cancel(request.messageId);
      else
        ctx.timers.after(request.messageId, request.deadlineAt + args.graceMs - ctx.nowMs(), {
          type: "overdue",
          messageId: request.messageId,
        });
      count(result, args.metrics);
      forgetOldest(state, ctx.nowMs());
      return state;
    },

    // Said by the owner before of a partition that came.
    risk_update: (state, update, ctx) => {
      const request = learn(state, update);
      if (request.final) ctx.timers.cancel(request.messageId);
      else expect(state, request, ctx);
      return state;
    },

    gone: (state, { partitions, of }, ctx) => {
      for (const { messageId, cameraId } of state.requests.values()) {
        if (!partitions.includes(partitionOf(String(cameraId), of))) continue;
        state.requests.delete(messageId);
        ctx.timers.cancel(messageId);
      }
      return state;
    },

    overdue: (state, { messageId }, ctx) => {
      const request = state.requests.get(messageId);
      if (!request || request.final) return state;
      const closed = closedUnfinished(request);
      state.requests.set(messageId, closed);
      const missing = request.taskIds.length - request.verdicts.length;
      state.args.metrics.dropped.inc({ actor: "aggregator", type: "assessment.result", reason: "overdue" }, missing);
      ctx.emit(updateOf(closed, `${messageId}_final`));
      return state;
    },
  },
});

/** The request as the update that came last has it. */
const learn = ({ args, requests }: State, update: RiskUpdate): Request => {
  const known = requests.get(update.messageId);
  if (known && update.revision <= known.revision) return known;
  const request = requestOf(update, args.deadlineMs);
  requests.set(request.messageId, request);
  return request;
};

type Timing = Pick<Context<Overdue>, "nowMs" | "timers">;

/** Waits for what is missing. The scheduler, too, has just come back or taken over: it gets its grace from now on. */
const expect = ({ args }: State, { messageId, deadlineAt }: Request, { nowMs, timers }: Timing): void => {
  const waitMs = Math.max(deadlineAt - nowMs(), 0) + args.graceMs;
  timers.after(messageId, waitMs, { type: "overdue", messageId });
};

/** Names of risks come from a model: their number is limited, the rest is `other`. */
const count = ({ cameraId, results }: AssessmentResult, metrics: Metrics): void => {
  for (const { riskLevel, riskTypes } of results) {
    if (riskLevel === null || riskLevel === "none") continue;
    metrics.riskAlerts.inc({ camera_id: String(cameraId), risk_level: riskLevel });
    for (const riskType of riskTypes) {
      metrics.riskTypes.inc({ risk_type: metrics.labelWithin("risk_type", riskType, riskTypesMax) });
    }
  }
};

/** Finished requests whose results can no longer come again; beyond the limit, the oldest finished ones too. */
const forgetOldest = ({ requests, args }: State, nowMs: number): void => {
  for (const [messageId, { final, capturedAt }] of requests) {
    const isPast = nowMs - capturedAt > args.deadlineMs + args.outageMs;
    if (!isPast && requests.size <= requestsMax) return;
    if (final) requests.delete(messageId);
  }
};
