/** A TCP proxy on loopback that can be cut and mended, for what a network does to a connection. */
import { connect, createServer, type Socket } from "node:net";

export type TcpProxy = AsyncDisposable & {
  /** `127.0.0.1:port`, the same before and after a cut. */
  readonly address: string;
  /** Ends every connection and refuses further ones. */
  readonly cut: () => Promise<void>;
  readonly mend: () => Promise<void>;
  /** From here on nothing that the server says arrives. */
  readonly muteAnswers: () => void;
};

export const startTcpProxy = async (target: string): Promise<TcpProxy> => {
  const [host = "", targetPort = ""] = target.split(":");
  const sockets = new Set<Socket>();
  let isMuted = false;
  const server = createServer((inside) => {
    const outside = connect({ host, port: Number(targetPort) });
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        if (!(isMuted && from === outside)) to.write(chunk);
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address ? address.port : 0);
      });
    });
  const port = await listen(0);
  let isOpen = true;
  const cut = async () => {
    if (!isOpen) return;
    isOpen = false;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    address: `127.0.0.1:${port}`,
    cut,
    async mend() {
      isMuted = false;
      if (!isOpen) await listen(port);
      isOpen = true;
    },
    muteAnswers() {
      isMuted = true;
    },
    [Symbol.asyncDispose]: cut,
  };
};
