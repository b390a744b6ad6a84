/** `vedette topics`: which topics the configured bus has, how far their readers are, and making those that are missing. */
import type { LoadedConfig } from "../../config/load.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { type Action, type Command, exit, type Given, type Option, type Session, usageFault } from "./command.ts";
import { openLog } from "./records/embedded.ts";
import { declaredTopics, type FoundTopic, openRecords, type Records, unknownTopic } from "./records.ts";
import { columns } from "./text.ts";

type TopicReport = FoundTopic & { /** False for a declared topic that the bus does not have. */ readonly exists: boolean };

type GroupLag = {
  readonly topic: string;
  readonly group: string;
  /** Records not yet settled. */
  readonly lag: number;
  /** Age of the oldest of them, milliseconds. */
  readonly lagMs: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly committed: number;
    readonly next: number;
    /** Age of its oldest record that is not settled. */
    readonly lagMs: number;
  }[];
};

const partitionsMax = 10_000;

const reportsOf = async (records: Records): Promise<readonly TopicReport[]> => {
  const found = await records.topics();
  const known = new Set(found.map(({ name }) => name));
  const missing = declaredTopics.filter(({ name }) => !known.has(name));
  return [
    ...found.map((topic) => ({ ...topic, exists: true })),
    ...missing.map(({ name, partitions, retentionMs }) => ({ name, brokerName: name, partitions, retentionMs, exists: false })),
  ].toSorted((left, right) => left.name.localeCompare(right.name));
};

const lagOf = async (records: Records, topic: string, group: string, nowMs: number): Promise<GroupLag> => {
  const committed = await records.committed(topic, group);
  const partitions: GroupLag["partitions"][number][] = [];
  for (const { partition, oldest, next } of await records.states(topic)) {
    // Below the oldest record there is nothing to read.
    const at = Math.max(committed[partition] ?? 0, oldest);
    const [first] = at < next ? await records.read(topic, partition, at, 1) : [];
    partitions.push({ partition, committed: at, next, lagMs: first ? Math.max(0, nowMs - first.appendedAtMs) : 0 });
  }
  return {
    topic,
    group,
    lag: partitions.reduce((sum, { committed: at, next }) => sum + next - at, 0),
    lagMs: Math.max(0, ...partitions.map(({ lagMs }) => lagMs)),
    partitions,
  };
};

const chosen = <Topic extends { readonly name: string }>(given: Given, topics: readonly Topic[]): readonly Topic[] => {
  const named = given.text("topic");
  if (named === undefined) return topics;
  const found = topics.filter(({ name }) => name === named);
  if (found.length === 0)
    throw unknownTopic(
      named,
      topics.map(({ name }) => name),
    );
  return found;
};

const keptText = (retentionMs: number | null): string =>
  retentionMs === null ? "newest per key" : `${retentionMs / 3_600_000} h`;
const nameText = ({ name, brokerName }: FoundTopic): string => (name === brokerName ? name : `${name} (${brokerName})`);

const topic: Option = { name: "topic", value: "T", does: "this topic only (default: all)" };
const json: Option = { name: "json", does: "the answer as JSON" };

/** With what is stored in each; the states are asked for once. */
const describeAll = async (given: Given, session: Session) => {
  await using records = await openRecords(session.config(), session);
  const described = [];
  for (const report of chosen(given, await reportsOf(records))) {
    const offsets = report.exists ? await records.states(report.name) : [];
    described.push({ ...report, records: offsets.reduce((sum, { oldest, next }) => sum + next - oldest, 0), offsets });
  }
  return described;
};

const list: Action = {
  name: "list",
  does: "lists the topics, those that are missing too",
  options: [topic, json],
  async run(given, session) {
    const found = await describeAll(given, session);
    if (given.isSet("json")) session.out(JSON.stringify({ topics: found.map(({ offsets: _, ...report }) => report) }));
    else {
      const rows = found.map((each) => [
        nameText(each),
        each.exists ? String(each.partitions) : "missing",
        String(each.records),
        keptText(each.retentionMs),
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
    const found = await describeAll(given, session);
    if (given.isSet("json")) session.out(JSON.stringify({ topics: found }));
    else
      for (const each of found) {
        const { partitions, records, offsets } = each;
        const what = each.exists ? `${partitions} partitions, ${records} records, kept ${keptText(each.retentionMs)}` : "missing";
        session.out(`${nameText(each)}: ${what}`);
        const used = offsets.filter(({ next }) => next > 0);
        for (const line of columns(
          used.map(({ partition, oldest, next }) => [`  ${partition}`, `oldest ${oldest}`, `next ${next}`]),
        ))
          session.out(line);
      }
    return exit.ok;
  },
};

/** Of the partitions that are behind. */
const partitionRows = ({ partitions }: GroupLag): readonly (readonly string[])[] =>
  partitions
    .filter(({ committed, next }) => committed < next)
    .map(({ partition, committed, next, lagMs }) => [
      `  ${partition}`,
      `committed ${committed}`,
      `next ${next}`,
      `${(lagMs / 1_000).toFixed(1)} s`,
    ]);

const lag: Action = {
  name: "lag",
  does: "shows how many records, and how much time, each consumer group is behind; with --topic each partition, too",
  options: [topic, json],
  async run(given, session) {
    await using records = await openRecords(session.config(), session);
    // A compacted topic is read whole by each reader; its group only shares out the partitions.
    const keptByTime = chosen(given, await reportsOf(records)).filter(
      ({ exists, retentionMs }) => exists && retentionMs !== null,
    );
    const lags: GroupLag[] = [];
    for (const { name } of keptByTime)
      for (const group of await records.groups(name)) lags.push(await lagOf(records, name, group, session.clock.nowMs()));
    if (given.isSet("json")) session.out(JSON.stringify({ groups: lags }));
    else {
      const rows = lags.map((each) => [each.topic, each.group, String(each.lag), `${(each.lagMs / 1_000).toFixed(1)} s`]);
      for (const line of columns([["TOPIC", "GROUP", "RECORDS", "BEHIND"], ...rows])) session.out(line);
      if (given.text("topic") !== undefined) for (const line of columns(lags.flatMap(partitionRows))) session.out(line);
    }
    return exit.ok;
  },
};

type Change = {
  readonly definition: TopicDefinition<never>;
  readonly partitions: number | null;
  readonly replication: number | null;
};

const makeInLog = async ({ config }: LoadedConfig, changes: readonly Change[], session: Session): Promise<void> => {
  const bus = await openLog(config, session);
  try {
    await bus.ensure(
      changes.map(({ definition, partitions }) => ({ ...definition, partitions: partitions ?? definition.partitions })),
    );
  } finally {
    await bus.close();
  }
};

const make = async (loaded: LoadedConfig, changes: readonly Change[], session: Session): Promise<void> => {
  if (loaded.config.bus.driver === "embedded") {
    if (changes.some(({ replication }) => (replication ?? 1) > 1))
      session.note("note: the embedded log keeps one copy; --replication is for Kafka");
    return makeInLog(loaded, changes, session);
  }
  return (await import("./records/kafka.ts")).makeKafkaTopics(loaded, session, changes);
};

const wholeOf = (given: Given, option: string, most: number): number | null => {
  const number = given.number(option, { from: 1, to: most }) ?? null;
  if (number !== null && !Number.isInteger(number)) throw usageFault(`--${option} takes a whole number`);
  return number;
};

/** What the bus has. An embedded log that is not there yet has nothing, as an empty cluster. */
const look = async (given: Given, session: Session): Promise<ReadonlyMap<string, TopicReport>> => {
  await using records = await openRecords(session.config(), session);
  return new Map(chosen(given, await reportsOf(records)).map((each) => [each.name, each]));
};

const init: Action = {
  name: "init",
  does: "makes the topics that are missing; exit code 1 when one is missing afterwards",
  options: [
    topic,
    { name: "partitions", value: "N", does: "raise the topic to so many partitions; never lowers" },
    {
      name: "replication",
      value: "R",
      does: "copies of a topic that is made (default: kafka.replication), at most one a broker",
    },
  ],
  async run(given, session) {
    const loaded = session.config();
    const partitions = wholeOf(given, "partitions", partitionsMax);
    const replication = wholeOf(given, "replication", 100);
    if (partitions !== null && given.text("topic") === undefined) throw usageFault("--partitions needs --topic T");
    const before = await look(given, session);
    const changes: Change[] = [];
    const warnings: string[] = [];
    for (const definition of chosen(given, declaredTopics)) {
      const { name } = definition;
      const has = before.get(name)?.exists ? (before.get(name)?.partitions ?? 0) : null;
      if (has !== null && partitions !== null && partitions < has)
        session.note(`note: ${name} keeps its ${has} partitions; they are never lowered`);
      if (has !== null && partitions !== null && partitions > has)
        warnings.push(
          `warning: ${name} goes from ${has} to ${partitions} partitions: a key's later records go elsewhere, so its order across this moment is lost`,
        );
      if (has === null || (partitions !== null && partitions > has)) changes.push({ definition, partitions, replication });
    }
    if (changes.length > 0) await make(loaded, changes, session);
    for (const warning of warnings) session.note(warning);

    const after = await look(given, session);
    for (const { name, exists, partitions: has } of after.values()) {
      const was = before.get(name);
      const what = !exists ? "is missing" : !was?.exists ? "is made" : was.partitions < has ? "is raised" : "was there";
      session.out(`${name} ${what}${exists ? `, ${has} partitions` : ""}`);
    }
    return [...after.values()].every(({ exists }) => exists) ? exit.ok : exit.failed;
  },
};

export const topicsCommand: Command = {
  name: "topics",
  does: "Lists, describes and makes the topics of the configured bus, and shows how far their readers are",
  actions: [list, describe, lag, init],
};
