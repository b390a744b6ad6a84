/** One camera: keeps its source open, numbers its frames, hands them to the detector and says how the camera fares. */
import type { CameraSettings, CameraState, CameraStatus } from "../protocols/camera.ts";
import type { FrameCaptured, FrameDelivered } from "../protocols/frame.ts";
import { type Address, actor, type Context } from "../runtime/actor.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { createRateMeter, type RateMeter } from "./camera/rate.ts";
import type { OpenSource, Source } from "./camera/source.ts";

export type CameraArgs = {
  readonly settings: CameraSettings;
  /** Raised each time the camera gets a new owner. */
  readonly ownerEpoch: number;
  readonly open: OpenSource;
  readonly detector: Address<FrameCaptured>;
  readonly live: Address<CameraStatus>;
  readonly metrics: Metrics;
  readonly clock: Clock;
};

type SourceChanged = {
  readonly type: "source.state";
  readonly state: CameraState;
  readonly reason: string;
  readonly latencyMs?: number;
};
export type CameraReceives = FrameDelivered | SourceChanged;

type State = {
  readonly args: CameraArgs;
  readonly source: Source;
  readonly seq: number;
  readonly health: CameraState;
  readonly rate: RateMeter;
};

const titles: Readonly<Record<CameraState, string>> = {
  connecting: "Connecting",
  online: "Online",
  stale: "Stale",
  frozen: "Frozen",
  offline: "Offline",
  failed: "Refused",
};
const isHealthy = (state: CameraState): boolean => state === "connecting" || state === "online";

const openSource = (args: CameraArgs, ctx: Context<CameraReceives>): Source => {
  const { settings, metrics, clock } = args;
  const ports = { frames: ctx.frames, clock, random: ctx.random, log: ctx.log.with({ cameraId: settings.id }) };
  return args.open(settings, ports, {
    frame: (frame, lease) => void ctx.deliver({ type: "source.frame", ...frame }, lease),
    state: (state, reason, latencyMs) =>
      void ctx.deliver({ type: "source.state", state, reason, ...(latencyMs === undefined ? {} : { latencyMs }) }),
    dropped: (reason) => metrics.dropped.inc({ actor: "camera", type: "frame", reason }),
  });
};

export const camera = actor<CameraArgs, State, CameraReceives>({
  name: "camera",
  // The newest frame and the newest state are what counts; an older one that still waits is let go.
  mailbox: { capacity: 8, overflow: "latest-per-key" },
  isSource: true,

  start: (args, ctx) => ({ args, source: openSource(args, ctx), seq: 0, health: "connecting", rate: createRateMeter() }),

  on: {
    "source.frame": (state, { type: _, truth, ...frame }, ctx) => {
      const { args, seq, rate } = state;
      const { id } = args.settings;
      args.metrics.cameraFrames.inc({ camera_id: String(id) });
      args.metrics.cameraFps.set({ camera_id: String(id) }, rate.tick(ctx.monotonicMs()));
      const numbered: FrameCaptured = { type: "frame.captured", cameraId: id, ownerEpoch: args.ownerEpoch, seq, ...frame };
      ctx.tell(args.detector, truth ? { ...numbered, truth } : numbered, ctx.lease ?? undefined);
      return { ...state, seq: seq + 1 };
    },

    "source.state": (state, { state: health, reason, latencyMs }, ctx) => {
      const { args } = state;
      const { id } = args.settings;
      ctx.log[isHealthy(health) ? "info" : "warn"]("camera.state", {
        cameraId: id,
        state: health,
        reason,
        ownerEpoch: args.ownerEpoch,
      });
      ctx.tell(args.live, {
        type: "camera_status",
        cameraId: id,
        status: health === "online" ? 1 : 0,
        message: health === "online" ? titles.online : `${titles[health]}: ${reason}`.slice(0, 300),
        state: health,
        ...(latencyMs === undefined ? {} : { latencyMs }),
      });
      if (health === "online" && state.health !== "online") args.metrics.activeCameras.inc();
      if (health !== "online" && state.health === "online") args.metrics.activeCameras.dec();
      if (health === "online") return { ...state, health };
      args.metrics.cameraFps.set({ camera_id: String(id) }, 0);
      return { ...state, health, rate: createRateMeter() }; // the pause does not count into the rate
    },
  },

  release({ args, source, health }) {
    if (health === "online") args.metrics.activeCameras.dec();
    args.metrics.cameraFps.remove({ camera_id: String(args.settings.id) });
    return source.close();
  },
});
