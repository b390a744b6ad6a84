/** The log and the store of one process: below its data directory, or where the configuration says. */
import { join } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus } from "../runtime/bus.ts";
import { openSqliteBus } from "../runtime/bus-sqlite.ts";
import type { Clock } from "../runtime/clock.ts";
import { StartRefused } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Random } from "../runtime/random.ts";
import type { Store } from "../runtime/store.ts";
import { throughOutages } from "../runtime/store-outage.ts";
import { connectRedis } from "../runtime/store-redis/connection.ts";
import { createRedisStore } from "../runtime/store-redis.ts";
import { openSqliteStore } from "../runtime/store-sqlite.ts";
import { createPublications, type Publications } from "./publishing/redis.ts";

export type Storage = {
  readonly bus: Bus;
  readonly store: Store;
  /** Where programs of the traffic monitor read; null when they are not served. */
  readonly publications: Publications | null;
  readonly close: () => Promise<void>;
};

/** What the configuration knows and this version does not do is refused, not passed over. */
const refuseWhatIsNotHere = ({ bus }: Config): void => {
  if (bus.driver === "kafka") throw new StartRefused(78, "this version runs on the embedded log; leave out bus: kafka");
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
  const { config } = loaded;
  const { clock, log } = ports;
  refuseWhatIsNotHere(config);
  const { dir, maxBytes, minFreeBytes } = config.data;
  const { store, publications } = await openStore(loaded, ports);
  const bus = await openSqliteBus({ directory: join(dir, "log"), maxBytes, minFreeBytes, clock, log });
  await bus.ensure(topics);
  return {
    bus,
    store,
    publications,
    async close() {
      await Promise.all([bus.close(), store.close()]);
    },
  };
};

const openStore = async (
  { config, resolveSecret }: LoadedConfig,
  ports: StoragePorts,
): Promise<Pick<Storage, "store" | "publications">> => {
  const { redis, password, publish, legacyImages } = config.store;
  const { clock, log, metrics } = ports;
  if (redis === null)
    return { store: await openSqliteStore({ directory: join(config.data.dir, "store"), clock, log }), publications: null };
  const connection = await connectRedis({ url: redis, password: password ? resolveSecret(password) : null }, ports);
  const store = throughOutages(createRedisStore(connection), {
    clock,
    dropped: (count) => metrics.dropped.inc({ actor: "store", type: "fact", reason: "store_away" }, count),
  });
  return { store, publications: publish ? createPublications(connection, legacyImages ? "base64" : "ids", clock) : null };
};
