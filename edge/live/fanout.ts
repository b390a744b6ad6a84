/**
 * One message to many clients, by the server's publish, so that its cost does not grow with the reading speed of any of them.
 * Publish tells nothing about one client, so the buffers are looked at ten times a second: who reads too slowly leaves the
 * publish topics until it has caught up.
 */
import type { StreamType } from "../../protocols/websocket.ts";
import { type Cancel, type Clock, every } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Principal } from "../auth.ts";
import { type Connection, createConnection, type LiveSocket, settleTopics, tell } from "./connection.ts";
import { type Form, forms, type Wire } from "./wire.ts";
import { type Channel, channelsOf, inForm, isPerCamera, topicOf, type Wish, wants } from "./wish.ts";

export type Publisher = {
  readonly publish: (topic: string, frame: string | Uint8Array) => void;
  readonly subscribers: (topic: string) => number;
};

/** One detection result without its picture, and with it. */
export type DetectionWires = { readonly boxes: Wire; readonly frames: Wire };

export type FanoutLimits = {
  readonly maxClients: number;
  /** Buffered bytes from which a client gets no more detection results. */
  readonly slowBytes: number;
  /** Buffered bytes from which a client gets no more events. */
  readonly stalledBytes: number;
  /** Buffered bytes below which a client is back. */
  readonly backBytes: number;
  /** Longest time a client may stay slow. */
  readonly slowMaxMs: number;
};

export const fanoutLimits: FanoutLimits = {
  maxClients: 2_000,
  slowBytes: 512 * 1024,
  stalledBytes: 2 * 1024 * 1024,
  backBytes: 64 * 1024,
  slowMaxMs: 30_000,
};
const lookEveryMs = 100;

export type FanoutPorts = {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits: FanoutLimits;
  /** The latest detection result of a camera, for a client that skipped some. */
  readonly latest: (cameraId: number) => Wire | null;
  readonly cursor: () => string;
  /** Told to a client that missed events. */
  readonly lagged: (missed: number, cursor: string) => Wire;
};

export type Fanout = {
  /** Null when there are too many. */
  readonly connect: (socket: LiveSocket, principal: Principal, wish: Wish, form: Form) => Connection | null;
  readonly disconnect: (connection: Connection) => void;
  readonly subscribe: (connection: Connection, wish: Wish) => void;
  readonly detection: (cameraId: number, wires: DetectionWires) => void;
  readonly event: (type: StreamType, cameraId: number, wire: Wire) => void;
  /** The socket's buffer became empty. */
  readonly drained: (connection: Connection) => void;
  readonly attach: (publisher: Publisher) => void;
  readonly forget: (cameraId: number) => void;
  readonly clients: () => number;
  /** Closes every client. */
  readonly close: (code: number, reason: string) => void;
};

type ActiveChannel = Channel & { clients: number; readonly dueMs: Map<number, number> };

/** Channels with at least one client, and when each may carry the next result of a camera. */
const createChannels = (clock: Clock) => {
  const active = new Map<string, ActiveChannel>();
  /** Keeps the average: a result that comes a little early is let through, and the next one is due from the plan. */
  const isDue = (channel: ActiveChannel, cameraId: number): boolean => {
    if (channel.maxFps === null) return true;
    const periodMs = 1000 / channel.maxFps;
    const nowMs = clock.monotonicMs();
    const dueMs = channel.dueMs.get(cameraId) ?? nowMs;
    if (nowMs < dueMs - periodMs / 10) return false;
    channel.dueMs.set(cameraId, Math.max(dueMs, nowMs - periodMs) + periodMs);
    return true;
  };
  return {
    join(wish: Wish) {
      for (const channel of channelsOf(wish)) {
        const found = active.get(channel.name);
        if (found) found.clients += 1;
        else active.set(channel.name, { ...channel, clients: 1, dueMs: new Map() });
      }
    },
    leave(wish: Wish) {
      for (const { name } of channelsOf(wish)) {
        const channel = active.get(name);
        if (channel && --channel.clients === 0) active.delete(name);
      }
    },
    due: (cameraId: number): readonly ActiveChannel[] => [...active.values()].filter((channel) => isDue(channel, cameraId)),
    forget(cameraId: number) {
      for (const channel of active.values()) channel.dueMs.delete(cameraId);
    },
  };
};

/** Moves clients between the flows by what is in their buffers. */
const createPacing = (ports: FanoutPorts, uneven: Set<Connection>, settle: (connection: Connection) => void) => {
  const { clock, log, metrics, limits, latest, cursor, lagged } = ports;

  const back = (connection: Connection): void => {
    const { missed, missedAfter, skipped } = connection;
    connection.flow = "flowing";
    connection.missed = 0;
    uneven.delete(connection);
    if (missed > 0) tell(connection, lagged(missed, missedAfter));
    for (const cameraId of skipped) {
      const wire = latest(cameraId);
      if (wire !== null) tell(connection, wire);
    }
    skipped.clear();
    settle(connection);
  };
  const slow = (connection: Connection): void => {
    connection.flow = "slow";
    connection.slowSinceMs = clock.monotonicMs();
    uneven.add(connection);
    settle(connection);
  };
  const stall = (connection: Connection, buffered: number): void => {
    connection.flow = "stalled";
    connection.missedAfter = cursor();
    log.debug("client.lagging", { client: connection.principal.name, bufferedBytes: buffered });
    settle(connection);
  };

  return (connection: Connection): void => {
    const buffered = connection.socket.bufferedBytes();
    if (connection.flow === "flowing" && buffered > limits.slowBytes) slow(connection);
    if (connection.flow === "slow" && buffered > limits.stalledBytes) stall(connection, buffered);
    if (connection.flow === "flowing") return;
    if (buffered < limits.backBytes) back(connection);
    else if (clock.monotonicMs() - connection.slowSinceMs > limits.slowMaxMs) {
      metrics.dropped.inc({ actor: "live", type: "client", reason: "stalled" });
      log.warn("client.lagging", { client: connection.principal.name, bufferedBytes: buffered, closed: true });
      connection.socket.terminate();
    }
  };
};

export const createFanout = (ports: FanoutPorts): Fanout => {
  const { clock, metrics, limits } = ports;
  const connections = new Set<Connection>();
  /** Slow and stalled ones. */
  const uneven = new Set<Connection>();
  /** Those that are added to each camera's topic by name. */
  const perCamera = new Set<Connection>();
  const seen = new Set<number>();
  const channels = createChannels(clock);
  let publisher: Publisher | null = null;
  let stopLooking: Cancel = () => {};

  const settle = (connection: Connection): void => settleTopics(connection, seen);
  const pace = createPacing(ports, uneven, settle);
  const adopt = (connection: Connection, wish: Wish): void => {
    connection.wish = wish;
    channels.join(wish);
    if (isPerCamera(wish)) perCamera.add(connection);
    else perCamera.delete(connection);
    settle(connection);
  };

  const see = (cameraId: number): void => {
    if (seen.has(cameraId)) return;
    seen.add(cameraId);
    for (const connection of perCamera) settle(connection);
  };
  const publish = (name: string, cameraId: number, wire: Wire): void => {
    if (!publisher) return;
    for (const form of forms) {
      for (const to of [topicOf(name, null), topicOf(name, cameraId)]) {
        const topic = inForm(to, form);
        if (publisher.subscribers(topic) > 0) publisher.publish(topic, wire[form]());
      }
    }
  };

  return {
    connect(socket, principal, wish, form) {
      if (connections.size >= limits.maxClients) return null;
      const connection = createConnection(socket, principal, wish, form);
      connections.add(connection);
      metrics.wsClients.set(connections.size);
      if (connections.size === 1) {
        stopLooking = every(clock, lookEveryMs, () => {
          for (const each of connections) pace(each);
        });
      }
      adopt(connection, wish);
      return connection;
    },

    disconnect(connection) {
      if (!connections.delete(connection)) return;
      channels.leave(connection.wish);
      uneven.delete(connection);
      perCamera.delete(connection);
      metrics.wsClients.set(connections.size);
      if (connections.size === 0) stopLooking();
    },

    subscribe(connection, wish) {
      channels.leave(connection.wish);
      adopt(connection, wish);
    },

    detection(cameraId, wires) {
      see(cameraId);
      for (const channel of channels.due(cameraId)) publish(channel.name, cameraId, channel.frames ? wires.frames : wires.boxes);
      for (const connection of uneven) {
        if (!wants(connection.wish, "detection_result", cameraId)) continue;
        connection.skipped.add(cameraId);
        metrics.dropped.inc({ actor: "live", type: "detection_result", reason: "slow_client" });
      }
    },

    event(type, cameraId, wire) {
      publish(type, cameraId, wire);
      for (const connection of uneven) {
        if (connection.flow !== "stalled" || !wants(connection.wish, type, cameraId)) continue;
        connection.missed += 1;
        metrics.dropped.inc({ actor: "live", type, reason: "stalled_client" });
      }
    },

    drained: pace,
    attach(to) {
      publisher = to;
    },

    forget(cameraId) {
      seen.delete(cameraId);
      channels.forget(cameraId);
      for (const connection of connections) connection.skipped.delete(cameraId);
    },

    clients: () => connections.size,

    close(code, reason) {
      for (const connection of connections) connection.socket.close(code, reason);
    },
  };
};
