/** A real redis-server in a directory of its own, on a spare port of this machine; ended as a crash ends it, and started again. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { Redis } from "ioredis";
import { tempDir } from "./temp-dir.ts";
import { within } from "./wait.ts";

export type RedisServer = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  /** A client of its own, as another program has. */
  readonly client: () => Redis;
  /** `kill -9`. */
  readonly kill: () => Promise<void>;
  /** Comes back with what was on the disk. */
  readonly start: () => Promise<void>;
  /** Takes connections and answers nothing, until `thaw`. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** Makes `ms` pass for everything that expires. */
  readonly age: (ms: number) => Promise<void>;
};

/** Why there is no redis-server here; null when there is one. */
export const redisMissing = (): string | null =>
  spawnSync("redis-server", ["--version"]).status === 0 ? null : "no redis-server: install Debian's redis-server";

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });

const options = (port: number, directory: string, more: readonly string[]): string[] => [
  ...["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""],
  ...["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning", ...more],
];

const client = (port: number, password?: string): Redis =>
  new Redis({ port, lazyConnect: true, ...(password === undefined ? {} : { password }) }).on("error", () => {});

const answers = async (port: number): Promise<boolean> => {
  const probe = new Redis({ port, lazyConnect: true, retryStrategy: () => null }).on("error", () => {});
  try {
    await probe.ping();
    return true;
  } catch (thrown) {
    return thrown instanceof Error && thrown.message.startsWith("NOAUTH");
  } finally {
    probe.disconnect();
  }
};

/** `more` are further options of the server, e.g. `["--requirepass", "…"]`. */
export const startRedis = async (more: readonly string[] = [], password?: string): Promise<RedisServer> => {
  const directory = await tempDir("vedette-redis-");
  const port = await freePort();
  const clients: Redis[] = [];
  let child: ChildProcess | null = null;

  const start = async () => {
    const started = spawn("redis-server", options(port, directory.path, more), { stdio: "ignore" });
    child = started;
    await within(20_000, "a redis-server that answers", () => {
      if (started.exitCode !== null) throw new Error(`redis-server ended with status ${started.exitCode}`);
      return answers(port);
    });
  };
  const kill = async () => {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null) return;
    const ended = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill("SIGKILL");
    await ended;
  };
  const open = () => {
    const opened = client(port, password);
    clients.push(opened);
    return opened;
  };

  await start();
  return {
    url: `redis://127.0.0.1:${port}/0`,
    port,
    client: open,
    kill,
    start,
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    async age(ms) {
      const redis = open();
      for (const key of await redis.keys("*")) {
        const leftMs = await redis.pttl(key);
        if (leftMs >= 0) await redis.pexpire(key, Math.floor(leftMs - ms));
      }
    },
    async [Symbol.asyncDispose]() {
      for (const opened of clients) opened.disconnect();
      await kill();
      await directory[Symbol.asyncDispose]();
    },
  };
};
