/** The eyes of the pipeline as its own stages: detector, and tracker and clusterer of each camera, with the embedded log behind them. */

import { createMediaSource } from "../../actors/camera/media-source.ts";
import { openMedia } from "../../actors/camera/node-av.ts";
import { type CameraArgs, camera } from "../../actors/camera.ts";
import { clusterer } from "../../actors/clusterer.ts";
import { defaultAllowedClasses } from "../../actors/detector/classes.ts";
import type { PreparedModel } from "../../actors/detector/model.ts";
import { startDetectorPool } from "../../actors/detector/pool.ts";
import { detector } from "../../actors/detector.ts";
import { addresses } from "../../actors/pipeline.ts";
import { tracker } from "../../actors/tracker.ts";
import type { CameraStatus } from "../../protocols/camera.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { LiveDetection } from "../../protocols/detection.ts";
import type { FrameTracked } from "../../protocols/frame.ts";
import { topics } from "../../protocols/topics.ts";
import { type ActorDefinition, addressOf } from "../../runtime/actor.ts";
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { systemClock } from "../../runtime/clock.ts";
import { createFramePool, type FramePool, framePoolLayout, type Lease } from "../../runtime/frame-pool.ts";
import { encodeCrop } from "../../runtime/jpeg.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import type { System } from "../../runtime/system.ts";
import { dynamic, stage, supervisor } from "../../runtime/tree.ts";
import { emptyFolder } from "../folder.ts";
import { startTree, tolerance } from "../runtime/own.ts";
import type { ClipFrame } from "./frames.ts";

export type Eyes = {
  readonly system: System;
  readonly frames: FramePool;
  /** Called with each result as a viewer hears it. */
  seen: (detection: LiveDetection) => void;
  /** Plays the clip as camera `id`, in a loop and by its own clock. */
  readonly watch: (id: number, clip: string, fps: number) => void;
  readonly unwatch: (id: number) => void;
  readonly close: () => Promise<void>;
};

type Viewer = { readonly seen: (detection: LiveDetection) => void };

const viewer: ActorDefinition<Viewer, Viewer, LiveDetection | CameraStatus> = {
  name: "live",
  mailbox: { capacity: 4_096, overflow: "latest-per-key" },
  start: (args) => args,
  on: {
    detection_result(state, detection) {
      state.seen(detection);
      return state;
    },
    camera_status: (state) => state,
  },
};

const laneIdleMs = 5 * 60_000;

export const openEyes = async (model: PreparedModel, workers: number, slots: number): Promise<Eyes> => {
  const folder = emptyFolder();
  const [clock, metrics] = [systemClock, createMetrics()];
  const bus = await openSqliteBus({ directory: folder.path, clock, log: silentLog, maxBytes: 2 ** 32 });
  await bus.ensure([topics.detections]);
  const frames = createFramePool(framePoolLayout(slots, model.plan.inputSize));
  const fatal = (reason: string): never => {
    throw new Error(reason);
  };
  const pool = await startDetectorPool({ frames, model, clock, log: silentLog, metrics, workers, onExhausted: fatal });
  const live = addressOf<LiveDetection>("vedette/live");

  const lane = (key: string) => {
    const grouping = addressOf<FrameTracked>(`vedette/lanes/lane-${key}/clusterer`);
    return supervisor(`lane-${key}`, "rest_for_one", tolerance, [
      stage(tracker, { args: { metrics, clusterer: grouping }, tells: [grouping] }),
      stage(clusterer, { args: { live, metrics, encodeCrop }, tells: [live] }),
    ]);
  };
  const detecting = { pool, lanes: addresses.lanes, metrics, modelType: "bench", allowedClasses: defaultAllowedClasses };
  const system = await startTree(
    [
      stage(viewer, { args: { seen: (detection) => eyes.seen(detection) } }),
      dynamic("lanes", tolerance, lane, { onDemand: { entry: "tracker", idleMs: laneIdleMs } }),
      stage(detector, { args: detecting, tells: [addresses.lanes] }),
      dynamic("eyes", tolerance, (key, args: CameraArgs) =>
        stage(camera, { name: `camera-${key}`, args, tells: [args.detector, args.live] }),
      ),
    ],
    { bus, frames, codec: createCodec(topics.detections.messages) },
    [topics.detections],
  );

  const eyes: Eyes = {
    system,
    frames,
    seen() {},
    watch(id, clip, fps) {
      const open = createMediaSource({ open: openMedia, check: async () => ({ kind: "file", target: clip }) });
      const settings = { id, name: `camera ${id}`, url: `file:${clip}`, fps, loop: true, enabled: true };
      const status = addressOf<CameraStatus>("vedette/live");
      const args = { settings, ownerEpoch: 1, open, detector: addresses.detector, live: status, metrics, clock };
      system.startChild(addresses.eyes, String(id), args);
    },
    unwatch: (id) => system.stopChild(addresses.eyes, String(id)),
    async close() {
      await system.stop("measured", 1_000);
      await pool.close();
      await bus.close();
      folder.remove();
    },
  };
  return eyes;
};

/** Fills a slot for each frame and keeps it: what is measured begins where a decoded frame stands in its slot. */
export const fillPool = ({ frames }: Eyes, clip: readonly ClipFrame[]): readonly Lease[] =>
  clip.map(({ width, height, picture, input, inputScale }) => {
    const lease = frames.acquire();
    if (!lease) throw new Error("the pool has too few slots");
    frames.picture(lease).set(picture);
    frames.input(lease).set(input);
    frames.setHeader(lease, { pictureWidth: width, pictureHeight: height, inputScale });
    return lease;
  });
