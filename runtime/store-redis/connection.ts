/**
 * One connection to a Redis by ioredis, which connects again by itself and resubscribes. Around it: a bound for each
 * command in time and for all in number and bytes, one warning an outage, and a password that is never printed.
 */
import { Redis, type RedisOptions } from "ioredis";
import { type Clock, delay } from "../clock.ts";
import { Fault, reasonOf, StartRefused } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Random } from "../random.ts";
import type { Store } from "../store.ts";

export type RedisAddress = {
  /** `redis://` or `rediss://`; a user and the number of a database may stand in it, a password may not. */
  readonly url: string;
  readonly password: string | null;
};

export type RedisPorts = { readonly clock: Clock; readonly random: Random; readonly log: Log };

export type RedisConnection = {
  /** Host, port and database, for people. */
  readonly address: string;
  /** Runs a command that sends `bytes`; a `write` is one that a full or read-only server refuses. */
  readonly run: <Answer>(kind: "read" | "write", bytes: number, command: (client: Redis) => Promise<Answer>) => Promise<Answer>;
  readonly health: Store["health"];
  /** Waits for commands in progress. */
  readonly close: () => Promise<void>;
};

/** A first answer is waited for so long; then the start goes on without. */
const startMs = 3_000;
const connectTimeoutMs = 5_000;
const commandTimeoutMs = 2_000;
/** A connection on which an answer is awaited and nothing comes is given up. */
const socketTimeoutMs = 5_000;
const retryMinMs = 100;
const retryMaxMs = 2_000;
const commandsMax = 10_000;
const bytesMax = 64 * 2 ** 20;

/** What a server says that no further attempt will change. */
const isRefusal = (thrown: unknown): thrown is Error =>
  thrown instanceof Error && /^(WRONGPASS|NOAUTH|NOPERM|ERR (invalid DB index|DB index is out of range))/.test(thrown.message);

const optionsOf = (
  { url, password }: RedisAddress,
  { random }: RedisPorts,
): RedisOptions & { readonly replyMapping: "legacy" } => {
  const { protocol, hostname, port, username, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? 6379 : Number(port),
    db: Number(pathname.slice(1) || 0),
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === null ? {} : { password }),
    ...(protocol === "rediss:" ? { tls: {} } : {}),
    protocol: 2,
    replyMapping: "legacy",
    connectionName: "vedette",
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    socketTimeout: socketTimeoutMs,
    keepAlive: 30_000,
    // A command that cannot go out fails at once: whoever asked has a way without the store, and nothing piles up here.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(attempt - 1, 10)) * (0.5 + random.next() / 2),
    // A primary that became a replica: another one may stand behind the same address.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  };
};

/** Refuses (78) what the server will never accept; comes back without a connection when the server is away. */
export const connectRedis = async (to: RedisAddress, ports: RedisPorts): Promise<RedisConnection> => {
  const { clock, log } = ports;
  const options = optionsOf(to, ports);
  const address = `${options.tls ? "rediss" : "redis"}://${options.host}:${options.port}/${options.db}`;
  const state = createState(address, clock, log);
  const client = new Redis(options);
  let refusal: Error | null = null;
  let lastError = "the connection was closed";
  client.on("error", (error: unknown) => {
    if (isRefusal(error)) refusal = error;
    lastError = reasonOf(error);
  });
  client.on("close", () => state.lost(lastError));
  client.on("ready", () => state.answered("read"));

  const first = client
    .connect()
    .catch((thrown: unknown) => state.lost(refusal ? lastError : `${lastError}; ${reasonOf(thrown)}`));
  await Promise.race([first, delay(clock, startMs)]);
  if (refusal !== null) {
    client.disconnect();
    throw new StartRefused(
      78,
      `store.redis: ${address} answers ${reasonOf(refusal)}; see store.password and the URL's user and database`,
    );
  }
  if (client.status !== "ready") state.lost("no answer in time");
  else log.info("store.ready", { driver: "redis", address });
  return { address, ...createCommands(client, state), health: state.health };
};

type State = ReturnType<typeof createState>;

/** Whether Redis answers, and takes what is written; one warning an outage. */
const createState = (address: string, clock: Clock, log: Log) => {
  let away: string | null = null;
  /** Connected, and writes are refused: memory is full, or the server is a replica. */
  let refused: string | null = null;
  let sinceMs = 0;
  let isClosed = false;

  const changed = (was: boolean) => {
    const is = away !== null || refused !== null;
    if (isClosed || was === is) return;
    if (is) {
      sinceMs = clock.monotonicMs();
      log.warn("store.failed", { driver: "redis", address, reason: away ?? refused });
    } else log.info("store.ready", { driver: "redis", address, awayMs: Math.round(clock.monotonicMs() - sinceMs) });
  };
  return {
    lost(reason: string) {
      const was = away !== null || refused !== null;
      away ??= reason;
      changed(was);
    },
    refused(reason: string) {
      const was = away !== null || refused !== null;
      refused ??= reason;
      changed(was);
    },
    answered(kind: "read" | "write") {
      const was = away !== null || refused !== null;
      away = null;
      if (kind === "write") refused = null;
      changed(was);
    },
    closed() {
      isClosed = true;
    },
    isClosed: () => isClosed,
    health: (): ReturnType<Store["health"]> => {
      const detail = isClosed ? "closed" : (away ?? refused);
      return detail === null ? { status: "up", detail: address } : { status: "away", detail: `${address}: ${detail}` };
    },
  };
};

const createCommands = (client: Redis, state: State): Pick<RedisConnection, "run" | "close"> => {
  let open = 0;
  let openBytes = 0;
  let drained = Promise.withResolvers<void>();
  drained.resolve();

  const refuseIfFull = (bytes: number) => {
    if (state.isClosed()) throw new Fault("unavailable", "the store is closed");
    if (open < commandsMax && openBytes + bytes <= bytesMax) return;
    throw new Fault("unavailable", `the store has ${open} commands of ${openBytes} bytes in progress, and takes no more`);
  };

  return {
    async run(kind, bytes, command) {
      refuseIfFull(bytes);
      if (open++ === 0) drained = Promise.withResolvers();
      openBytes += bytes;
      try {
        const answer = await command(client);
        state.answered(kind);
        return answer;
      } catch (thrown) {
        // Only what the server said is an answer; everything else is silence.
        const isAnswer = thrown instanceof Error && thrown.name === "ReplyError";
        if (!isAnswer) state.lost(reasonOf(thrown));
        else if (kind === "write") state.refused(reasonOf(thrown));
        throw new Fault("unavailable", `the store did not answer: ${reasonOf(thrown)}`, { cause: thrown });
      } finally {
        openBytes -= bytes;
        if (--open === 0) drained.resolve();
      }
    },
    async close() {
      state.closed();
      await drained.promise;
      client.disconnect();
    },
  };
};
