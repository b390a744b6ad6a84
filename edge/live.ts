/**
 * The last stage: what the pipeline sees, handed to the hub that tells viewers. It hears observations only, which a newer one
 * replaces; verdicts reach the hub from the topic `incidents`, which the hub follows itself because viewers resume by its offsets.
 */
import type { CameraStatus } from "../protocols/camera.ts";
import type { LiveDetection } from "../protocols/detection.ts";
import { actor, type Context } from "../runtime/actor.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { CameraRegistry } from "./cameras.ts";
import type { LiveHub } from "./live/hub.ts";
import type { TellTracks } from "./tracks.ts";

/** RGB rows without padding to JPEG. */
export type EncodeJpeg = (picture: Uint8Array, width: number, height: number, quality: number) => Uint8Array;

export type LiveArgs = {
  readonly hub: LiveHub;
  readonly cameras: Pick<CameraRegistry, "noteFrame" | "noteStatus">;
  readonly encodeJpeg: EncodeJpeg;
  readonly metrics: Metrics;
  /** Where programs outside are told of tracks, too. */
  readonly tellTracks?: TellTracks | undefined;
};
export type LiveReceives = LiveDetection | CameraStatus;

/** The picture of the frame in hand, while its lease holds. */
const encoderOf = (
  { lease, frames }: Context<LiveReceives>,
  encodeJpeg: EncodeJpeg,
): ((quality: number) => Uint8Array) | null => {
  if (!lease || !frames.isCurrent(lease)) return null;
  const made = new Map<number, Uint8Array>(); // viewers and tracks mostly want the same
  return (quality) => {
    const known = made.get(quality);
    if (known) return known;
    const { pictureWidth, pictureHeight } = frames.header(lease);
    const picture = frames.picture(lease).subarray(0, pictureWidth * pictureHeight * 3);
    const jpeg = encodeJpeg(picture, pictureWidth, pictureHeight, quality);
    made.set(quality, jpeg);
    return jpeg;
  };
};

export const live = actor<LiveArgs, LiveArgs, LiveReceives>({
  name: "live",
  mailbox: { capacity: 4_096, overflow: "latest-per-key" },

  start: (args) => args,

  on: {
    detection_result(args, detection, context) {
      args.metrics.captureToDetection.observe(Math.max(0, context.nowMs() - detection.capturedAt) / 1000);
      args.cameras.noteFrame(detection.cameraId, detection.capturedAt);
      const encode = encoderOf(context, args.encodeJpeg);
      args.hub.detection(detection, encode, context.bytes);
      args.tellTracks?.(detection, encode);
      return args;
    },

    camera_status(args, status) {
      args.cameras.noteStatus(status);
      args.hub.status(status);
      return args;
    },
  },
});
