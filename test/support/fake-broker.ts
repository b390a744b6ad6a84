/** A Kafka broker as far as a look at it goes: it answers ApiVersions and Metadata, advertising what it is told to. */
import { createServer, type Server, type Socket } from "node:net";

export type FakeBroker = Disposable & { readonly port: number };

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const string = (text: string | null): Buffer =>
  text === null ? int16(-1) : Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);

const apiVersionsKey = 18;
const metadataKey = 3;

const apiVersions = (): Buffer =>
  Buffer.concat([
    ...[int16(0), int32(2)],
    ...[int16(apiVersionsKey), int16(0), int16(0)],
    ...[int16(metadataKey), int16(2), int16(2)],
  ]);

type Advertised = { readonly nodeId: number; readonly host: string; readonly port: number };

const metadata = (brokers: readonly Advertised[], clusterId: string): Buffer =>
  Buffer.concat([
    int32(brokers.length),
    ...brokers.flatMap(({ nodeId, host, port }) => [int32(nodeId), string(host), int32(port), string(null)]),
    ...[string(clusterId), int32(brokers[0]?.nodeId ?? -1), int32(0)],
  ]);

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });

const serve = async (accept: (socket: Socket, port: () => number) => void): Promise<FakeBroker> => {
  let port = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the client went away
    accept(socket, () => port);
  });
  port = await listen(server);
  return {
    port,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};

/** `advertise` is given the port that it listens on. */
export const startFakeBroker = (advertise: (port: number) => readonly Advertised[], clusterId = "fake"): Promise<FakeBroker> =>
  serve((socket, port) => {
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const request = rest.subarray(4, 4 + rest.readInt32BE(0));
        rest = rest.subarray(4 + request.length);
        const [key, version, correlation] = [request.readInt16BE(0), request.readInt16BE(2), request.readInt32BE(4)];
        // KIP-511: an ApiVersions of a version that is not known is answered in version 0, with error 35.
        const unknown = Buffer.concat([int16(35), int32(1), int16(apiVersionsKey), int16(0), int16(0)]);
        const body = key === metadataKey ? metadata(advertise(port()), clusterId) : version === 0 ? apiVersions() : unknown;
        socket.write(Buffer.concat([int32(4 + body.length), int32(correlation), body]));
      }
    });
  });

/** Accepts and closes at once, as a proxy does for an address behind which there is nothing. */
export const startClosing = (): Promise<FakeBroker> => serve((socket) => socket.end());
