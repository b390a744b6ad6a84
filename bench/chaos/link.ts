/**
 * The network between one process and one server, which can fail: a TCP relay on loopback whose port stays the same. Bytes that
 * a dead process left in a frozen link still arrive when it thaws, as they do from a real network's queues.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { delay, systemClock } from "../../runtime/clock.ts";

/**
 * `refused`: every connection ends, further ones are refused. `frozen`: nothing passes, what was sent arrives at the end of it.
 * `swallowed`: nothing passes, and connections of that time turn out dead at the end of it.
 */
export const cutKinds = ["refused", "frozen", "swallowed"] as const;
export type CutKind = (typeof cutKinds)[number];

export type Link = {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly cut: (kind: CutKind) => void;
  readonly heal: () => Promise<void>;
  readonly close: () => void;
};

const host = "127.0.0.1";
const listenTries = 100;

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });

/** One direction: the pace of the slower side, and the end of the one is the end of the other, behind what was sent. */
const relay = (from: Socket, to: Socket, isHeld: () => boolean): void => {
  from.on("data", (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on("drain", () => {
    if (!isHeld()) from.resume();
  });
  from.on("error", () => {});
  from.on("close", () => to.destroySoon());
};

/** `target` is asked for with each connection: it may not stand yet. */
export const openLink = async (target: () => string): Promise<Link> => {
  const sockets = new Set<Socket>();
  const callers = new Set<Socket>();
  let held: CutKind | null = null;
  let isClosed = false;

  const join = (inside: Socket): void => {
    const [, port = "0"] = target().split(":");
    const outside = connect({ host, port: Number(port) });
    relay(inside, outside, () => held !== null);
    relay(outside, inside, () => held !== null);
    for (const socket of [inside, outside]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    }
    inside.resume();
  };

  let server: Server;
  const open = async (port: number): Promise<number> => {
    server = createServer({ pauseOnConnect: true }, (inside) => {
      if (held === null) return join(inside);
      callers.add(inside);
      inside.on("error", () => {});
      inside.once("close", () => callers.delete(inside));
    });
    // Another program may have the port for a moment, as the near end of a connection of its own.
    for (let left = listenTries; ; left--) {
      try {
        return await listen(server, port);
      } catch (thrown) {
        if (left === 0) throw thrown;
        await delay(systemClock, 100);
      }
    }
  };
  const port = await open(0);
  const end = (which: Set<Socket>): void => {
    for (const socket of which) socket.destroy();
    which.clear();
  };

  return {
    address: `${host}:${port}`,
    cut(kind) {
      if (held !== null || isClosed) return;
      held = kind;
      if (kind !== "refused") {
        for (const socket of sockets) socket.pause();
        return;
      }
      server.close();
      end(sockets);
    },
    async heal() {
      const was = held;
      held = null;
      if (was === null || isClosed) return;
      if (was === "refused") return void (await open(port));
      if (was === "swallowed") {
        end(sockets);
        end(callers);
        return;
      }
      for (const socket of sockets) socket.resume();
      const waiting = [...callers];
      callers.clear();
      for (const inside of waiting) join(inside);
    },
    close() {
      isClosed = true;
      server.close();
      end(sockets);
      end(callers);
    },
  };
};
