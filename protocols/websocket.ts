/**
 * What is said over `/ws`, both ways: frames `{type, data}`. From these declarations come the validation of what clients
 * send, the types of `edge/client.ts` and the AsyncAPI page.
 */
import { z } from "zod";
import { CameraStatus } from "./camera.ts";
import { LiveDetection } from "./detection.ts";
import { CameraId } from "./ids.ts";
import { Incident } from "./incident.ts";
import { type MessageDefinition, message } from "./message.ts";
import { RiskUpdate } from "./verdict.ts";

const Url = z.string().min(1).max(2048).describe("file: rtsp: rtmp: http: https: or sim://junction?seed=N");
const Cursor = z
  .string()
  .max(512)
  .regex(/^[0-9a-z.,]*$/, "expected a cursor as the server gave it, or an empty string")
  .describe("A place in the events; empty is the oldest one that is still at hand");

/** Kinds of message that `subscribe{types}` may name. */
export const streamTypes = ["detection_result", "camera_status", "stream_stopped", "risk_update", "incident"] as const;
export type StreamType = (typeof streamTypes)[number];

export const clientMessages = {
  ping: message("ping", "Asks for a sign of life.", {}),
  start_stream: message("start_stream", "Watches a camera until `stop_stream`, whoever stays connected. Not persisted.", {
    cameraId: CameraId,
    rtspUrl: Url,
  }),
  stop_stream: message("stop_stream", "Ends what `start_stream` began.", { cameraId: CameraId }),
  check_camera: message("check_camera", "Opens the address once; the answer is a `camera_status`.", {
    cameraId: CameraId,
    rtspUrl: Url,
  }),
  subscribe: message("subscribe", "What this client wants to hear; replaces its former wish. Without it: all, no pictures.", {
    cameraIds: z.array(CameraId).max(1000).optional().describe("Only these cameras"),
    types: z.array(z.enum(streamTypes)).max(streamTypes.length).optional().describe("Only these kinds of message"),
    maxFps: z.number().min(0.1).max(30).optional().describe("Most detection results per second and camera"),
    frames: z
      .union([z.boolean(), z.array(CameraId).max(256)])
      .optional()
      .describe("Pictures with the detection results: of all cameras, or of those named"),
  }),
  resume: message("resume", "Sends the events after a cursor again.", { after: Cursor }),
} as const satisfies Record<string, MessageDefinition>;

export const serverMessages = {
  connection_ack: message("connection_ack", "The first message of a connection.", {
    message: z.string(),
    version: z.string(),
    cursor: Cursor,
  }),
  pong: message("pong", "The answer to `ping`.", {}),
  error: message("error", "A message of the client was not carried out.", {
    code: z.string().describe("One of the codes of the HTTP problem documents"),
    message: z.string(),
    inReplyTo: z.string().max(64).optional().describe("The type of the message it answers"),
  }),
  lagged: message("lagged", "This client read too slowly and missed events; `resume{after: cursor}` sends them again.", {
    missed: z.int().min(-1).describe("How many; -1 when they are beyond retention"),
    cursor: Cursor,
  }),
  resumed: message(
    "resumed",
    "The answer to `resume`, behind the events: all up to this cursor were sent. Until then the cursors of events that happen meanwhile are ahead of what was sent.",
    { cursor: Cursor, more: z.boolean().describe("There is more behind this cursor: resume from there") },
  ),
  stream_stopped: message("stream_stopped", "A camera is no longer watched.", {
    cameraId: CameraId,
    reason: z.string().max(300),
  }),
  camera_status: CameraStatus,
  detection_result: message("detection_result", LiveDetection.doc, {
    ...LiveDetection.schema.shape,
    frame: z.string().optional().describe("The picture as a data URI, for clients that asked for it"),
  }),
  risk_update: message("risk_update", RiskUpdate.doc, { ...RiskUpdate.schema.shape, cursor: Cursor }),
  incident: message("incident", Incident.doc, { ...Incident.schema.shape, cursor: Cursor }),
} as const satisfies Record<string, MessageDefinition>;

type Frames<Table extends Record<string, MessageDefinition>> = {
  [Type in keyof Table & string]: { readonly type: Type; readonly data: Readonly<z.output<Table[Type]["schema"]>> };
}[keyof Table & string];

export type ClientMessage = Frames<typeof clientMessages>;
export type ServerMessage = Frames<typeof serverMessages>;
export type DataOfClient<Type extends ClientMessage["type"]> = Extract<ClientMessage, { readonly type: Type }>["data"];
export type DataOf<Type extends ServerMessage["type"]> = Extract<ServerMessage, { readonly type: Type }>["data"];
