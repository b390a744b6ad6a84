/** Cameras as records (topic `cameras`) and as seen from outside (`camera_status`). */
import { z } from "zod";
import { CameraId } from "./ids.ts";
import { type Infer, message } from "./message.ts";

const Polygon = z
  .array(z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)]))
  .min(3)
  .max(64);

/** No control characters, and none that turn the direction of what follows: a name is read by people. */
const printable = /^[^\p{Cc}\u202a-\u202e\u2066-\u2069]*$/u;

/** What a person or the configuration says about a camera. */
export const cameraFields = {
  id: CameraId,
  name: z.string().min(1).max(80).regex(printable, "expected a name without control characters and changes of direction"),
  url: z.string().min(1).max(2048).describe("file: rtsp: rtmp: http: https: or sim://junction?seed=N"),
  fps: z.number().min(0.05).max(30).default(2).describe("Frames per second to detect on"),
  loop: z.boolean().default(false).describe("Play a file again at its end"),
  roi: z
    .array(Polygon)
    .max(16)
    .optional()
    .describe("Regions of interest, normalised 0–1; objects whose centre lies outside are left out"),
  enabled: z.boolean().default(true),
};
export const CameraSettings = z.strictObject(cameraFields);
export type CameraSettings = z.output<typeof CameraSettings>;

export const CameraRecord = message("camera.record", "A camera that the system watches; `deleted` is a tombstone.", {
  ...cameraFields,
  ownerEpoch: z.int().min(0),
  deleted: z.boolean().default(false),
  configured: z
    .boolean()
    .default(false)
    .describe("Written from the configuration and not changed since: it follows the configuration"),
});
export type CameraRecord = Infer<typeof CameraRecord>;

export const cameraStates = ["connecting", "online", "stale", "frozen", "offline", "failed"] as const;
export type CameraState = (typeof cameraStates)[number];

export const CameraStatus = message("camera_status", "The state of a camera: at its change, and to whoever begins to listen.", {
  cameraId: CameraId,
  status: z.union([z.literal(1), z.literal(0)]),
  message: z.string().max(300),
  state: z.enum(cameraStates),
  latencyMs: z.number().optional(),
});
export type CameraStatus = Infer<typeof CameraStatus>;
