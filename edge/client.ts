/**
 * A client of `/ws` for browsers, Bun and Node: typed both ways, reconnecting with backoff and jitter, and resuming where it
 * stood, so that no event is missed or told twice. It uses Web-standard APIs only.
 */
import type { ClientMessage, DataOfClient, ServerMessage } from "../protocols/websocket.ts";
import { type Cancel, type Clock, every } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";

export type LinkState = {
  /** `waiting`: the connection is lost and the next attempt has its time. */
  readonly status: "connecting" | "open" | "waiting" | "closed";
  /** Since when nothing current is known; null while open. Epoch ms. */
  readonly staleSinceMs: number | null;
  /** Failed attempts in a row. */
  readonly attempts: number;
  /** When the next attempt is made; epoch ms. */
  readonly retryAtMs: number | null;
};

export type LiveClientOptions = {
  /** `ws://host:port/ws`. */
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly message: (message: ServerMessage) => void;
  readonly state?: (state: LinkState) => void;
  /** Sent as a bearer token. Browsers cannot; they have the session cookie. */
  readonly token?: string;
  readonly subscribe?: DataOfClient<"subscribe">;
  /** Where to begin with events: a cursor, or an empty string for those that are at hand. Without it: from the connection on. */
  readonly from?: string;
  readonly reconnect?: boolean;
  /** Speaks this instead of JSON; `message` then hears pictures as bytes. */
  readonly binary?: BinaryForm;
};

export type BinaryForm = {
  /** The WebSocket subprotocol. */
  readonly protocol: string;
  readonly encode: (message: ClientMessage) => Uint8Array<ArrayBuffer>;
  readonly decode: (bytes: Uint8Array) => unknown;
};

export type LiveClient = {
  /** False when the connection is not open; nothing is kept for later. */
  readonly send: (message: ClientMessage) => boolean;
  /** Replaces the former wish; said again after each reconnection. */
  readonly subscribe: (wish: DataOfClient<"subscribe">) => void;
  readonly state: () => LinkState;
  readonly cursor: () => string | null;
  readonly close: () => void;
};

const backoffMinMs = 500;
const backoffMaxMs = 15_000;
const resumeAgainMs = 1_000;
/** Refusals that are worth another try. */
const passing: ReadonlySet<string> = new Set(["unavailable", "rate_limited"]);
const pingEveryMs = 15_000;
/** A connection that has said nothing for so long is taken for dead. */
const silenceMaxMs = 40_000;
const idsKept = 4_000;

/** Full jitter (Brooker, "Exponential Backoff and Jitter"), never less than a quarter second. */
const backoffMs = (attempts: number, random: Random): number =>
  Math.max(250, random.next() * Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempts, 10)));

/** An incident is told again with each revision, and when somebody acknowledges it. */
const eventIdOf = ({ data }: Extract<ServerMessage, { type: "risk_update" | "incident" }>): string =>
  "phase" in data ? `${data.id}@${data.revision}+${data.ack?.at ?? ""}` : data.id;

/** Remembers the ids that were told, so that a resumed event is told once. */
const createSeen = () => {
  const ids = new Set<string>();
  return (id: string): boolean => {
    if (ids.has(id)) return false;
    ids.add(id);
    if (ids.size > idsKept) ids.delete(ids.values().next().value ?? "");
    return true;
  };
};

const openSocket = ({ url, token, binary }: LiveClientOptions): WebSocket => {
  if (token === undefined) return binary ? new WebSocket(url, binary.protocol) : new WebSocket(url);
  const options = {
    headers: { authorization: `Bearer ${token}` },
    ...(binary ? { protocols: [binary.protocol] } : {}),
  };
  return new WebSocket(url, options as never); // Bun and Node take headers here; the browser's type knows protocols only
};

/** The server's own word, so it is not checked again; null for what is not of the form that was asked for. */
const readFrame = (data: unknown, binary: BinaryForm | undefined): ServerMessage | null => {
  if (typeof data === "string") return binary ? null : (JSON.parse(data) as ServerMessage);
  return binary && data instanceof ArrayBuffer ? (binary.decode(new Uint8Array(data)) as ServerMessage) : null;
};

/** Connects at once, and again until closed. */
export const connectLive = (options: LiveClientOptions): LiveClient => {
  const { clock, random, binary, reconnect = true } = options;
  const isFirst = createSeen();
  let wish = options.subscribe;
  let cursor = options.from ?? null;
  let socket: WebSocket | null = null;
  let heardAtMs = 0;
  let cancelPing: Cancel = () => {};
  let cancelRetry: Cancel = () => {};
  let cancelResume: Cancel = () => {};
  /** What was asked for is not all here: a cursor of an event that happened meanwhile is ahead of it. */
  let isResuming = false;
  let state: LinkState = { status: "connecting", staleSinceMs: clock.nowMs(), attempts: 0, retryAtMs: null };

  const become = (change: Partial<LinkState>): void => {
    state = { ...state, ...change };
    options.state?.(state);
  };
  const send = (message: ClientMessage): boolean => {
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(binary ? binary.encode(message) : JSON.stringify(message));
    return true;
  };

  const resume = (after: string): void => {
    isResuming = send({ type: "resume", data: { after } });
  };

  const take = (message: ServerMessage): void => {
    if (message.type === "connection_ack") {
      become({ status: "open", staleSinceMs: null, attempts: 0, retryAtMs: null });
      if (wish) send({ type: "subscribe", data: wish });
      if (cursor === null) cursor = message.data.cursor;
      else resume(cursor);
    }
    if (message.type === "resumed") {
      cursor = message.data.cursor;
      isResuming = false;
      if (message.data.more) resume(cursor);
    }
    if (message.type === "error" && message.data.inReplyTo === "resume" && passing.has(message.data.code)) {
      cancelResume = clock.after(resumeAgainMs, () => resume(cursor ?? ""));
    }
    if (message.type === "lagged" && message.data.missed > 0 && message.data.cursor !== cursor) {
      // Missed while connected: asked for again. After a resume the server says the same place; that is the end of it.
      cursor = message.data.cursor;
      resume(cursor);
    }
    if (message.type === "risk_update" || message.type === "incident") {
      if (!isResuming) cursor = message.data.cursor;
      if (!isFirst(eventIdOf(message))) return;
    }
    options.message(message);
  };

  const lose = (): void => {
    cancelPing();
    cancelResume();
    isResuming = false;
    socket = null;
    if (state.status === "closed") return;
    const staleSinceMs = state.staleSinceMs ?? clock.nowMs();
    if (!reconnect) {
      become({ status: "closed", staleSinceMs, retryAtMs: null });
      return;
    }
    const waitMs = backoffMs(state.attempts, random);
    become({ status: "waiting", staleSinceMs, attempts: state.attempts + 1, retryAtMs: clock.nowMs() + waitMs });
    cancelRetry = clock.after(waitMs, open);
  };

  const open = (): void => {
    become({ status: "connecting", retryAtMs: null });
    const opened = openSocket(options);
    opened.binaryType = "arraybuffer";
    socket = opened;
    heardAtMs = clock.monotonicMs();
    const isCurrent = (): boolean => socket === opened;
    opened.addEventListener("message", ({ data }) => {
      const message = isCurrent() ? readFrame(data, binary) : null;
      if (!message) return;
      heardAtMs = clock.monotonicMs();
      take(message);
    });
    opened.addEventListener("close", () => {
      if (isCurrent()) lose();
    });
    opened.addEventListener("error", () => {
      // The close that follows says the same.
    });
    cancelPing = every(clock, pingEveryMs, () => {
      if (clock.monotonicMs() - heardAtMs <= silenceMaxMs) {
        send({ type: "ping", data: {} });
        return;
      }
      opened.close();
      if (isCurrent()) lose(); // a dead peer may never answer the close
    });
  };
  open();

  return {
    send,
    subscribe(next) {
      wish = next;
      send({ type: "subscribe", data: next });
    },
    state: () => state,
    cursor: () => cursor,
    close() {
      cancelRetry();
      cancelResume();
      cancelPing();
      become({ status: "closed", staleSinceMs: state.staleSinceMs ?? clock.nowMs(), retryAtMs: null });
      socket?.close();
    },
  };
};
