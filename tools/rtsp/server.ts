/**
 * A small RTSP 1.0 server (RFC 2326) that plays a looped H.264 file over TCP to any number of clients, and misbehaves on
 * request. As a program: `bun tools/rtsp/server.ts --port 0 --clip clip.h264 --fps 10` prints its URL.
 */
import { parseArgs } from "node:util";
import type { Socket, TCPSocketListener } from "bun";
import { type Cancel, type Clock, systemClock } from "../../runtime/clock.ts";
import { type AccessUnit, type H264Stream, readH264, stamp } from "./rtp-h264.ts";

export type RtspServerOptions = {
  /** Annex-B H.264 with parameter sets before each key frame. */
  readonly clip: string;
  readonly fps: number;
  readonly port?: number;
  readonly clock?: Clock;
  /** A path that ends in a number, such as `/camera-7`, starts at a key frame and a moment of its own, as apart cameras do. */
  readonly isStaggered?: boolean;
};

export type RtspServer = {
  readonly url: string;
  readonly port: number;
  readonly clients: () => number;
  /** Connections stay open and nothing more is said, as when a camera hangs. */
  readonly stall: () => void;
  readonly resume: () => void;
  /** Cuts every connection and stops listening. */
  readonly kill: () => void;
  /** Listens again on the same port. */
  readonly listen: () => void;
  /** Answers every request with this status; null serves again. */
  readonly refuse: (status: 401 | 404 | null) => void;
  readonly close: () => void;
};

type Client = {
  request: string;
  /** What the socket has not taken yet. */
  unsent: Uint8Array;
  playing: Cancel | null;
  sequence: number;
};

const reasons = { 200: "OK", 401: "Unauthorized", 404: "Not Found", 461: "Unsupported Transport" } as const;

const sdp = (stream: H264Stream, fps: number): string => {
  const sets = stream.parameterSets.map((set) => Buffer.from(set).toString("base64")).join(",");
  const profile = Buffer.from(stream.parameterSets[0] ?? []).toString("hex", 1, 4);
  return [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=test",
    "t=0 0",
    "a=control:*",
    "m=video 0 RTP/AVP 96",
    "a=rtpmap:96 H264/90000",
    `a=fmtp:96 packetization-mode=1;profile-level-id=${profile};sprop-parameter-sets=${sets}`,
    `a=framerate:${fps}`,
    "a=control:track1",
    "",
  ].join("\r\n");
};

/** Spreads whole numbers evenly over 0 to 1 (the golden ratio's sequence), so that neighbours are far apart. */
const spread = (number: number): number => (number * 0.618_033_988_749_895) % 1;

/** Where the stream of this path begins: at which unit, and how much later than it is asked for. */
const beginning = (
  url: string,
  units: readonly AccessUnit[],
  fps: number,
): { readonly first: number; readonly waitMs: number } => {
  const share = spread(Number(/(\d+)\/?$/.exec(url)?.[1] ?? 0));
  const keys = units.flatMap(({ isKey }, index) => (isKey ? [index] : []));
  const gop = units.length / Math.max(1, keys.length);
  return { first: keys[Math.floor(share * keys.length)] ?? 0, waitMs: (share * gop * 1_000) / fps };
};

export const startRtspServer = async (options: RtspServerOptions): Promise<RtspServer> => {
  const { clip, fps, clock = systemClock } = options;
  const stream = readH264(new Uint8Array(await Bun.file(clip).arrayBuffer()));
  if (stream.units.length === 0) throw new Error(`${clip} holds no H.264 pictures`);
  const sockets = new Set<Socket<Client>>();
  let listener: TCPSocketListener<Client> | null = null;
  let port = options.port ?? 0;
  let stalled = false;
  let refusal: 401 | 404 | null = null;

  const flush = (socket: Socket<Client>) => {
    const { unsent } = socket.data;
    if (unsent.length > 0) socket.data.unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
  };
  const send = (socket: Socket<Client>, bytes: Uint8Array) => {
    const queued = socket.data.unsent.length > 0;
    const written = queued ? 0 : Math.max(0, socket.write(bytes));
    if (written < bytes.length) socket.data.unsent = Buffer.concat([socket.data.unsent, bytes.subarray(written)]);
  };

  const play = (socket: Socket<Client>, url: string) => {
    const { first, waitMs } = options.isStaggered ? beginning(url, stream.units, fps) : { first: 0, waitMs: 0 };
    const startedAt = clock.monotonicMs() + waitMs;
    let frame = 0;
    const next = () => {
      const unit = stream.units[(first + frame) % stream.units.length];
      // A client that reads too slowly misses pictures, as with a real camera.
      if (unit && !stalled && socket.data.unsent.length === 0) {
        socket.data.sequence = stamp(unit, socket.data.sequence, Math.round((frame * 90_000) / fps), 0x5eed);
        send(socket, unit.bytes);
      }
      frame++;
      socket.data.playing = clock.after(startedAt + (frame * 1000) / fps - clock.monotonicMs(), next);
    };
    socket.data.playing?.();
    if (waitMs === 0) next();
    else socket.data.playing = clock.after(waitMs, next);
  };

  const answer = (socket: Socket<Client>, request: string) => {
    const [method = "", url = ""] = request.split(" ");
    const header = (name: string) => new RegExp(`^${name}:\\s*(.*?)\\s*$`, "im").exec(request)?.[1] ?? "";
    const transport = header("Transport");
    const channels = /interleaved=(\d+-\d+)/.exec(transport)?.[1] ?? "0-1";
    const reply = (status: keyof typeof reasons, headers: readonly string[] = [], body = "") =>
      send(
        socket,
        Buffer.from(
          [
            `RTSP/1.0 ${status} ${reasons[status]}`,
            `CSeq: ${header("CSeq")}`,
            ...headers,
            `Content-Length: ${body.length}`,
            "",
            body,
          ].join("\r\n"),
        ),
      );
    const session = "Session: 1;timeout=60";
    if (refusal === 401) return reply(401, ['WWW-Authenticate: Basic realm="test"']);
    if (refusal !== null) return reply(refusal);
    if (method === "OPTIONS") return reply(200, ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"]);
    if (method === "DESCRIBE") return reply(200, ["Content-Type: application/sdp", `Content-Base: ${url}/`], sdp(stream, fps));
    if (method === "SETUP" && !transport.includes("/TCP")) return reply(461);
    if (method === "SETUP") return reply(200, [`Transport: RTP/AVP/TCP;unicast;interleaved=${channels}`, session]);
    reply(200, [session]);
    if (method === "PLAY") play(socket, url);
    if (method === "TEARDOWN") socket.end();
  };

  /** Takes whole requests off the buffer; a client's interleaved RTCP is skipped. */
  const read = (socket: Socket<Client>, data: Uint8Array) => {
    socket.data.request += Buffer.from(data).toString("latin1");
    for (;;) {
      const { request } = socket.data;
      if (request.startsWith("$")) {
        const length = 4 + ((request.charCodeAt(2) << 8) | request.charCodeAt(3));
        if (!(request.length >= length)) return;
        socket.data.request = request.slice(length);
        continue;
      }
      const end = request.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.data.request = request.slice(end + 4);
      if (!stalled) answer(socket, request.slice(0, end));
    }
  };

  const listen = () => {
    listener = Bun.listen<Client>({
      hostname: "127.0.0.1",
      port,
      socket: {
        open(socket) {
          socket.data = { request: "", unsent: new Uint8Array(), playing: null, sequence: 0 };
          sockets.add(socket);
        },
        data: read,
        drain: flush,
        close(socket) {
          socket.data.playing?.();
          sockets.delete(socket);
        },
        error() {}, // a client that resets its connection is closed by the runtime
      },
    });
    port = listener.port;
  };
  const kill = () => {
    for (const socket of sockets) {
      socket.data.playing?.();
      socket.terminate();
    }
    sockets.clear();
    listener?.stop(true);
    listener = null;
  };

  listen();
  return {
    url: `rtsp://127.0.0.1:${port}/clip`,
    port,
    clients: () => sockets.size,
    stall: () => {
      stalled = true;
    },
    resume: () => {
      stalled = false;
    },
    kill,
    listen,
    refuse: (status) => {
      refusal = status;
    },
    close: kill,
  };
};

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "0" },
      clip: { type: "string" },
      fps: { type: "string", default: "10" },
      staggered: { type: "boolean", default: false },
    },
  });
  if (!values.clip) {
    process.stderr.write("rtsp-server: --clip FILE (Annex-B H.264) is missing\n");
    process.exit(1);
  }
  const { clip, port, fps, staggered } = values;
  const server = await startRtspServer({ clip, port: Number(port), fps: Number(fps), isStaggered: staggered });
  process.stdout.write(`${server.url}\n`);
}
