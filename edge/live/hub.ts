/** What viewers are told, live: detection results, camera states, and the events of the topic `incidents`. */
import type { CameraStatus } from "../../protocols/camera.ts";
import type { LiveDetection } from "../../protocols/detection.ts";
import type { Tagged } from "../../protocols/message.ts";
import type { RiskUpdate } from "../../protocols/verdict.ts";
import type { DataOf, ServerMessage } from "../../protocols/websocket.ts";
import type { Bus, Position } from "../../runtime/bus.ts";
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Principal } from "../auth.ts";
import { type Connection, type LiveSocket, tell } from "./connection.ts";
import { createLiveEvents, type LiveEvent, type Replay } from "./events.ts";
import { createFanout, type DetectionWires, fanoutLimits, type Publisher } from "./fanout.ts";
import { createLatest, type Picture } from "./latest.ts";
import { type Form, framed, once, type Wire, wireOf } from "./wire.ts";
import { type Wish, wants, wishOf } from "./wish.ts";

export type Preview = { readonly ws: boolean; readonly quality: number; readonly maxFps: number };
export const previewDefault: Preview = { ws: true, quality: 75, maxFps: 10 };

/** The last result of a camera with the verdict that is known for it, as HTTP shows it. */
export type MergedResult = Omit<LiveDetection, "type" | "frame"> & { readonly riskAssessment: Omit<RiskUpdate, "type"> | null };

export type LiveHubPorts = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly maxClients?: number;
  readonly preview?: (cameraId: number) => Preview;
};

export type LiveHub = {
  /** One processed frame. `encode` makes its JPEG; it is called at once or not at all. `body` is the message as it came. */
  readonly detection: (detection: LiveDetection, encode: ((quality: number) => Uint8Array) | null, body?: Uint8Array) => void;
  readonly status: (status: CameraStatus) => void;
  readonly stopped: (cameraId: number, reason: string) => void;

  readonly latest: (cameraId: number) => MergedResult | null;
  readonly picture: (cameraId: number) => Promise<Picture>;
  readonly find: (messageId: string) => LiveEvent | null;

  /** Null when there are too many clients. The first message is sent. */
  readonly connect: (socket: LiveSocket, principal: Principal, form?: Form) => Connection | null;
  readonly disconnect: (connection: Connection) => void;
  readonly subscribe: (connection: Connection, wish: Wish) => void;
  readonly drained: (connection: Connection) => void;
  readonly replay: (from: Position) => Replay | Promise<Replay>;
  readonly clients: () => number;

  readonly attach: (publisher: Publisher) => void;
  readonly start: () => Promise<void>;
  /** Tells every client that the server goes away. */
  readonly stop: () => Promise<void>;
  readonly trouble: () => string | null;
};

const goingAway = 1001;
const statesMax = 10_000;

const frameOf = ({ type, ...data }: Tagged) => ({ type, data });
const say = (message: ServerMessage): Wire => wireOf(message);

/** Adds a last field to a frame that ends in the two closing braces of `data` and of itself. */
const withFrame = (text: string, jpeg: Uint8Array): string =>
  `${text.slice(0, -2)},"frame":"data:image/jpeg;base64,${Buffer.from(jpeg).toString("base64")}"}}`;

const boxesOf = ({ frame: _, ...rest }: LiveDetection): Wire => wireOf(frameOf(rest));

/** With the body as it came, MessagePack costs no encoding; in that form the picture is a `bin`. */
const wiresOf = (detection: LiveDetection, body: Uint8Array | null, picture: () => Uint8Array | null): DetectionWires => {
  const boxes = boxesOf(detection);
  const plain = body ? once(() => framed(detection.type, body)) : boxes.msgpack;
  const pictured = (jpeg: Uint8Array): Uint8Array =>
    body ? framed(detection.type, body, { frame: jpeg }) : wireOf(frameOf({ ...detection, frame: jpeg } as Tagged)).msgpack();
  return {
    boxes: { json: boxes.json, msgpack: plain },
    frames: {
      json: once(() => {
        const jpeg = picture();
        return jpeg ? withFrame(boxes.json(), jpeg) : boxes.json();
      }),
      msgpack: once(() => {
        const jpeg = picture();
        return jpeg ? pictured(jpeg) : plain();
      }),
    },
  };
};

export const createLiveHub = (ports: LiveHubPorts): LiveHub => {
  const { clock, log, metrics, version, preview = () => previewDefault, maxClients = fanoutLimits.maxClients } = ports;
  const latest = createLatest(clock);
  const pictureDueMs = new Map<number, number>();
  /** The last state of each camera, for viewers who come later than it was told. */
  const states = new Map<number, Wire>();

  const events = createLiveEvents({ ...ports, publish: ({ type, cameraId, wire }) => fanout.event(type, cameraId, wire) });
  const fanout = createFanout({
    clock,
    log,
    metrics,
    limits: { ...fanoutLimits, maxClients },
    latest(cameraId) {
      const detection = latest.detection(cameraId);
      return detection && boxesOf(detection);
    },
    cursor: events.cursor,
    lagged: (missed, cursor) => say({ type: "lagged", data: { missed, cursor } }),
  });

  /** The picture of this frame, made at most once; null when the camera's pictures are off, too many, or broken. */
  const pictureOf = (detection: LiveDetection, encode: ((quality: number) => Uint8Array) | null) =>
    once((): Uint8Array | null => {
      const { cameraId, capturedAt } = detection;
      const { ws, quality, maxFps } = preview(cameraId);
      const nowMs = clock.monotonicMs();
      const dueMs = pictureDueMs.get(cameraId) ?? nowMs;
      const periodMs = 1000 / maxFps;
      if (!encode || !ws || nowMs < dueMs - periodMs / 10) return null;
      pictureDueMs.set(cameraId, Math.max(dueMs, nowMs - periodMs) + periodMs);
      try {
        const jpeg = encode(quality);
        latest.notePicture(cameraId, { jpeg, capturedAt });
        return jpeg;
      } catch (thrown) {
        metrics.dropped.inc({ actor: "live", type: "picture", reason: "encode" });
        log.debug("request.failed", { cameraId, reason: reasonOf(thrown) });
        return null;
      }
    });

  /** Of the cameras that a client hears of from here on, and did not before. */
  const tellStates = (connection: Connection, before: Wish | null): void => {
    for (const [cameraId, wire] of states) {
      if (before && wants(before, "camera_status", cameraId)) continue;
      if (wants(connection.wish, "camera_status", cameraId)) tell(connection, wire);
    }
  };

  return {
    detection(detection, encode, body = undefined) {
      const { cameraId } = detection;
      latest.note(detection);
      const picture = pictureOf(detection, encode);
      if (latest.isPictureAsked(cameraId)) picture();
      // Encoded within this turn or not at all, so the body is not copied.
      fanout.detection(cameraId, wiresOf(detection, body && detection.frame === undefined ? body : null, picture));
    },

    status(status) {
      const { cameraId } = status;
      const wire = wireOf(frameOf(status));
      states.set(cameraId, wire);
      if (states.size > statesMax) states.delete(states.keys().next().value ?? 0);
      fanout.event("camera_status", cameraId, wire);
    },

    stopped(cameraId, reason) {
      latest.forget(cameraId);
      states.delete(cameraId);
      pictureDueMs.delete(cameraId);
      fanout.event("stream_stopped", cameraId, say({ type: "stream_stopped", data: { cameraId, reason } }));
      fanout.forget(cameraId);
    },

    latest(cameraId) {
      const detection = latest.detection(cameraId);
      if (!detection) return null;
      const { type: _type, frame: _frame, ...result } = detection;
      const update = events.latest(cameraId);
      if (!update) return { ...result, riskAssessment: null };
      const { type: _, ...riskAssessment } = update;
      return { ...result, riskAssessment };
    },

    picture: latest.picture,
    find: events.find,

    connect(socket, principal, form = "json") {
      const acknowledgement: DataOf<"connection_ack"> = {
        message: "WS connected (pipeline ready)",
        version,
        cursor: events.cursor(),
      };
      // Nothing is published within this turn, so the acknowledgement stays the first frame.
      const connection = fanout.connect(socket, principal, wishOf({}, principal.cameras), form);
      if (!connection) return null;
      tell(connection, say({ type: "connection_ack", data: acknowledgement }));
      tellStates(connection, null);
      return connection;
    },

    disconnect: fanout.disconnect,
    subscribe(connection, wish) {
      const before = connection.wish;
      fanout.subscribe(connection, wish);
      tellStates(connection, before);
    },
    drained: fanout.drained,
    replay: events.replay,
    clients: fanout.clients,
    attach: fanout.attach,
    start: events.start,

    async stop() {
      fanout.close(goingAway, "the server stops");
      await events.stop();
    },
    trouble: events.trouble,
  };
};
