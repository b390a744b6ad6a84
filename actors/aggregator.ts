/**
 * Merges the verdicts of a frame: each result goes out at once as a revision, the last one is final. Results that tell of a
 * danger are sightings of an incident, which goes on until nothing was heard of it for a while.
 */
import { Incident, incidentFacts, incidentRecordId } from "../protocols/incident.ts";
import { topics } from "../protocols/topics.ts";
import type { AssessmentResult, RiskUpdate } from "../protocols/verdict.ts";
import { actor, type Context } from "../runtime/actor.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { partitionOf } from "../runtime/partition.ts";
import type { Store } from "../runtime/store.ts";
import { isWorthAPicture, sightingOf } from "./aggregator/incident.ts";
import {
  adoptIncident,
  type EndedIncidents,
  endedOf,
  endQuiet,
  factsOf,
  inheritKept,
  knownOf,
  loadKept,
  noteEnded,
  noteSighting,
  type OpenIncidents,
  openOf,
  readIncident,
  settleDoubt,
  untold,
} from "./aggregator/open-incidents.ts";
import {
  closedUnfinished,
  hasResult,
  isUnheardOf,
  openRequest,
  type Request,
  requestOf,
  updateOf,
  withResult,
} from "./aggregator/request.ts";

type Overdue = { readonly type: "overdue"; readonly messageId: string };
/** The picture of a result is stored, or could not be. */
type Kept = { readonly type: "kept"; readonly result: AssessmentResult; readonly evidenceId: string | null };
type LookForQuiet = { readonly type: "look-for-quiet" };
/** What the store has of an incident that this aggregator did not hear of itself; null when it has nothing. */
type LookedUp = { readonly type: "looked-up"; readonly id: string; readonly stored: Uint8Array | null };
type NotLookedUp = { readonly type: "not-looked-up" };
/** The store was away at the start: what it keeps is asked for until it answers. */
type LoadKept = { readonly type: "load-kept" };
type NotLoadedKept = { readonly type: "not-loaded-kept" };
type LoadedKept = { readonly type: "loaded-kept" } & KeptOfAll;
/** Cameras that another process goes on with, by the partitions that were taken away. */
type Gone = { readonly type: "gone"; readonly partitions: readonly number[]; readonly of: number };
type Told = RiskUpdate | Incident;
type Receives =
  | AssessmentResult
  | Told
  | Overdue
  | Gone
  | Kept
  | LookForQuiet
  | LookedUp
  | NotLookedUp
  | LoadKept
  | LoadedKept
  | NotLoadedKept;
/** What the store keeps, and what of it the topic lacks, whoever was to tell it. */
type KeptOfAll = { readonly kept: readonly Incident[]; readonly untold: readonly Incident[] };
type Loaded = {
  readonly told: readonly Told[];
  /** Null while the store is away. */
  readonly found: KeptOfAll | null;
  readonly lookUp: () => Promise<KeptOfAll>;
  readonly store: Store;
};

export type AggregatorArgs = {
  readonly deadlineMs: number;
  /** A missing result is waited for so long after the deadline: the scheduler says `expired` at the deadline itself. */
  readonly graceMs: number;
  /** How long ago a record may have been written that is delivered again. */
  readonly outageMs: number;
  readonly metrics: Metrics;
  /** Stores a picture for those who look at incidents; resolves to its id. Without it incidents have no pictures. */
  readonly keepEvidence?: (cameraId: number, image: Uint8Array) => Promise<string>;
};
type State = {
  readonly args: AggregatorArgs;
  /** By messageId, oldest first; finished ones stay, so that a result that comes again is recognised. */
  readonly requests: Map<string, Request>;
  readonly open: OpenIncidents;
  readonly ended: EndedIncidents;
  readonly lookUp: Loaded["lookUp"];
  readonly store: Store;
};
type AggregatorContext = Context<Receives, Told>;

const requestsMax = 50_000;
const riskTypesMax = 50;
const isIncident = (told: Told): told is Incident => told.type === "incident";

const lookForQuietMs = 1_000;
const loadAgainMs = 1_000;

export const aggregator = actor<AggregatorArgs, State, Receives, Told, Loaded>({
  name: "aggregator",
  mailbox: { capacity: 1_024, overflow: "pause-source" },

  /** Without the store the topic tells what was said lately, and verdicts go on; older incidents are taken up when it is back. */
  async load({ deadlineMs, outageMs, metrics }, { recent, recentOfAll, store, clock }) {
    const sinceMs = clock.nowMs() - deadlineMs - outageMs;
    const lookUp = async (): Promise<KeptOfAll> => {
      const kept = await loadKept(store);
      const told = kept.length === 0 ? [] : await recentOfAll(topics.incidents, clock.nowMs() - deadlineMs - outageMs);
      return { kept, untold: untold(kept, told.filter(isIncident)) };
    };
    const away = () => {
      metrics.pipelineErrors.inc({ error_type: "store_failed", component: "aggregator" });
      return null;
    };
    const [told, found] = await Promise.all([recent(topics.incidents, sinceMs), lookUp().catch(away)]);
    return { told, found, lookUp, store };
  },

  adopt: ({ deadlineMs, outageMs }, { recent, clock }) => recent(topics.incidents, clock.nowMs() - deadlineMs - outageMs),
  part: ({ partitions, of }) => ({ type: "gone", partitions: [...partitions], of }),

  start(args, ctx, { told, found, lookUp, store }) {
    const known = [...(found?.kept ?? []), ...told.filter(isIncident)];
    const incidents = { open: openOf(known, ctx.nowMs()), ended: endedOf(known) };
    const state: State = { args, requests: new Map(), ...incidents, lookUp, store };
    for (const update of told) if (update.type === "risk_update") learn(state, update);
    for (const request of state.requests.values()) if (!request.final) expect(state, request, ctx);
    for (const incident of found?.untold ?? []) ctx.emit(incident); // under its id: who has it is not told again
    if (found === null) ctx.timers.after("load-kept", loadAgainMs, { type: "load-kept" });
    // From here and from its own turns only, so that it holds no cause: an incident may last for hours.
    ctx.timers.after("look-for-quiet", lookForQuietMs, { type: "look-for-quiet" });
    return state;
  },

  on: {
    "assessment.result": (state, { evidence, ...result }, ctx) => {
      if (isNews(state, result)) {
        const { keepEvidence } = state.args;
        const sighting = sightingOf(result);
        if (keepEvidence && evidence && sighting && isWorthAPicture(knownOf(state.open, sighting), sighting)) {
          const image = evidence.slice(); // what is read is a view on the bytes of a whole batch
          ctx.pipe(
            () => keepEvidence(result.cameraId, image),
            (evidenceId) => ({ type: "kept", result, evidenceId }),
            () => ({ type: "kept", result, evidenceId: null }),
          );
        } else take(state, result, null, ctx);
      }
      return state;
    },

    // The picture first, the word after: who hears of a picture finds it. Meanwhile the result may have come a second time.
    kept: (state, { result, evidenceId }, ctx) => {
      if (evidenceId === null) state.args.metrics.dropped.inc({ actor: "aggregator", type: "evidence", reason: "not_stored" });
      if (isNews(state, result)) take(state, result, evidenceId, ctx);
      return state;
    },

    // Said by the owner before of a partition that came.
    risk_update: (state, update, ctx) => {
      const request = learn(state, update);
      if (request.final) ctx.timers.cancel(request.messageId);
      else expect(state, request, ctx);
      return state;
    },

    incident: (state, incident, ctx) => {
      adoptIncident(state.open, incident, ctx.nowMs());
      if (incident.phase === "end") noteEnded(state.ended, incident);
      return state;
    },

    gone: (state, { partitions, of }, ctx) => {
      const isGone = (cameraId: number) => partitions.includes(partitionOf(String(cameraId), of));
      for (const { messageId, cameraId } of state.requests.values()) {
        if (!isGone(cameraId)) continue;
        state.requests.delete(messageId);
        ctx.timers.cancel(messageId);
      }
      for (const [id, { incident }] of state.open) if (isGone(incident.cameraId)) state.open.delete(id);
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

    "look-for-quiet": (state, message, ctx) => {
      const { args, open, store } = state;
      // No result comes later than this after the frame it is about.
      const { ended, doubtful } = endQuiet(open, ctx.nowMs(), args.deadlineMs + args.graceMs);
      for (const incident of ended) tell(state, incident, ctx);
      for (const { id } of doubtful) {
        ctx.pipe(
          () => store.get(incidentFacts.open(id)),
          (stored) => ({ type: "looked-up", id, stored }),
          () => ({ type: "not-looked-up" }),
        );
      }
      ctx.timers.after("look-for-quiet", lookForQuietMs, message);
      return state;
    },

    "looked-up": (state, { id, stored }, ctx) => {
      const kept = stored && readIncident(stored);
      if (kept?.phase === "end") noteEnded(state.ended, kept);
      const ended = settleDoubt(state.open, id, kept);
      if (ended) tell(state, ended, ctx);
      return state;
    },

    "load-kept": (state, _message, ctx) => {
      ctx.pipe(
        state.lookUp,
        (found) => ({ type: "loaded-kept", ...found }),
        () => ({ type: "not-loaded-kept" }),
      );
      return state;
    },

    "loaded-kept": (state, { kept, untold }, ctx) => {
      const ids = new Set(untold.map(incidentRecordId));
      const news = inheritKept(state, kept, ctx.nowMs());
      for (const incident of news) if (ids.has(incidentRecordId(incident))) ctx.emit(incident);
      return state;
    },

    "not-loaded-kept": (state, _message, ctx) => {
      ctx.timers.after("load-kept", loadAgainMs, { type: "load-kept" });
      return state;
    },

    // The store is away: the incident stays open until it can be asked.
    "not-looked-up": (state) => state,
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

const refusalOf = (known: Request | undefined, taskId: string): "duplicate" | "late" | null => {
  if (!known) return null;
  if (hasResult(known, taskId)) return "duplicate";
  return known.final && !isUnheardOf(known, taskId) ? "late" : null;
};

/**
 * False, and counted, for a result that was taken before or comes after the last word. A task that the request did not know of
 * opens it again: a further revision is its last word then.
 */
const isNews = ({ args, requests }: State, result: AssessmentResult): boolean => {
  const reason = refusalOf(requests.get(result.requestId), result.taskId);
  if (reason !== null) args.metrics.dropped.inc({ actor: "aggregator", type: result.type, reason });
  return reason === null;
};

const take = (state: State, result: AssessmentResult, evidenceId: string | null, ctx: AggregatorContext): void => {
  const { args, requests } = state;
  const request = withResult(requests.get(result.requestId) ?? openRequest(result), result);
  requests.set(request.messageId, request);
  ctx.emit(updateOf(request, `${result.taskId}_update`));
  if (request.final) ctx.timers.cancel(request.messageId);
  else
    ctx.timers.after(request.messageId, request.deadlineAt + args.graceMs - ctx.nowMs(), {
      type: "overdue",
      messageId: request.messageId,
    });

  const sighting = sightingOf(result);
  if (sighting) {
    const incident = noteSighting(state, sighting, evidenceId);
    if (incident === "too_many") args.metrics.dropped.inc({ actor: "aggregator", type: Incident.type, reason: incident });
    else if (incident) tell(state, incident, ctx);
  }
  count(result, args.metrics);
  forgetOldest(state, ctx.nowMs());
};

const tell = ({ ended }: State, incident: Incident, ctx: AggregatorContext): void => {
  if (incident.phase === "end") noteEnded(ended, incident);
  ctx.emit(incident);
  for (const fact of factsOf(incident)) ctx.save(fact);
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
