/** The embedded log, read beside the process that has it: opened for each look, so that it is never held. */
import { join } from "node:path";
import type { LoadedConfig } from "../../../config/load.ts";
import type { Bus } from "../../../runtime/bus.ts";
import { type LogReader, openLogReader } from "../../../runtime/bus-sqlite/log-reader.ts";
import { openSqliteBus } from "../../../runtime/bus-sqlite.ts";
import { Fault, StartRefused } from "../../../runtime/errors.ts";
import { silentLog } from "../../../runtime/log.ts";
import { lockDirectory } from "../../../runtime/sqlite/lock.ts";
import type { Session } from "../command.ts";
import type { Records } from "../records.ts";

type Config = LoadedConfig["config"];

const pollMs = 150;

const directoryOf = ({ data }: Config): string => join(data.dir, "log");

/** Null where there is no log yet. */
const lookAtLog = <Seen>(config: Config, look: (reader: LogReader) => Seen): Seen | null => {
  using reader = openLogReader(directoryOf(config));
  return reader ? look(reader) : null;
};

/** Who has the data directory's log; null when nobody does. */
export const logHolder = (config: Config): string | null => {
  if (lookAtLog(config, () => true) === null) return null;
  try {
    lockDirectory(directoryOf(config)).release();
    return null;
  } catch (thrown) {
    if (thrown instanceof StartRefused && /is in use/.test(thrown.message)) return thrown.message;
    throw thrown;
  }
};

export const embeddedRecords = (config: Config): Records => {
  const look = <Seen>(seen: (reader: LogReader) => Seen): Seen => {
    const found = lookAtLog(config, (reader) => ({ seen: seen(reader) }));
    if (found === null) throw new Fault("not_found", `there is no log in ${config.data.dir} yet: bun run start makes it`);
    return found.seen;
  };
  return {
    pollMs,
    topics: async () =>
      lookAtLog(config, (reader) => reader.topics().map((topic) => ({ ...topic, brokerName: topic.name }))) ?? [],
    groups: async (topic) => look((reader) => reader.groups(topic)),
    states: async (topic) => look((reader) => reader.states(topic)),
    committed: async (topic, group) => look((reader) => reader.committed(topic, group)),
    read: async (topic, partition, offset, limit) => look((reader) => reader.read(topic, partition, offset, limit)),
    offsetAt: async (topic, partition, sinceMs) => look((reader) => reader.offsetAt(topic, partition, sinceMs)),
    async [Symbol.asyncDispose]() {},
  };
};

/** The log to write to; throws while a process has it. */
export const openLog = async (config: Config, { clock }: Session): Promise<Bus> => {
  const holder = logHolder(config);
  if (holder !== null) throw new Fault("conflict", holder);
  const { maxBytes, minFreeBytes } = config.data;
  return openSqliteBus({ directory: directoryOf(config), maxBytes, minFreeBytes, clock, log: silentLog });
};
