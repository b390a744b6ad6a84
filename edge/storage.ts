/** The log and the store of one process: below its data directory, or where the configuration says. */
import { join } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { type Codec, createCodec } from "../protocols/codec.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus } from "../runtime/bus.ts";
import { lightened } from "../runtime/bus-lighter.ts";
import { openSqliteBus } from "../runtime/bus-sqlite.ts";
import type { Clock } from "../runtime/clock.ts";
import { Fault, StartRefused } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Random } from "../runtime/random.ts";
import type { Store } from "../runtime/store.ts";
import { throughOutages } from "../runtime/store-outage.ts";
import { openSqliteStore } from "../runtime/store-sqlite.ts";
import type { Publications } from "./publishing/redis.ts";
import { kafkaOptions, writtenForm } from "./storage/kafka.ts";

export type Storage = {
  readonly bus: Bus;
  readonly store: Store;
  /** Where programs of the traffic monitor read; null when they are not served. */
  readonly publications: Publications | null;
  readonly close: () => Promise<void>;
};

export type StoragePorts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
};

export type OpenStorage = (
  loaded: LoadedConfig,
  topics: readonly TopicDefinition<never>[],
  ports: StoragePorts,
) => Promise<Storage>;

export const openStorage: OpenStorage = async (loaded, topics, ports) => {
  const { store, publications } = await openStore(loaded, ports);
  const wire = loaded.config.bus.driver === "kafka" ? writtenForm(loaded) : null;
  const codec = createCodec(topics.flatMap(({ messages }) => messages));
  const bus = lightened(await openBus(loaded, codec, ports), {
    codec,
    topics,
    ...(wire ? { wireBytes: ({ topic, type, bytes }) => wire.write(topic, type, bytes)?.length ?? bytes.length } : {}),
    omitted: (topic) => ports.metrics.dropped.inc({ actor: "bus", type: topic, reason: "picture_too_large" }),
  });
  try {
    await bus.ensure(topics);
  } catch (thrown) {
    await Promise.all([bus.close(), store.close()]);
    throw refusal(thrown);
  }
  return {
    bus,
    store,
    publications,
    async close() {
      await Promise.all([bus.close(), store.close()]);
    },
  };
};

const openBus = async (loaded: LoadedConfig, codec: Codec, { clock, log, metrics }: StoragePorts): Promise<Bus> => {
  const { bus, data, roles } = loaded.config;
  if (bus.driver === "kafka") {
    // Not loaded where they are not used: the start is shorter.
    const { openKafkaBus } = await import("../runtime/bus-kafka.ts");
    const broker = openKafkaBus(kafkaOptions(loaded, { clock, log }));
    // Without cameras here nothing comes from outside that nobody else keeps.
    if (!roles.includes("eyes")) return broker;
    const { openSpooled } = await import("./storage/spool.ts");
    return openSpooled(broker, loaded.config, { codec, clock, log, metrics });
  }
  const { dir, maxBytes, minFreeBytes } = data;
  return openSqliteBus({ directory: join(dir, "log"), maxBytes, minFreeBytes, clock, log });
};

/** Topics that cannot be used as configured, or not by this user, are for the operator to mend. */
const refusal = (thrown: unknown): unknown =>
  thrown instanceof Fault && !thrown.retryable ? new StartRefused(78, thrown.message) : thrown;

const openStore = async (
  { config, resolveSecret }: LoadedConfig,
  ports: StoragePorts,
): Promise<Pick<Storage, "store" | "publications">> => {
  const { redis, password, publish, legacyImages } = config.store;
  const { clock, log, metrics } = ports;
  if (redis === null)
    return { store: await openSqliteStore({ directory: join(config.data.dir, "store"), clock, log }), publications: null };
  const [{ connectRedis }, { createRedisStore }, { createPublications }] = await Promise.all([
    import("../runtime/store-redis/connection.ts"),
    import("../runtime/store-redis.ts"),
    import("./publishing/redis.ts"),
  ]);
  const connection = await connectRedis({ url: redis, password: password ? resolveSecret(password) : null }, ports);
  const store = throughOutages(createRedisStore(connection), {
    clock,
    dropped: (count) => metrics.dropped.inc({ actor: "store", type: "fact", reason: "store_away" }, count),
  });
  return { store, publications: publish ? createPublications(connection, legacyImages ? "base64" : "ids", clock) : null };
};
