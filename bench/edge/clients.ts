/**
 * A process of WebSocket clients that count what they are sent, down at the socket so that they cost the machine little.
 * Arguments: port, clients that read, clients that never read. It speaks with its parent by messages, see `ClientsSaid`.
 */
export type ClientsHeard = { readonly expect: number };
/** `armed` answers `expect`; `done` comes when the reading clients have been sent so many bytes since. */
export type ClientsSaid = "ready" | "armed" | "done";

const say = (word: ClientsSaid): void => void process.send?.(word);

const connectAll = async (port: number, reading: number, stalled: number): Promise<void> => {
  let ready = 0;
  let received = 0;
  let expected = Number.POSITIVE_INFINITY;
  process.on("message", ({ expect }: ClientsHeard) => {
    received = 0;
    expected = expect;
    say("armed");
  });

  const open = (isStalled: boolean) => {
    let isReady = false;
    return Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open(socket) {
          const lines = [
            "GET /ws HTTP/1.1",
            `host: 127.0.0.1:${port}`,
            "upgrade: websocket",
            "connection: Upgrade",
            "sec-websocket-version: 13",
            "sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==",
          ];
          socket.write(`${lines.join("\r\n")}\r\n\r\n`);
        },
        data(socket, chunk) {
          if (isReady) {
            if (isStalled) return;
            received += chunk.length;
            if (received < expected) return;
            expected = Number.POSITIVE_INFINITY;
            say("done");
          } else if (chunk.includes("connection_ack")) {
            isReady = true;
            if (isStalled) socket.pause();
            if (++ready === reading + stalled) say("ready");
          }
        },
      },
    });
  };
  for (let client = 0; client < reading + stalled; client++) await open(client >= reading);
};

const [port, reading, stalled] = process.argv.slice(2).map(Number);
process.on("disconnect", () => process.exit(0));
await connectAll(port ?? 0, reading ?? 0, stalled ?? 0);
