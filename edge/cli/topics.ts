/** `vedette topics`: which topics the configured bus has, how far their readers are, and making those that are missing. */
import type { Config } from "../../config/schema.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import type { LogReader } from "../../runtime/bus-sqlite/log-reader.ts";
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { Fault } from "../../runtime/errors.ts";
import { silentLog } from "../../runtime/log.ts";
import { type Action, type Command, exit, type Given, type Session } from "./command.ts";
import { declaredTopics, logDirectory, logHolder, lookAtLog } from "./records.ts";
import { columns } from "./text.ts";

export type TopicReport = {
  readonly name: string;
  /** False for a declared topic that the bus does not have. */
  readonly exists: boolean;
  readonly partitions: number;
  readonly records: number;
  readonly retentionMs: number | null;
};

export type GroupLag = {
  readonly topic: string;
  readonly group: string;
  /** Records not yet settled. */
  readonly lag: number;
  /** Age of the oldest of them, milliseconds. */
  readonly lagMs: number;
  readonly partitions: readonly { readonly partition: number; readonly committed: number; readonly next: number }[];
};

const partitionsMax = 10_000;

const missing = ({ name, partitions, retentionMs }: TopicDefinition<never>): TopicReport => ({
  name,
  exists: false,
  partitions,
  records: 0,
  retentionMs,
});

const reports = (config: Config): readonly TopicReport[] => {
  const found =
    lookAtLog(config, (reader) =>
      reader.topics().map(({ name, partitions, retentionMs }) => ({
        name,
        exists: true,
        partitions,
        records: reader.states(name).reduce((sum, { oldest, next }) => sum + next - oldest, 0),
        retentionMs,
      })),
    ) ?? [];
  const known = new Set(found.map(({ name }) => name));
  return [...found, ...declaredTopics.filter(({ name }) => !known.has(name)).map(missing)];
};

const lagOf = (reader: LogReader, topic: string, group: string, nowMs: number): GroupLag => {
  const committed = reader.committed(topic, group);
  const partitions = reader.states(topic).map(({ partition, oldest, next }) => ({
    partition,
    // Below the oldest record there is nothing to read.
    committed: Math.max(committed[partition] ?? 0, oldest),
    next,
  }));
  const behind = partitions.filter(({ committed: at, next }) => at < next);
  const oldestMs = behind.flatMap(({ partition, committed: at }) =>
    reader.read(topic, partition, at, 1).map((each) => each.appendedAtMs),
  );
  return {
    topic,
    group,
    lag: behind.reduce((sum, { committed: at, next }) => sum + next - at, 0),
    lagMs: oldestMs.length === 0 ? 0 : Math.max(0, nowMs - Math.min(...oldestMs)),
    partitions,
  };
};

const chosen = <Topic extends { readonly name: string }>(given: Given, topics: readonly Topic[]): readonly Topic[] => {
  const named = given.text("topic");
  if (named === undefined) return topics;
  const found = topics.filter(({ name }) => name === named);
  if (found.length === 0)
    throw new Fault("not_found", `there is no topic ${named}: there are ${topics.map(({ name }) => name).join(", ")}`);
  return found;
};

const retentionText = (retentionMs: number | null): string =>
  retentionMs === null ? "newest per key" : `${retentionMs / 3_600_000} h`;

const topic = { name: "topic", value: "T", does: "this topic only (default: all)" };
const json = { name: "json", does: "the answer as JSON" };

const list: Action = {
  name: "list",
  does: "lists the topics, those that are missing too",
  options: [topic, json],
  async run(given, session) {
    const found = chosen(given, reports(session.config().config));
    if (given.isSet("json")) session.out(JSON.stringify({ topics: found }));
    else {
      const rows = found.map((each) => [
        each.name,
        each.exists ? String(each.partitions) : "missing",
        String(each.records),
        retentionText(each.retentionMs),
      ]);
      for (const line of columns([["TOPIC", "PARTITIONS", "RECORDS", "KEPT"], ...rows])) session.out(line);
    }
    return exit.ok;
  },
};

const describe: Action = {
  name: "describe",
  does: "shows each partition's oldest and next offset",
  options: [topic, json],
  async run(given, session) {
    const { config } = session.config();
    const found = chosen(given, reports(config)).map((report) => ({
      ...report,
      offsets: report.exists ? (lookAtLog(config, (reader) => reader.states(report.name)) ?? []) : [],
    }));
    if (given.isSet("json")) session.out(JSON.stringify({ topics: found }));
    else
      for (const { name, exists, partitions, records, retentionMs, offsets } of found) {
        session.out(
          `${name}: ${exists ? `${partitions} partitions, ${records} records, kept ${retentionText(retentionMs)}` : "missing"}`,
        );
        const used = offsets.filter(({ next }) => next > 0);
        for (const line of columns(
          used.map(({ partition, oldest, next }) => [`  ${partition}`, `oldest ${oldest}`, `next ${next}`]),
        ))
          session.out(line);
      }
    return exit.ok;
  },
};

const lag: Action = {
  name: "lag",
  does: "shows how many records, and how much time, each consumer group is behind",
  options: [topic, json],
  async run(given, session) {
    const { config } = session.config();
    // A compacted topic is read whole by each reader; its group only shares out the partitions.
    const keptByTime = chosen(given, reports(config)).filter(({ exists, retentionMs }) => exists && retentionMs !== null);
    const lags =
      lookAtLog(config, (reader) =>
        keptByTime.flatMap(({ name }) => reader.groups(name).map((group) => lagOf(reader, name, group, session.clock.nowMs()))),
      ) ?? [];
    if (given.isSet("json")) session.out(JSON.stringify({ groups: lags }));
    else {
      const rows = lags.map((each) => [each.topic, each.group, String(each.lag), `${(each.lagMs / 1_000).toFixed(1)} s`]);
      for (const line of columns([["TOPIC", "GROUP", "RECORDS", "BEHIND"], ...rows])) session.out(line);
    }
    return exit.ok;
  },
};

/** Makes what is missing, or gives topics more partitions; throws where it may not. */
const makeTopics = async (config: Config, wanted: readonly TopicDefinition<never>[], session: Session): Promise<void> => {
  const holder = logHolder(config);
  if (holder !== null) throw new Fault("conflict", holder);
  const { maxBytes, minFreeBytes } = config.data;
  const bus = await openSqliteBus({
    directory: logDirectory(config),
    maxBytes,
    minFreeBytes,
    clock: session.clock,
    log: silentLog,
  });
  try {
    await bus.ensure(wanted);
  } finally {
    await bus.close();
  }
};

const init: Action = {
  name: "init",
  does: "makes the topics that are missing; exit code 1 when one is missing afterwards",
  options: [
    topic,
    { name: "partitions", value: "N", does: "raise the topic to so many partitions; never lowers" },
    { name: "replication", value: "R", does: "copies of a topic; the embedded log keeps one" },
  ],
  async run(given, session) {
    const { config } = session.config();
    const partitions = given.number("partitions", { from: 1, to: partitionsMax });
    if (partitions !== undefined && !Number.isInteger(partitions))
      throw new Fault("invalid_field", "--partitions takes a whole number");
    if (partitions !== undefined && given.text("topic") === undefined)
      throw new Fault("invalid_field", "--partitions needs --topic T");
    if ((given.number("replication", { from: 1, to: 100 }) ?? 1) > 1)
      session.note("note: the embedded log keeps one copy; --replication is for Kafka");

    const before = new Map(reports(config).map((each) => [each.name, each]));
    const changes = chosen(given, declaredTopics).flatMap((definition) => {
      const { exists = false, partitions: has = 0 } = before.get(definition.name) ?? {};
      if (exists && partitions !== undefined && partitions < has)
        session.note(`note: ${definition.name} keeps its ${has} partitions; they are never lowered`);
      const raised = Math.max(partitions ?? 0, exists ? has : definition.partitions);
      if (exists && raised === has) return [];
      if (exists)
        session.note(
          `warning: ${definition.name} goes from ${has} to ${raised} partitions: a key's later records go elsewhere, so its order across this moment is lost`,
        );
      return [{ ...definition, partitions: raised }];
    });
    if (changes.length > 0) await makeTopics(config, changes, session);

    const after = chosen(given, reports(config));
    for (const { name, exists, partitions: has } of after) {
      const was = before.get(name);
      const what = !exists ? "is missing" : !was?.exists ? "is made" : was.partitions < has ? "is raised" : "was there";
      session.out(`${name} ${what}${exists ? `, ${has} partitions` : ""}`);
    }
    return after.every(({ exists }) => exists) ? exit.ok : exit.failed;
  },
};

export const topicsCommand: Command = {
  name: "topics",
  does: "Lists, describes and makes the topics of the configured bus, and shows how far their readers are",
  actions: [list, describe, lag, init],
};
