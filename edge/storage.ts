/** The log and the store of one process, below its data directory. */
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus } from "../runtime/bus.ts";
import { openSqliteBus } from "../runtime/bus-sqlite.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Store } from "../runtime/store.ts";
import { openSqliteStore } from "../runtime/store-sqlite.ts";

export type Storage = { readonly bus: Bus; readonly store: Store; readonly close: () => Promise<void> };

export const openStorage = async (
  { dir, maxBytes, minFreeBytes }: Config["data"],
  topics: readonly TopicDefinition<never>[],
  clock: Clock,
  log: Log,
): Promise<Storage> => {
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
