/** The real servers of a run: one Kafka broker and one Redis, on spare ports, killed and started again with their data. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";
import { delay, systemClock } from "../../runtime/clock.ts";
import { provideBroker } from "../../tools/broker/jars.ts";
import { launchBroker, prepareBroker, untilServing } from "../../tools/broker/node.ts";
import { adopt, hasEnded, killChild, startChild } from "./children.ts";

export type Service = {
  readonly address: string;
  readonly kill: () => Promise<void>;
  /** Resolves when it serves. */
  readonly start: () => Promise<void>;
};

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });

export const prepareKafka = async (directory: string): Promise<Service> => {
  const reason = await provideBroker();
  if (reason !== null) throw new Error(reason);
  const plan = await prepareBroker({ directory: join(directory, "broker") });
  let child: ChildProcess | null = null;
  return {
    address: plan.addresses.plain,
    async kill() {
      if (child) await killChild(child);
    },
    async start() {
      const started = adopt(launchBroker(plan, false));
      child = started;
      await untilServing(plan, () => !hasEnded(started));
    },
  };
};

/** What was asked of the store about the answer to a task, by the server's own account. */
export type AnswerCommand = { readonly command: "get" | "set"; readonly taskId: string; readonly atMs: number };

export type RedisService = Service & {
  readonly client: Redis;
};

const answerPrefix = "vedette:fact:answer:";
const redisStartMs = 20_000;

/**
 * `heard` is told of every look for an answer and every answer that is kept, in the server's order, by MONITOR. Nobody else may
 * reach the server between its start and the moment at which `start` resolves.
 */
export const prepareRedis = async (directory: string, heard: (command: AnswerCommand) => void): Promise<RedisService> => {
  const folder = join(directory, "redis");
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const client = new Redis({ port, lazyConnect: true, retryStrategy: () => 100 }).on("error", () => {});
  let child: ChildProcess | null = null;

  const listen = async (): Promise<void> => {
    // A connection of its own each time: one that comes back by itself comes too late.
    const ears = new Redis({ port, lazyConnect: true, retryStrategy: () => null }).on("error", () => {});
    const monitor = await ears.monitor();
    monitor.on("error", () => {});
    monitor.on("monitor", (time: string, args: readonly string[]) => {
      const [name = "", key = ""] = args;
      const command = name.toLowerCase();
      if (!key.startsWith(answerPrefix) || (command !== "get" && command !== "set")) return;
      heard({ command, taskId: key.slice(answerPrefix.length), atMs: Number(time) * 1_000 });
    });
  };

  return {
    address: `127.0.0.1:${port}`,
    client,
    async kill() {
      if (child) await killChild(child);
    },
    async start() {
      const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
      const durable = ["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"];
      const started = startChild("redis-server", [...args, ...durable], join(folder, "redis.log"));
      child = started;
      const endMs = systemClock.monotonicMs() + redisStartMs;
      for (;;) {
        if (hasEnded(started)) throw new Error("redis-server ended at its start");
        try {
          return await listen();
        } catch (thrown) {
          if (systemClock.monotonicMs() > endMs) throw thrown;
          await delay(systemClock, 50);
        }
      }
    },
  };
};
