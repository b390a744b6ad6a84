/** One connected WebSocket client as the fan-out sees it. */
import type { Principal } from "../auth.ts";
import type { Form, Wire } from "./wire.ts";
import { detectionTopics, eventTopics, inForm, type Wish } from "./wish.ts";

/** What the fan-out needs of a socket; `server.ts` makes it of Bun's, tests make it of nothing. */
export type LiveSocket = {
  readonly send: (frame: string | Uint8Array) => void;
  readonly subscribe: (topic: string) => void;
  readonly unsubscribe: (topic: string) => void;
  readonly bufferedBytes: () => number;
  readonly close: (code: number, reason: string) => void;
  /** Without a close frame, which a full socket would not take. */
  readonly terminate: () => void;
};

/**
 * `flowing`: hears everything by publish. `slow`: gets no detection results until its buffer is empty, then the latest of each
 * camera. `stalled`: gets no events either; they are counted, and told when it reads again.
 */
export type Flow = "flowing" | "slow" | "stalled";

export type Connection = {
  readonly socket: LiveSocket;
  readonly principal: Principal;
  readonly form: Form;
  wish: Wish;
  flow: Flow;
  readonly detectionTopics: Set<string>;
  readonly eventTopics: Set<string>;
  slowSinceMs: number;
  /** Cameras whose latest result this client has not been sent. */
  readonly skipped: Set<number>;
  missed: number;
  /** The cursor before the first missed event. */
  missedAfter: string;
};

export const createConnection = (socket: LiveSocket, principal: Principal, wish: Wish, form: Form): Connection => ({
  socket,
  principal,
  form,
  wish,
  flow: "flowing",
  detectionTopics: new Set(),
  eventTopics: new Set(),
  slowSinceMs: 0,
  skipped: new Set(),
  missed: 0,
  missedAfter: "",
});

export const tell = ({ socket, form }: Connection, wire: Wire): void => socket.send(wire[form]());

const become = (connection: Connection, held: Set<string>, wanted: readonly string[]): void => {
  const next = new Set(wanted.map((topic) => inForm(topic, connection.form)));
  for (const topic of held) if (!next.has(topic)) connection.socket.unsubscribe(topic);
  for (const topic of next) if (!held.has(topic)) connection.socket.subscribe(topic);
  held.clear();
  for (const topic of next) held.add(topic);
};

/** Brings the socket's publish topics to its wish and flow. `seen` are the cameras known so far. */
export const settleTopics = (connection: Connection, seen: Iterable<number>): void => {
  const { wish, flow } = connection;
  become(connection, connection.detectionTopics, flow === "flowing" ? detectionTopics(wish, seen) : []);
  become(connection, connection.eventTopics, flow === "stalled" ? [] : eventTopics(wish));
};
