/** Guarantee 1, read from what a stopped system has left on disk: every group of every record has exactly one end. */
import { join } from "node:path";
import { decode } from "@msgpack/msgpack";
import { type Codec, createCodec } from "../../protocols/codec.ts";
import { deadLettersOf } from "../../protocols/dead-letter.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus } from "../../runtime/bus.ts";
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { recentMessages } from "../../runtime/recent.ts";
import type { Store } from "../../runtime/store.ts";
import { openSqliteStore } from "../../runtime/store-sqlite.ts";

export type Ends = {
  /** What should hold and does not; empty when all is well. */
  readonly wrong: readonly string[];
  /** Detection results by camera. */
  readonly records: ReadonlyMap<number, number>;
  readonly groups: number;
  /** Groups whose result was shown. */
  readonly shown: number;
  /** Ids of the topic `incidents`, as viewers hear them. */
  readonly updateIds: ReadonlySet<string>;
};

const worked = [topics.detections, topics.tasks, topics.results] as const;
const everyTopic: readonly TopicDefinition<never>[] = [...Object.values(topics), ...worked.map(deadLettersOf)];

const unsettled = async (bus: Bus): Promise<string[]> => {
  const wrong: string[] = [];
  for (const { name, group } of worked) {
    const committed = await bus.committed(name, group ?? "");
    for (const { partition, next } of await bus.states(name)) {
      const done = committed[partition] ?? 0;
      if (done !== next) wrong.push(`${name}/${partition}: ${done} of ${next} records are settled`);
    }
  }
  return wrong;
};

const doublesIn = (ids: readonly string[]): string[] => ids.filter((id, index) => ids.indexOf(id) !== index);

type Admission = { readonly groups: readonly { readonly groupIndex: number; readonly outcome: string }[] };

/** The groups that the task generator refused, with a counted reason. */
const refusedOf = async (store: Store, messageId: string): Promise<ReadonlySet<number>> => {
  const stored = await store.get(`admission:${messageId}`);
  if (!stored) return new Set();
  const { groups } = decode(stored) as Admission; // written by the task generator
  return new Set(groups.filter(({ outcome }) => outcome === "none").map(({ groupIndex }) => groupIndex));
};

/** Records set aside, e.g. because they were open each time the process was killed: a counted reason as well. */
const deadOf = async (bus: Bus, codec: Codec, topic: (typeof worked)[number]): Promise<ReadonlySet<string>> =>
  new Set((await recentMessages(bus, codec, deadLettersOf(topic), 0)).map(({ id }) => id));

const inspect = async (bus: Bus, store: Store): Promise<Ends> => {
  const codec = createCodec(everyTopic.flatMap(({ messages }) => messages));
  const dead = await deadOf(bus, codec, topics.detections);
  const wrong = await unsettled(bus);
  const results = await recentMessages(bus, codec, topics.detections, 0);
  const updates = await recentMessages(bus, codec, topics.incidents, 0);

  const shown = new Set<string>();
  const overdue = new Set<string>();
  const revisions = new Map<string, number>();
  const updateIds = new Set<string>();
  for (const update of updates) {
    if (update.type !== "risk_update") continue;
    const { id, messageId, revision, final, complete, results: verdicts, taskIdsOfRequest } = update;
    const before = revisions.get(messageId) ?? 0;
    if (revision !== before + 1) wrong.push(`${messageId}: revision ${revision} after ${before}`);
    if (updateIds.has(id)) wrong.push(`${id}: told twice`);
    updateIds.add(id);
    revisions.set(messageId, revision);
    const taskIds = verdicts.map(({ taskId }) => taskId);
    for (const taskId of doublesIn(taskIds)) wrong.push(`${taskId}: two results in one revision`);
    for (const taskId of taskIds) shown.add(taskId);
    if (final && !complete) for (const taskId of taskIdsOfRequest) if (!taskIds.includes(taskId)) overdue.add(taskId);
  }

  const records = new Map<number, number>();
  let groups = 0;
  for (const { messageId, cameraId, trafficGroups } of results) {
    records.set(cameraId, (records.get(cameraId) ?? 0) + 1);
    if (trafficGroups.length === 0) continue;
    const refused = await refusedOf(store, messageId);
    for (const { groupIndex } of trafficGroups) {
      groups++;
      const taskId = `${messageId}_group${groupIndex}`;
      const begun = [shown.has(taskId), refused.has(groupIndex), overdue.has(taskId)].filter(Boolean).length;
      const ends = begun === 0 && dead.has(messageId) ? 1 : begun;
      if (ends !== 1) wrong.push(`${taskId}: ${ends} ends`);
    }
  }
  return { wrong, records, groups, shown: shown.size, updateIds };
};

/** Reads the log and the store below `dataDir`; no process may have them open. */
export const readEnds = async (dataDir: string): Promise<Ends> => {
  const ports = { clock: systemClock, log: silentLog };
  const bus = await openSqliteBus({ ...ports, directory: join(dataDir, "log"), maxBytes: 2 ** 40, minFreeBytes: 0 });
  try {
    const store = await openSqliteStore({ ...ports, directory: join(dataDir, "store") });
    try {
      await bus.ensure(everyTopic);
      return await inspect(bus, store);
    } finally {
      await store.close();
    }
  } finally {
    await bus.close();
  }
};
