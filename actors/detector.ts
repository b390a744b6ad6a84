/**
 * Gives each camera's newest frame to a free worker, one at a time per camera, and passes what was seen on to the camera's lane.
 *
 * Who holds a frame's lease: the runtime while the message is in the mailbox and during its turn; from then on this actor, by
 * a hold of its own for each entry of `waiting` and `inFlight`; the pool by another hold while a worker reads the slot, so that
 * a restart of this actor cannot free it under the worker; and the lane from `tell` on, which takes its hold at once. Every
 * way out of the two maps gives exactly one hold back, `release` included.
 */
import type { FrameCaptured, FrameDetected } from "../protocols/frame.ts";
import { type Address, actor, type Context } from "../runtime/actor.ts";
import { Fault, reasonOf } from "../runtime/errors.ts";
import type { FramePool, Lease } from "../runtime/frame-pool.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { allowsClass } from "./detector/classes.ts";
import type { DetectorPool } from "./detector/pool.ts";
import type { DetectorRun } from "./detector/watched-worker.ts";

export type DetectorArgs = {
  /** Null where there is no model: real frames are let go then, simulated ones go on. */
  readonly pool: DetectorPool | null;
  readonly lanes: Address<FrameDetected>;
  readonly metrics: Metrics;
  readonly modelType: string;
  readonly allowedClasses: readonly string[];
};

type RunDetected = { readonly type: "run.detected"; readonly cameraId: number } & DetectorRun;
type RunFailed = { readonly type: "run.failed"; readonly cameraId: number; readonly code: string; readonly reason: string };
type LookAgain = { readonly type: "look-again" };
export type DetectorReceives = FrameCaptured | RunDetected | RunFailed | LookAgain;

type Held = { readonly frame: FrameCaptured; readonly lease: Lease };
type State = {
  readonly args: DetectorArgs;
  readonly frames: FramePool;
  readonly allows: (className: string) => boolean;
  /** The newest frame of each camera that waits for a worker; a camera keeps its place when a newer frame comes. */
  readonly waiting: Map<number, Held>;
  readonly inFlight: Map<number, Held>;
  /** Why the last run failed; null after one that did not. */
  failing: string | null;
};
type DetectorContext = Context<DetectorReceives>;

const lookAgainMs = 100;

const isOlder = (a: FrameCaptured, b: FrameCaptured): boolean =>
  a.ownerEpoch !== b.ownerEpoch ? a.ownerEpoch < b.ownerEpoch : a.seq <= b.seq;

const drop = ({ args }: State, reason: string): void =>
  args.metrics.dropped.inc({ actor: "detector", type: "frame.captured", reason });

const countByClass = (detections: FrameDetected["detections"]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { class: name } of detections) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
};

const passOn = (
  { args }: State,
  ctx: DetectorContext,
  { truth: _, ...frame }: FrameCaptured,
  detections: FrameDetected["detections"],
  modelType: string,
  lease: Lease | null,
): void => {
  const camera_id = String(frame.cameraId);
  args.metrics.detections.inc({ camera_id, model_type: modelType });
  for (const [class_name, count] of countByClass(detections)) args.metrics.detectedObjects.inc({ camera_id, class_name }, count);
  const detectionLatency = Math.max(0, ctx.nowMs() - frame.capturedAt) / 1000;
  ctx.tell(args.lanes, { ...frame, type: "frame.detected", detections, detectionLatency, modelType }, lease ?? undefined);
};

/** Starts as many of the waiting frames as there are free workers, the longest waiting camera first. */
const dispatch = (state: State, ctx: DetectorContext): State => {
  const { pool } = state.args;
  if (!pool) return state;
  let room = pool.free();
  for (const [cameraId, held] of state.waiting) {
    if (room === 0) break;
    if (state.inFlight.has(cameraId)) continue;
    const { imageWidth, imageHeight } = held.frame;
    const geometry = { inputScale: ctx.frames.header(held.lease).inputScale, imageWidth, imageHeight };
    room--;
    ctx.pipe<DetectorRun>(
      () => pool.run(held.lease, geometry),
      (run) => ({ type: "run.detected", cameraId, ...run }),
      (failure) => ({
        type: "run.failed",
        cameraId,
        code: failure instanceof Fault ? failure.code : "internal",
        reason: reasonOf(failure),
      }),
    );
    state.waiting.delete(cameraId);
    state.inFlight.set(cameraId, held);
  }
  // Workers may come back while nothing is under way here whose outcome would tell.
  if (room === 0 && state.inFlight.size === 0) ctx.timers.after("look-again", lookAgainMs, { type: "look-again" });
  return state;
};

const takeFrame = (state: State, frame: FrameCaptured, ctx: DetectorContext): State => {
  const { cameraId, truth } = frame;
  const { lease } = ctx;
  const letGo = (reason: string): State => {
    drop(state, reason);
    return state;
  };
  if (truth) {
    const detections = truth.filter(({ class: name }) => state.allows(name));
    passOn(state, ctx, frame, detections, "sim", lease);
    return state;
  }
  if (!state.args.pool) return letGo("no_model");
  if (!lease || !ctx.frames.isCurrent(lease)) return letGo("no_lease");
  const flying = state.inFlight.get(cameraId);
  const waiting = state.waiting.get(cameraId);
  if ((flying && isOlder(frame, flying.frame)) || (waiting && isOlder(frame, waiting.frame))) return letGo("out_of_order");
  if (waiting) {
    drop(state, "superseded");
    ctx.frames.release(waiting.lease);
  }
  ctx.frames.retain(lease);
  state.waiting.set(cameraId, { frame, lease });
  return dispatch(state, ctx);
};

const takeFlown = (state: State, cameraId: number): Held => {
  const held = state.inFlight.get(cameraId);
  if (!held) throw new Error(`the outcome of a run came for camera ${cameraId}, which has none under way`);
  state.inFlight.delete(cameraId);
  return held;
};

export const detector = actor<DetectorArgs, State, DetectorReceives>({
  name: "detector",
  mailbox: { capacity: 4_096, overflow: "latest-per-key" },

  start: (args, ctx) => ({
    args,
    frames: ctx.frames,
    allows: allowsClass(args.allowedClasses),
    waiting: new Map(),
    inFlight: new Map(),
    failing: null,
  }),

  ready: ({ args: { pool } }) => pool === null || pool.free() > 0,

  on: {
    "frame.captured": takeFrame,

    "run.detected": (state, { cameraId, detections, inferenceMs }, ctx) => {
      const { frame, lease } = takeFlown(state, cameraId);
      const { metrics, modelType } = state.args;
      metrics.detectionLatency.observe({ camera_id: String(cameraId), model_type: modelType }, inferenceMs / 1000);
      passOn(state, ctx, frame, detections, modelType, lease);
      ctx.frames.release(lease);
      state.failing = null;
      return dispatch(state, ctx);
    },

    "run.failed": (state, { cameraId, code, reason }, ctx) => {
      const { lease } = takeFlown(state, cameraId);
      drop(state, `run_${code}`);
      ctx.frames.release(lease);
      // A model that fails fails on every frame: the reason is said once, the count goes on.
      if (state.failing !== reason) ctx.log.warn("detector.failed", { cameraId, reason });
      state.failing = reason;
      return dispatch(state, ctx);
    },

    "look-again": (state, _message, ctx) => dispatch(state, ctx),
  },

  release({ frames, waiting, inFlight }) {
    for (const { lease } of [...waiting.values(), ...inFlight.values()]) frames.release(lease);
    waiting.clear();
    inFlight.clear();
  },
});
