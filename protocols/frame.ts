/** camera → detector → tracker → clusterer: what is said about one frame. The pixels stay in the frame pool; the lease stands in the envelope. */
import { z } from "zod";
import { Box, CameraId, TimestampMs } from "./ids.ts";
import { type Infer, message } from "./message.ts";

/** Identity and clock of a frame, carried unchanged from the camera to the clusterer. */
const frame = {
  cameraId: CameraId,
  ownerEpoch: z.int().min(0).describe("Raised each time the camera gets a new owner"),
  seq: z.int().min(0).describe("Counts frames of one owner"),
  segment: z.int().min(0).describe("Raised when the media clock is reset: reopened source or looped file"),
  capturedAt: TimestampMs.describe("Wall clock at arrival of the frame's first packet"),
  mediaTimeMs: z.number().describe("From the stream's timestamps, unwrapped within a segment"),
  imageWidth: z.int().positive().describe("Of the original frame; boxes are in these pixels"),
  imageHeight: z.int().positive(),
};

export const Detection = z.object({ class: z.string().max(64), confidence: z.number().min(0).max(1), bbox: Box });
export type Detection = z.infer<typeof Detection>;

const truth = z.array(Detection).optional().describe("Exact ground truth of a simulated camera; the detector passes it on");
const { capturedAt, mediaTimeMs, segment, imageWidth, imageHeight } = frame;

export const FrameDelivered = message("source.frame", "A camera's source has put a frame into the pool.", {
  ...{ capturedAt, mediaTimeMs, segment, imageWidth, imageHeight, truth },
});
export type FrameDelivered = Infer<typeof FrameDelivered>;

export const FrameCaptured = message("frame.captured", "A frame stands in the pool, ready to be detected on.", {
  ...frame,
  truth,
});
export type FrameCaptured = Infer<typeof FrameCaptured>;

export const FrameDetected = message("frame.detected", "What the detector saw in one frame.", {
  ...frame,
  detections: z.array(Detection).max(1000),
  detectionLatency: z.number().describe("Seconds from capture to detection"),
  modelType: z.string(),
});
export type FrameDetected = Infer<typeof FrameDetected>;

export const TrackedObject = z.object({
  ...Detection.shape,
  trackId: z.int().min(0),
  velocity: z
    .tuple([z.number(), z.number()])
    .optional()
    .describe("Pixels per second of media time, smoothed; absent until known"),
  ageMs: z.number().describe("Media time since the track was first seen"),
});
export type TrackedObject = z.infer<typeof TrackedObject>;

export const FrameTracked = message("frame.tracked", "Confirmed, current tracks of one frame.", {
  ...frame,
  objects: z.array(TrackedObject).max(1000),
  detectionLatency: z.number(),
  modelType: z.string(),
});
export type FrameTracked = Infer<typeof FrameTracked>;
