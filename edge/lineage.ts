/**
 * What became of one detection result, from what every process can read: the fact of the task generator, and the topics. It is
 * the same whichever process is asked, and after a restart.
 */
import { Decoder } from "@msgpack/msgpack";
import { z } from "zod";
import { createCodec } from "../protocols/codec.ts";
import { type DeadLetter, deadLettersOf } from "../protocols/dead-letter.ts";
import { DetectionResult } from "../protocols/detection.ts";
import { CameraId, MessageId, resultIdOf, TimestampMs, taskIdOf } from "../protocols/ids.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import { topics } from "../protocols/topics.ts";
import { AssessmentResult, RiskUpdate } from "../protocols/verdict.ts";
import type { Bus, BusRecord } from "../runtime/bus.ts";
import type { Store } from "../runtime/store.ts";
import { readLetter } from "./dead-letters.ts";
import type { LiveEvent } from "./live/events.ts";
import { findRecords, type Search } from "./records.ts";

export type Stage = { readonly name: string; readonly at: number; readonly ms: number; readonly detail: string };
export type TaskEnd = { readonly taskId: string; readonly outcome: string; readonly reason?: string };
export type Lineage = { readonly messageId: string; readonly stages: readonly Stage[]; readonly tasks: readonly TaskEnd[] };

export type Trail = { readonly cameraId: number | null; readonly lineage: Lineage };

/** What the task generator keeps of each detection result. */
const Admission = z.object({
  messageId: MessageId,
  cameraId: CameraId.optional(),
  capturedAt: TimestampMs.optional(),
  at: TimestampMs.optional(),
  groups: z.array(
    z.object({
      groupIndex: z.int(),
      outcome: z.enum(["task", "none"]),
      taskId: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
});
type Admission = z.infer<typeof Admission>;

const readAdmission = (bytes: Uint8Array | null): Admission | null => {
  if (!bytes) return null;
  const decoder = new Decoder({ maxStrLength: 1_024, maxBinLength: 0, maxArrayLength: 1_000, maxMapLength: 32 });
  try {
    return Admission.parse(decoder.decode(bytes));
  } catch {
    return null; // a fact of another shape tells nothing here
  }
};

/** After capture; a result that came later is looked for no further. */
const longestMs = 15 * 60_000;
const readMax = 2_000;

const find = (
  bus: Bus,
  topic: TopicDefinition<never>,
  key: string | null,
  search: { readonly from: number } & Pick<Search, "wants" | "isEnough">,
): Promise<readonly BusRecord[]> => {
  const { from, wants, isEnough } = search;
  return findRecords(bus, topic, key, { fromMs: from, untilMs: from + longestMs, wants, isEnough, readMax });
};

type Told = {
  readonly results: ReadonlyMap<string, { readonly result: AssessmentResult; readonly at: number }>;
  readonly update: { readonly update: RiskUpdate; readonly at: number } | null;
  /** By the id of the record that was set aside. */
  readonly letters: ReadonlyMap<string, DeadLetter>;
};
const nothing: Told = { results: new Map(), update: null, letters: new Map() };

const codec = createCodec([DetectionResult, AssessmentResult, RiskUpdate]);
const readAs = <T>({ type, bytes }: Pick<BusRecord, "type" | "bytes">): T | null => {
  const read = codec.read(type, bytes);
  return read.ok ? (read.message as T) : null; // asked for by its type
};

const lettersOf = async (
  bus: Bus,
  topic: TopicDefinition<never>,
  key: string | null,
  from: number,
  ids: ReadonlySet<string>,
): Promise<DeadLetter[]> => {
  const wants = (record: BusRecord): boolean => ids.has(readLetter(record)?.id ?? "");
  const isEnough = ({ length }: readonly BusRecord[]) => length >= ids.size;
  const found = await find(bus, deadLettersOf(topic), key, { from, wants, isEnough });
  return found.flatMap((record) => readLetter(record) ?? []);
};

const readTopics = async (
  bus: Bus,
  messageId: string,
  cameraId: number,
  from: number,
  taskIds: readonly string[],
): Promise<Told> => {
  if (taskIds.length === 0) return nothing;
  const key = String(cameraId);
  const resultIds = new Set(taskIds.map(resultIdOf));
  const [results, updates] = await Promise.all([
    find(bus, topics.results, key, {
      from,
      wants: ({ id }) => resultIds.has(id),
      isEnough: ({ length }) => length >= taskIds.length,
    }),
    find(bus, topics.incidents, key, {
      from,
      wants: ({ type, id }) => type === RiskUpdate.type && id.startsWith(messageId),
      isEnough: (found) => found.some((record) => readAs<RiskUpdate>(record)?.final),
    }),
  ]);
  const known = results.flatMap((record) => {
    const result = readAs<AssessmentResult>(record);
    return result ? [{ result, at: record.appendedAtMs }] : [];
  });
  const told = updates.flatMap((record) => {
    const update = readAs<RiskUpdate>(record);
    return update?.messageId === messageId ? [{ update, at: record.appendedAtMs }] : [];
  });
  const isWhole = known.length >= taskIds.length;
  const letters = isWhole
    ? []
    : await Promise.all([
        lettersOf(bus, topics.tasks, key, from, new Set(taskIds)),
        lettersOf(bus, topics.results, key, from, resultIds),
      ]);
  return {
    results: new Map(known.map((each) => [each.result.taskId, each])),
    update: told.reduce<Told["update"]>(
      (last, each) => (last && last.update.revision >= each.update.revision ? last : each),
      null,
    ),
    letters: new Map(letters.flat().map((letter) => [letter.id, letter])),
  };
};

/** The time that stands in a UUID version 7. */
const madeAt = (messageId: string): number | null => {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-7/i.exec(messageId);
  return match ? Number.parseInt(`${match[1]}${match[2]}`, 16) : null;
};

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

const stagesOf = (messageId: string, admission: Admission | null, { results, update }: Told): Stage[] => {
  const capturedAt = admission?.capturedAt ?? update?.update.capturedAt ?? null;
  const cameraId = admission?.cameraId ?? update?.update.cameraId;
  const begun = capturedAt ?? madeAt(messageId);
  const stages: Stage[] = [];
  const add = (name: string, at: number | null | undefined, detail: string): void => {
    if (at !== null && at !== undefined) stages.push({ name, at, ms: begun === null ? 0 : Math.max(0, at - begun), detail });
  };
  add("captured", capturedAt, `camera ${cameraId}`);
  add("clusterer", madeAt(messageId), admission ? counted(admission.groups.length, "group") : "");
  if (admission) {
    const made = admission.groups.filter(({ outcome }) => outcome === "task").length;
    add("task-generator", admission.at, `${counted(made, "task")}, ${admission.groups.length - made} without`);
  }
  for (const { result, at } of [...results.values()].toSorted((one, other) => one.at - other.at)) {
    const [verdict] = result.results;
    const { llmLatency, retryCount } = result.metadata;
    const took = llmLatency === null ? "" : `, ${llmLatency} s${retryCount > 0 ? `, ${retryCount} retries` : ""}`;
    add("scheduler", at, `group ${result.groupIndex}: ${verdict?.status} by ${verdict?.assessedBy}${took}`);
  }
  if (update) {
    const { revision, final, complete } = update.update;
    add("aggregator", update.at, `revision ${revision}, ${final ? "final" : "not final"}, ${complete ? "complete" : "partial"}`);
  }
  return stages;
};

const endOf = (taskId: string, { results, update, letters }: Told): Pick<TaskEnd, "outcome" | "reason"> => {
  const known = results.get(taskId)?.result;
  const status = known?.results[0]?.status ?? update?.update.results.find((verdict) => verdict.taskId === taskId)?.status;
  if (status !== undefined) return { outcome: status, ...(known?.error === undefined ? {} : { reason: known.error }) };
  const letter = letters.get(taskId) ?? letters.get(resultIdOf(taskId));
  if (letter) return { outcome: "set-aside", reason: letter.reason };
  if (update?.update.final) return { outcome: "overdue", reason: "no result came before the deadline" };
  return { outcome: "pending" };
};

const tasksOf = (messageId: string, admission: Admission | null, told: Told): TaskEnd[] => {
  const ends = (admission?.groups ?? []).map(({ groupIndex, outcome, taskId = taskIdOf(messageId, groupIndex), reason }) =>
    outcome === "none"
      ? { taskId, outcome: "none", ...(reason === undefined ? {} : { reason }) }
      : { taskId, ...endOf(taskId, told) },
  );
  const named = new Set(ends.map(({ taskId }) => taskId));
  const others = [
    ...(told.update?.update.taskIdsOfRequest ?? []),
    ...told.results.keys(),
    ...(told.update?.update.results ?? []).map(({ taskId }) => taskId),
  ];
  for (const taskId of others) {
    if (named.has(taskId)) continue;
    named.add(taskId);
    ends.push({ taskId, ...endOf(taskId, told) });
  }
  return ends;
};

/** A detection result that the task generator could not take: its groups have the letter's reason. */
const traceSetAside = async (bus: Bus, messageId: string): Promise<Trail | null> => {
  const from = madeAt(messageId);
  if (from === null) return null;
  const [letter] = await lettersOf(bus, topics.detections, null, from, new Set([messageId]));
  if (!letter) return null;
  const result = readAs<DetectionResult>({ type: letter.recordType, bytes: letter.value });
  const cameraId = /^\d{1,16}$/.test(letter.key) ? Number(letter.key) : null;
  const tasks = (result?.trafficGroups ?? []).map(({ groupIndex }) => ({
    taskId: taskIdOf(messageId, groupIndex),
    ...{ outcome: "set-aside", reason: letter.reason },
  }));
  const stages = stagesOf(messageId, null, nothing);
  return { cameraId, lineage: { messageId, stages, tasks } };
};

/** Null when nothing is known. `event` is what viewers were told last, where that is at hand. */
export const traceRequest = async (
  { store, bus }: { readonly store: Store; readonly bus: Bus },
  messageId: string,
  event: LiveEvent | null,
): Promise<Trail | null> => {
  const admission = readAdmission(await store.get(`admission:${messageId}`));
  if (!admission && !event) return traceSetAside(bus, messageId); // with the bus away nobody can say that there is none
  const cameraId = admission?.cameraId ?? event?.cameraId ?? null;
  const from = admission?.capturedAt ?? event?.update?.capturedAt ?? madeAt(messageId);
  const taskIds =
    admission?.groups.flatMap(({ taskId, outcome }) => (outcome === "task" && taskId ? [taskId] : [])) ??
    event?.update?.taskIdsOfRequest ??
    [];
  const isTraced = cameraId !== null && from !== null;
  const read = isTraced ? await readTopics(bus, messageId, cameraId, from, taskIds).catch(() => nothing) : nothing;
  const atHand = event?.update ? { update: event.update, at: event.appendedAtMs } : null;
  const isNewer = atHand !== null && (read.update === null || read.update.update.revision < atHand.update.revision);
  const told: Told = isNewer ? { ...read, update: atHand } : read;
  const stages = stagesOf(messageId, admission, told);
  return { cameraId, lineage: { messageId, stages, tasks: tasksOf(messageId, admission, told) } };
};
