/** A WebSocket client down at the socket: one that can stop reading, and count what it is sent. */
import { connect, type Socket } from "node:net";

export type RawWebSocket = {
  /** Stops reading; the kernel's buffers fill, then the server's. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly receivedBytes: () => number;
  readonly received: () => string;
  readonly isClosed: () => boolean;
  readonly sendText: (text: string) => void;
  readonly end: () => void;
};

/** A client's frame: masked, as the protocol wants it, with a mask of zeros. */
const textFrame = (text: string): Buffer => {
  const payload = Buffer.from(text);
  const header = payload.length < 126 ? [0x81, 0x80 | payload.length] : [0x81, 0xfe, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from([...header, 0, 0, 0, 0]), payload]);
};

/** Resolves when the upgrade was answered; the answer stands in `received`. */
export const openRaw = (port: number, headers: Readonly<Record<string, string>> = {}): Promise<RawWebSocket> =>
  new Promise((resolve, reject) => {
    const socket: Socket = connect(port, "127.0.0.1");
    let bytes = 0;
    let text = "";
    let closed = false;
    const lines = {
      host: `127.0.0.1:${port}`,
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": Buffer.from("0123456789abcdef").toString("base64"),
      ...headers,
    };
    const client: RawWebSocket = {
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      receivedBytes: () => bytes,
      received: () => text,
      isClosed: () => closed,
      sendText: (message) => void socket.write(textFrame(message)),
      end: () => void socket.destroy(),
    };
    socket.on("connect", () => {
      const request = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`GET /ws HTTP/1.1\r\n${request.join("")}\r\n`);
    });
    socket.on("data", (chunk) => {
      bytes += chunk.length;
      if (text.length < 65_536) text += chunk.toString("latin1");
      if (text.includes("\r\n\r\n")) resolve(client);
    });
    socket.on("error", (error) => {
      closed = true;
      reject(error);
    });
    socket.on("close", () => {
      closed = true;
      resolve(client);
    });
  });
