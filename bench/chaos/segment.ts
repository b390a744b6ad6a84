/** What a round has left on the topics and in the store: everything that was appended from one rest to the next. */
import { decode } from "@msgpack/msgpack";
import type { Redis } from "ioredis";
import { candidateDefaults, candidateRefusal } from "../../protocols/candidate.ts";
import type { Codec } from "../../protocols/codec.ts";
import { type DeadLetter, deadLettersOf } from "../../protocols/dead-letter.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import { type RiskLevel, taskIdOf } from "../../protocols/ids.ts";
import { type Incident, incidentRecordId } from "../../protocols/incident.ts";
import type { Tagged } from "../../protocols/message.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { AssessmentResult, RiskUpdate } from "../../protocols/verdict.ts";
import type { Bus, BusRecord, Position } from "../../runtime/bus.ts";

/** A record may stand on a topic more than once. */
export type Copies = { readonly places: readonly string[]; readonly hashes: ReadonlySet<string>; readonly firstAtMs: number };

export type GroupSeen = {
  readonly messageId: string;
  readonly cameraId: number;
  readonly groupKey: string;
  readonly capturedAt: number;
  readonly riskLevel: RiskLevel;
  /** Why it is no candidate, by its own figures. */
  readonly refusal: string | null;
  readonly hasPicture: boolean;
};
export type TaskMade = Pick<AssessmentTask, "cameraId" | "groupKey" | "capturedAt" | "riskLevel">;
export type UpdateTold = Pick<RiskUpdate, "messageId" | "revision" | "final" | "complete" | "taskIdsOfRequest"> & {
  readonly taskIds: readonly string[];
};
export type Dead = { readonly topic: string; readonly id: string; readonly disposition: string; readonly reason: string };

export type Segment = {
  /** By messageId. */
  readonly detections: ReadonlyMap<string, Copies>;
  /** By the id of the task that each would be. */
  readonly groups: ReadonlyMap<string, GroupSeen>;
  readonly tasks: ReadonlyMap<string, Copies & TaskMade>;
  /** By taskId. */
  readonly results: ReadonlyMap<string, Copies & { readonly status: string }>;
  /** By their ids. */
  readonly updates: ReadonlyMap<string, Copies & UpdateTold>;
  readonly incidents: ReadonlyMap<string, Copies>;
  readonly dead: readonly Dead[];
  /** Groups that the task generator refused, with its reason, by the store. */
  readonly refused: ReadonlyMap<string, string>;
  readonly unreadable: readonly Unreadable[];
};
export type Unreadable = { readonly place: string; readonly says: string };

const shownMax = 1_500;

/** What is in a record that is not as it should be, for people. */
const loosely = (bytes: Uint8Array): string => {
  try {
    const text = JSON.stringify(decode(bytes), (_key, value) => (value instanceof Uint8Array ? `${value.length} bytes` : value));
    return text.slice(0, shownMax);
  } catch {
    return `${bytes.length} bytes: ${bytes.subarray(0, 200).toHex()}`;
  }
};

const worked = [topics.detections, topics.tasks, topics.results] as const;
export const everyTopic: readonly TopicDefinition<never>[] = [...Object.values(topics), ...worked.map(deadLettersOf)];
const readMax = 1_000;

export type Ends = ReadonlyMap<string, Position>;

export const endsOf = async (bus: Bus): Promise<Ends> => {
  const ends = new Map<string, Position>();
  for (const { name } of everyTopic) {
    const states = await bus.states(name);
    ends.set(name, Object.fromEntries(states.map(({ partition, next }) => [partition, next])));
  }
  return ends;
};

/** Partitions whose group has not settled everything, as `topic/partition: n of m`. */
export const unsettled = async (bus: Bus): Promise<string[]> => {
  const open: string[] = [];
  for (const { name, group } of worked) {
    const committed = await bus.committed(name, group ?? "");
    for (const { partition, next, oldest } of await bus.states(name)) {
      const done = committed[partition] ?? 0;
      if (done < next && next > oldest) open.push(`${name}/${partition}: ${done} of ${next}`);
    }
  }
  return open;
};

type Collector<T> = { readonly map: Map<string, Copies & T>; readonly add: (id: string, copy: Copies, fields: T) => void };

const collector = <T extends object>(): Collector<T> => {
  const map = new Map<string, Copies & T>();
  return {
    map,
    add(id, copy, fields) {
      const known = map.get(id);
      if (!known) return void map.set(id, { ...fields, ...copy });
      const places = [...known.places, ...copy.places];
      map.set(id, { ...known, places, hashes: new Set([...known.hashes, ...copy.hashes]) });
    },
  };
};

/** Sorts what is read into the parts of a segment. */
const createSorter = () => {
  const detections = collector<object>();
  const tasks = collector<TaskMade>();
  const results = collector<{ readonly status: string }>();
  const updates = collector<UpdateTold>();
  const incidents = collector<object>();
  const groups = new Map<string, GroupSeen>();
  const dead: Dead[] = [];

  const detection = (seen: DetectionResult, copy: Copies): void => {
    const pictures = new Set(seen.groupImages.map(({ groupIndex }) => groupIndex));
    detections.add(seen.messageId, copy, {});
    for (const group of seen.trafficGroups)
      groups.set(taskIdOf(seen.messageId, group.groupIndex), {
        messageId: seen.messageId,
        cameraId: seen.cameraId,
        groupKey: group.groupKey,
        capturedAt: seen.capturedAt,
        riskLevel: group.riskLevel,
        refusal: candidateRefusal(group, candidateDefaults),
        hasPicture: pictures.has(group.groupIndex),
      });
  };
  const task = ({ taskId, cameraId, groupKey, capturedAt, riskLevel }: AssessmentTask, copy: Copies): void =>
    tasks.add(taskId, copy, { cameraId, groupKey, capturedAt, riskLevel });
  const result = ({ taskId, results: verdicts }: AssessmentResult, copy: Copies): void =>
    results.add(taskId, copy, { status: verdicts[0]?.status ?? "none" });
  const update = (told: RiskUpdate, copy: Copies): void => {
    const { id, messageId, revision, final, complete, taskIdsOfRequest } = told;
    const taskIds = told.results.map(({ taskId }) => taskId);
    updates.add(id, copy, { messageId, revision, final, complete, taskIdsOfRequest, taskIds });
  };

  return {
    take(message: Tagged, copy: Copies): void {
      // The codec knows what each type carries.
      if (message.type === "detection.result") detection(message as DetectionResult, copy);
      else if (message.type === "assessment.task") task(message as AssessmentTask, copy);
      else if (message.type === "assessment.result") result(message as AssessmentResult, copy);
      else if (message.type === "risk_update") update(message as RiskUpdate, copy);
      else if (message.type === "incident") incidents.add(incidentRecordId(message as Incident), copy, {});
      else if (message.type === "dead.letter") {
        const { topic, id, disposition, reason } = message as DeadLetter;
        dead.push({ topic, id, disposition, reason });
      }
    },
    sorted: () => ({
      ...{ groups, dead, detections: detections.map, tasks: tasks.map },
      ...{ results: results.map, updates: updates.map, incidents: incidents.map },
    }),
  };
};

/** Every record of a topic from one end to the next. */
async function* recordsOf(bus: Bus, name: string, from: Ends, to: Ends): AsyncGenerator<BusRecord> {
  for (const [index, end] of Object.entries(to.get(name) ?? {})) {
    const partition = Number(index);
    for (let offset = from.get(name)?.[partition] ?? 0; offset < end; ) {
      const records = await bus.read(name, partition, offset, Math.min(readMax, end - offset));
      const last = records.at(-1);
      if (!last) break;
      yield* records;
      offset = last.offset + 1;
    }
  }
}

export const readSegment = async (bus: Bus, codec: Codec, redis: Redis, from: Ends, to: Ends): Promise<Segment> => {
  const sorter = createSorter();
  const unreadable: Unreadable[] = [];
  for (const { name } of everyTopic) {
    if (name === topics.cameras.name) continue;
    for await (const { type, bytes, partition, offset, appendedAtMs } of recordsOf(bus, name, from, to)) {
      const place = `${name}/${partition}@${offset}`;
      const read = codec.read(type, bytes);
      if (!read.ok) {
        unreadable.push({ place, says: `${type}: ${read.failure.code} ${read.failure.detail}; ${loosely(bytes)}` });
        continue;
      }
      const hashes = new Set([Bun.hash(bytes).toString(36)]);
      sorter.take(read.message, { places: [place], hashes, firstAtMs: appendedAtMs });
    }
  }
  const found = sorter.sorted();
  return { ...found, unreadable, refused: await refusedIn(redis, [...found.detections.keys()]) };
};

const askMax = 200;

type Admission = {
  readonly groups: readonly { readonly groupIndex: number; readonly outcome: string; readonly reason?: string }[];
};

const refusedIn = async (redis: Redis, messageIds: readonly string[]): Promise<Map<string, string>> => {
  const refused = new Map<string, string>();
  for (let at = 0; at < messageIds.length; at += askMax) {
    const asked = messageIds.slice(at, at + askMax);
    const facts = await redis.mgetBuffer(...asked.map((id) => `vedette:fact:admission:${id}`));
    for (const [index, fact] of facts.entries()) {
      const messageId = asked[index];
      if (!fact || messageId === undefined) continue;
      const { groups } = decode(fact) as Admission; // written by the task generator
      for (const { groupIndex, outcome, reason = "" } of groups)
        if (outcome === "none") refused.set(taskIdOf(messageId, groupIndex), reason);
    }
  }
  return refused;
};
