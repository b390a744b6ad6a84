/** What clients send over the WebSocket: read, checked, carried out, answered. */
import { Decoder } from "@msgpack/msgpack";
import type { CameraState } from "../../protocols/camera.ts";
import {
  type ClientMessage,
  clientMessages,
  type DataOf,
  type DataOfClient,
  type ServerMessage,
} from "../../protocols/websocket.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import { requireCamera, requireRole } from "../auth.ts";
import type { CameraView } from "../cameras/book.ts";
import type { Probe } from "../cameras/probe.ts";
import type { CameraRegistry } from "../cameras.ts";
import { invalidField } from "../problem.ts";
import { type Connection, tell } from "./connection.ts";
import { parseCursor } from "./cursor.ts";
import type { LiveHub } from "./hub.ts";
import { createBucket } from "./rate.ts";
import { type Form, wireOf } from "./wire.ts";
import { wants, wishOf } from "./wish.ts";

const messagesPerSecond = 20;
const messageBurst = 60;
/** Stops above the rate are carried out all the same, within an allowance of their own: a lost stop leaves a camera running. */
const extraStopsPerSecond = 2;
const extraStopBurst = 16;
/** Refusals that are answered at once; on average as many as there may be messages. Beyond that the client is closed. */
const refusalBurst = 200;
const inFlightMax = 4;
const policyViolation = 1008;

export type CommandPorts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly live: LiveHub;
  readonly cameras: CameraRegistry;
  readonly probe: Probe;
};

/** Handles the messages of one connection. */
export type Commands = { readonly receive: (raw: string | Uint8Array) => void };

const send = (connection: Connection, message: ServerMessage): void => tell(connection, wireOf(message));

const binary = new Decoder({ maxStrLength: 16_384, maxBinLength: 0, maxArrayLength: 2_000, maxMapLength: 64, maxExtLength: 0 });

const decode = (raw: string | Uint8Array, form: Form): unknown => {
  if (form === "json" && typeof raw !== "string") throw new Fault("bad_json", "send text frames with JSON `{type, data}`");
  try {
    return typeof raw === "string" ? JSON.parse(raw) : binary.decode(raw);
  } catch {
    throw new Fault("bad_json", typeof raw === "string" ? "the frame is not JSON" : "the frame is not MessagePack");
  }
};

/** The message, or a fault that says what is wrong with it; `type` is set as soon as it is known. */
const parse = (raw: string | Uint8Array, form: Form, seen: { type?: string }): ClientMessage => {
  const frame = decode(raw, form);
  if (typeof frame !== "object" || frame === null || !("type" in frame) || typeof frame.type !== "string") {
    throw new Fault("invalid_field", "type: expected a string", { details: { field: "type" } });
  }
  const type = frame.type.slice(0, 64);
  seen.type = type;
  if (!Object.hasOwn(clientMessages, type)) {
    throw new Fault(
      "unknown_type",
      `no message is called ${JSON.stringify(type)}; known: ${Object.keys(clientMessages).join(", ")}`,
    );
  }
  const definition = clientMessages[type as keyof typeof clientMessages]; // an own key of the table
  const parsed = definition.schema.safeParse("data" in frame ? frame.data : {});
  if (!parsed.success) throw invalidField(parsed.error, "data");
  return { type, data: parsed.data } as ClientMessage; // validated by the schema of this type
};

/** The kind of a message that is not looked at otherwise. */
const typeIn = (raw: string | Uint8Array, form: Form): string | undefined => {
  const seen: { type?: string } = {};
  try {
    parse(raw, form, seen);
  } catch {
    // Refused all the same; what could be read of it stands in `seen`.
  }
  return seen.type;
};

const isOnline = (state: CameraState): 0 | 1 => (state === "online" ? 1 : 0);
const statusOf = ({ id, state }: CameraView, message: string): DataOf<"camera_status"> => ({
  cameraId: id,
  status: isOnline(state),
  message,
  state,
});

type Handlers = {
  readonly [Type in ClientMessage["type"]]: (connection: Connection, data: DataOfClient<Type>) => void | Promise<void>;
};

const createHandlers = ({ live, cameras, probe }: CommandPorts): Handlers => ({
  ping: (connection) => send(connection, { type: "pong", data: {} }),

  async start_stream(connection, { cameraId, rtspUrl }) {
    requireRole(connection.principal, "operator");
    requireCamera(connection.principal, cameraId);
    const { outcome, view } = await cameras.startSession(cameraId, rtspUrl);
    const message = outcome === "unchanged" ? view.message || "Stream runs already" : "Stream started";
    send(connection, { type: "camera_status", data: statusOf(view, message) });
  },

  stop_stream(connection, { cameraId }) {
    requireRole(connection.principal, "operator");
    requireCamera(connection.principal, cameraId);
    cameras.stopSession(cameraId);
    const below = cameras.get(cameraId);
    if (below) send(connection, { type: "camera_status", data: statusOf(below, "The configured camera goes on") });
    else if (!wants(connection.wish, "stream_stopped", cameraId)) {
      send(connection, { type: "stream_stopped", data: { cameraId, reason: "Stopped by client" } });
    }
  },

  async check_camera(connection, { cameraId, rtspUrl }) {
    requireRole(connection.principal, "operator");
    const { ok, latencyMs, error } = await probe(rtspUrl);
    const state = ok ? "online" : "offline";
    const message = ok ? "Online" : `Offline: ${error ?? "no reason known"}`.slice(0, 300);
    send(connection, { type: "camera_status", data: { cameraId, status: ok ? 1 : 0, message, state, latencyMs } });
  },

  subscribe: (connection, data) => live.subscribe(connection, wishOf(data, connection.principal.cameras)),

  async resume(connection, { after }) {
    const from = parseCursor(after);
    if (!from)
      throw new Fault("invalid_field", "data.after: expected a cursor as the server gave it", { details: { field: "after" } });
    const { events, missed, cursor, more } = await live.replay(from);
    if (missed !== 0) send(connection, { type: "lagged", data: { missed, cursor: after } });
    for (const { type, cameraId, wire } of events) if (wants(connection.wish, type, cameraId)) tell(connection, wire);
    send(connection, { type: "resumed", data: { cursor, more } });
  },
});

export const createCommands = (ports: CommandPorts): ((connection: Connection) => Commands) => {
  const { clock, log } = ports;
  const handlers = createHandlers(ports);

  return (connection) => {
    const bucket = createBucket(clock, messagesPerSecond, messageBurst);
    const extraStops = createBucket(clock, extraStopsPerSecond, extraStopBurst);
    const refusals = createBucket(clock, messagesPerSecond, refusalBurst);
    let isClosed = false;
    let inFlight = 0;

    const answer = (thrown: unknown, inReplyTo: string | undefined): void => {
      const known = thrown instanceof Fault;
      if (!known) log.error("request.failed", { path: "/ws", type: inReplyTo, reason: reasonOf(thrown) });
      const code = known ? thrown.code : "internal";
      const message = known ? thrown.message : "internal error";
      send(connection, { type: "error", data: { code, message, ...(inReplyTo === undefined ? {} : { inReplyTo }) } });
    };

    /** Each refused command is answered by name, so that a client knows which to send again; who goes on is closed. */
    const isWithinRate = (raw: string | Uint8Array): boolean => {
      if (bucket.take()) return true;
      const type = typeIn(raw, connection.form);
      if (type === "stop_stream" && extraStops.take()) return true;
      if (refusals.take()) {
        answer(new Fault("rate_limited", `not done: send at most ${messagesPerSecond} messages a second`), type);
        return false;
      }
      isClosed = true;
      log.warn("client.refused", { client: connection.principal.name, reason: "flood" });
      connection.socket.close(policyViolation, "too many messages");
      return false;
    };

    return {
      receive(raw) {
        if (isClosed || !isWithinRate(raw)) return;
        const seen: { type?: string } = {};
        try {
          const message = parse(raw, connection.form, seen);
          if (inFlight >= inFlightMax && message.type !== "stop_stream")
            throw new Fault("rate_limited", `wait for an answer: ${inFlightMax} messages are in work`);
          const handler = handlers[message.type] as (of: Connection, data: unknown) => void | Promise<void>; // paired by the table
          const work = handler(connection, message.data);
          if (!work) return;
          inFlight += 1;
          work
            .catch((thrown) => answer(thrown, seen.type))
            .finally(() => {
              inFlight -= 1;
            });
        } catch (thrown) {
          answer(thrown, seen.type);
        }
      },
    };
  };
};
