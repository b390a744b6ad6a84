/** Gives the objects of one camera ids that last. One instance a camera; frames come one at a time and in order. */
import type { FrameDetected, FrameTracked } from "../protocols/frame.ts";
import { type Address, actor } from "../runtime/actor.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { startTracks, type TrackingOptions, type Tracks, trackFrame } from "./tracker/bytetrack.ts";
import { type FrameStamp, frameOrder } from "./tracker/order.ts";

export type TrackerArgs = {
  readonly clusterer: Address<FrameTracked>;
  readonly metrics: Metrics;
  readonly options?: Partial<TrackingOptions>;
};
type State = {
  readonly args: TrackerArgs;
  readonly tracks: Tracks;
  readonly last: FrameStamp | null;
  /** Added to the camera's segment: a restarted camera begins its segments anew, and the clusterer must not take them for known ones. */
  readonly segmentsBefore: number;
};

export const tracker = actor<TrackerArgs, State, FrameDetected>({
  name: "tracker",
  // One frame of a camera is in flight; the rest is room for a camera that was restarted meanwhile.
  mailbox: { capacity: 8, overflow: "drop-oldest" },

  start: (args) => ({ args, tracks: startTracks(args.options), last: null, segmentsBefore: 0 }),

  on: {
    "frame.detected": (state, frame, ctx) => {
      const { args, tracks } = state;
      const dropped = (type: string, reason: string, count: number) => {
        if (count > 0) args.metrics.dropped.inc({ actor: "tracker", type, reason }, count);
      };

      const order = frameOrder(state.last, frame);
      if (order === "out_of_order") {
        dropped("frame.detected", order, 1);
        return state;
      }
      const segmentsBefore = order === "restart" ? (tracks.segment ?? 0) + 1 : state.segmentsBefore;
      const segment = segmentsBefore + frame.segment; // tracks of another segment are forgotten

      const { detections, ...carried } = frame;
      const { mediaTimeMs } = frame;
      const { objects, overLimit, malformed } = trackFrame(tracks, { segment, mediaTimeMs, detections });
      dropped("detection", "track_limit", overLimit);
      dropped("detection", "malformed", malformed);
      ctx.tell(args.clusterer, { ...carried, segment, type: "frame.tracked", objects }, ctx.lease ?? undefined);
      return { ...state, segmentsBefore, last: { ownerEpoch: frame.ownerEpoch, seq: frame.seq, capturedAt: frame.capturedAt } };
    },
  },
});
