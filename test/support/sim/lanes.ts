/**
 * The half of the system that nothing makes durable, in small: frames with leases go through a lane per camera, started on
 * demand and ended when idle, to detection results and to a board that shows only the latest. Everything may be shed here,
 * but counted; nothing may be lost in silence, come out of order or keep its lease.
 */
import type { DetectionResult } from "../../../protocols/detection.ts";
import type { Tagged } from "../../../protocols/message.ts";
import { actor, addressOf } from "../../../runtime/actor.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { FramePool } from "../../../runtime/frame-pool.ts";
import type { Tolerance } from "../../../runtime/intensity.ts";
import { type Random, randomInt } from "../../../runtime/random.ts";
import type { System } from "../../../runtime/system.ts";
import { type ChildSpec, dynamic, stage, supervisor } from "../../../runtime/tree.ts";
import { aDetectionResult, aGroup } from "../build.ts";
import { standing } from "./source.ts";

type Seen = { readonly cameraId: number; readonly seq: number; readonly capturedAt: number; readonly pad: Uint8Array };
type Frame = Seen & { readonly type: "frame" };
type Sight = Seen & { readonly type: "sight" };
type Look = { readonly type: "look"; readonly cameraId: number; readonly seq: number };

/** One frame in so many makes a record. */
const recordEvery = 6;
const cameras = 3;
const laneIdleMs = 3_000;

const board = actor<null, null, Look>({
  name: "board",
  mailbox: { capacity: 2, overflow: "latest-per-key" },
  start: () => null,
  on: { look: (state) => state },
});

const tracker = actor<string, string, Frame>({
  name: "tracker",
  mailbox: { capacity: 4, overflow: "drop-oldest" },
  start: (lane) => lane,
  on: {
    frame: (lane, { cameraId, seq, capturedAt, pad }, ctx) => {
      const sight: Sight = { type: "sight", cameraId, seq, capturedAt, pad };
      ctx.tell(addressOf<Sight>(`${lane}/grouper`), sight, ctx.lease ?? undefined);
      return lane;
    },
  },
});

const grouper = actor<null, null, Sight, DetectionResult>({
  name: "grouper",
  mailbox: { capacity: 4, capacityBytes: 2_048, overflow: "pause-source" },
  start: () => null,
  on: {
    sight: (state, { cameraId, seq, capturedAt }, ctx) => {
      ctx.tell(addressOf<Look>("vedette/board"), { type: "look", cameraId, seq });
      if (seq % recordEvery === 0) {
        const messageId = `f${cameraId}-${seq}`;
        const group = aGroup({
          ...{ groupKey: `lane${seq % 4}`, riskLevel: seq % 5 === 0 ? "high" : "low" },
          ...standing(10 * 3 ** (seq % 7)),
        });
        ctx.emit(aDetectionResult({ messageId, cameraId, seq, capturedAt, trafficGroups: [group] }));
      }
      return state;
    },
  },
});

/** Sinks first: the board stands before the lanes. */
export const lanes = (tolerance: Tolerance): readonly ChildSpec[] => [
  stage(board, { args: null }),
  dynamic(
    "lanes",
    tolerance,
    (key) =>
      supervisor(`lane-${key}`, "rest_for_one", tolerance, [
        stage(tracker, { args: `vedette/lanes/lane-${key}`, tells: [addressOf(`vedette/lanes/lane-${key}/grouper`)] }),
        stage(grouper, { args: null, tells: [addressOf("vedette/board")] }),
      ]),
    { onDemand: { entry: "tracker", idleMs: laneIdleMs } },
  ),
];

/** A camera's next frame goes into the system when a slot is free; told are the frames that went. */
export const createCameras = ({ random, clock }: { readonly random: Random; readonly clock: Clock }) => {
  const next = Array.from({ length: cameras }, () => 0);
  return {
    send(system: System, frames: FramePool, sent: (message: Tagged) => void): void {
      const lease = frames.acquire();
      if (!lease) return;
      const cameraId = randomInt(random, cameras);
      const seq = next[cameraId] ?? 0;
      next[cameraId] = seq + 1;
      const pad = new Uint8Array(randomInt(random, 600));
      const frame: Frame = { type: "frame", cameraId, seq, capturedAt: clock.nowMs(), pad };
      sent(frame);
      system.tell(addressOf<Frame>("vedette/lanes"), frame, lease);
    },
  };
};
