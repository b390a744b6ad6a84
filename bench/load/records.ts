/** What the topics hold of the window, read when the system has ended: where the time went, and whether anything is missing. */
import type { LoadedConfig } from "../../config/load.ts";
import type { Session } from "../../edge/cli/command.ts";
import { openRecords, type Records } from "../../edge/cli/records.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import type { Tagged } from "../../protocols/message.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { AssessmentResult, RiskUpdate } from "../../protocols/verdict.ts";
import type { BusRecord } from "../../runtime/bus.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";
import { addDigests, digestOf } from "./digest.ts";
import { createTally, type Figures, figuresOfValues } from "./tally.ts";

export type Window = { readonly beginMs: number; readonly endMs: number };

export type Kept = {
  readonly figures: Readonly<Record<string, Figures>>;
  readonly frames: number;
  readonly groups: number;
  readonly tasks: number;
  /** Results by status, e.g. `ok` by the model's name, `expired`. */
  readonly results: ReadonlyMap<string, number>;
  /** Sum of the digests of the risk updates; decimal. */
  readonly digest: string;
};

/** Records come after their capture; so long at most. */
const behindMaxMs = 120_000;

const sessionOf = (loaded: LoadedConfig): Session => ({
  ...{ clock: systemClock, random: systemRandom, config: () => loaded, sources: {}, environment: {} },
  ...{ out: () => {}, note: () => {}, signal: new AbortController().signal },
});

const codec = createCodec(Object.values<TopicDefinition<never>>(topics).flatMap(({ messages }) => messages));

const batchRecords = 200;

/** The messages of a topic whose capture lies in the window, a batch at a time: with their pictures they may be gigabytes. */
const messagesOf = async <Message extends Tagged & { readonly capturedAt: number }>(
  records: Records,
  { name }: { readonly name: string },
  type: Message["type"],
  { beginMs, endMs }: Window,
  use: (message: Message, record: BusRecord) => void,
): Promise<void> => {
  const take = (record: BusRecord): void => {
    if (record.type !== type) return;
    const read = codec.read(record.type, record.bytes);
    if (!read.ok) throw new Error(`${name} holds what cannot be read: ${read.failure.code}`);
    const message = read.message as Message; // of this type by its name
    if (message.capturedAt >= beginMs && message.capturedAt < endMs) use(message, record);
  };
  for (const { partition, oldest, next } of await records.states(name)) {
    if (oldest >= next) continue;
    for (let at = await records.offsetAt(name, partition, beginMs); at < next; ) {
      const batch = await records.read(name, partition, at, batchRecords);
      const last = batch.at(-1);
      if (!last) break;
      batch.forEach(take);
      if (last.appendedAtMs > endMs + behindMaxMs) break;
      at = last.offset + 1;
    }
  }
};

/** `heardAtMs`: when clients first heard each risk update. */
export const readKept = async (loaded: LoadedConfig, window: Window, heardAtMs: ReadonlyMap<string, number>): Promise<Kept> => {
  await using records = await openRecords(loaded, sessionOf(loaded));
  const stages = {
    record: createTally(),
    admit: createTally(),
    queue: createTally(),
    llm: createTally(),
    merge: createTally(),
    deliver: createTally(),
  };
  const recordedAtMs = new Map<string, number>();
  const taskedAtMs = new Map<string, number>();
  const assessedAtMs = new Map<string, number>();
  const groupsOfCamera = new Map<number, { groups: number; frames: number }>();
  const results = new Map<string, number>();
  let [groups, digest] = [0, 0n];

  await messagesOf<DetectionResult>(records, topics.detections, "detection.result", window, (frame, { appendedAtMs }) => {
    const { messageId, cameraId, capturedAt, detectionLatency, trafficGroups } = frame;
    recordedAtMs.set(messageId, appendedAtMs);
    stages.record.add(appendedAtMs - capturedAt - detectionLatency * 1_000);
    groups += trafficGroups.length;
    const camera = groupsOfCamera.get(cameraId) ?? { groups: 0, frames: 0 };
    groupsOfCamera.set(cameraId, { groups: camera.groups + trafficGroups.length, frames: camera.frames + 1 });
  });
  await messagesOf<AssessmentTask>(
    records,
    topics.tasks,
    "assessment.task",
    window,
    ({ taskId, requestId }, { appendedAtMs }) => {
      taskedAtMs.set(taskId, appendedAtMs);
      stages.admit.add(appendedAtMs - (recordedAtMs.get(requestId) ?? appendedAtMs));
    },
  );
  await messagesOf<AssessmentResult>(
    records,
    topics.results,
    "assessment.result",
    window,
    ({ taskId, results: [verdict], metadata }, record) => {
      const { appendedAtMs } = record;
      assessedAtMs.set(taskId, appendedAtMs);
      const llmMs = (metadata.llmLatency ?? 0) * 1_000;
      if (metadata.llmLatency !== null) stages.llm.add(llmMs);
      stages.queue.add(appendedAtMs - (taskedAtMs.get(taskId) ?? appendedAtMs) - llmMs);
      const status = `${verdict?.status} by ${verdict?.assessedBy}`;
      results.set(status, (results.get(status) ?? 0) + 1);
    },
  );
  const told = new Set<string>();
  await messagesOf<RiskUpdate>(records, topics.incidents, "risk_update", window, (update, { appendedAtMs }) => {
    digest = addDigests(digest, digestOf(update));
    for (const { taskId } of update.results) {
      if (told.has(taskId)) continue;
      told.add(taskId);
      stages.merge.add(appendedAtMs - (assessedAtMs.get(taskId) ?? appendedAtMs));
    }
    const heardMs = heardAtMs.get(update.id);
    if (heardMs !== undefined) stages.deliver.add(heardMs - appendedAtMs);
  });
  const perFrame = [...groupsOfCamera.values()].map((camera) => camera.groups / camera.frames);
  return {
    figures: {
      ...Object.fromEntries(Object.entries(stages).map(([name, tally]) => [`stage.${name}`, tally.figures()])),
      "groups.perFrame": figuresOfValues(perFrame),
    },
    ...{ frames: recordedAtMs.size, groups, tasks: taskedAtMs.size, results, digest: String(digest) },
  };
};
