/** The log and the store of one process, below its data directory. */
import { join } from "node:path";
import { type Config, roleNames } from "../config/schema.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus } from "../runtime/bus.ts";
import { openSqliteBus } from "../runtime/bus-sqlite.ts";
import type { Clock } from "../runtime/clock.ts";
import { StartRefused } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import type { Store } from "../runtime/store.ts";
import { openSqliteStore } from "../runtime/store-sqlite.ts";

export type Storage = { readonly bus: Bus; readonly store: Store; readonly close: () => Promise<void> };

/** What the configuration knows and this version does not do is refused, not passed over. */
const refuseWhatIsNotHere = ({ bus, store, roles }: Config): void => {
  const refused = [
    ...(bus.driver === "kafka" ? ["bus: kafka"] : []),
    ...(store.redis === null ? [] : ["store.redis"]),
    ...(roles.length < roleNames.length ? ["roles other than all"] : []),
  ];
  if (refused.length > 0)
    throw new StartRefused(78, `this version runs as one process on the embedded log and store; leave out ${refused.join(", ")}`);
};

export const openStorage = async (
  config: Config,
  topics: readonly TopicDefinition<never>[],
  clock: Clock,
  log: Log,
): Promise<Storage> => {
  refuseWhatIsNotHere(config);
  const { dir, maxBytes, minFreeBytes } = config.data;
  const bus = await openSqliteBus({ directory: join(dir, "log"), maxBytes, minFreeBytes, clock, log });
  const store = await openSqliteStore({ directory: join(dir, "store"), clock, log });
  await bus.ensure(topics);
  return {
    bus,
    store,
    async close() {
      await Promise.all([bus.close(), store.close()]);
    },
  };
};
