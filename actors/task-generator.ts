/** Takes detection results and makes one assessment task for each group that is worth a verdict; says why not for the others. */
import { decode, encode } from "@msgpack/msgpack";
import type { DetectionResult, TrafficGroup } from "../protocols/detection.ts";
import { taskIdOf } from "../protocols/ids.ts";
import type { AssessmentTask } from "../protocols/task.ts";
import { topics } from "../protocols/topics.ts";
import { actor } from "../runtime/actor.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { type Admission, type AdmissionRules, type NoTaskReason, refusal, withAdmission } from "./task-generator/admission.ts";

export type TaskGeneratorArgs = AdmissionRules & { readonly deadlineMs: number; readonly metrics: Metrics };
/** Recent admissions by `cameraId:groupKey`, oldest key first. */
type State = { readonly args: TaskGeneratorArgs; readonly admissions: Map<string, readonly Admission[]> };

const keysMax = 20_000;
/** Longer than any outage after which records are delivered again. */
const cooldownTtlMs = 15 * 60_000;
/** As long as the detection result itself is kept. */
const admissionTtlMs = 60 * 60_000;
const cooldownPrefix = "cooldown:";
/** Tasks written so long ago are read again at a start. They carry pictures, so no more of them than records in work are old. */
const rereadMs = 60_000;

/** What became of a group; `/api/requests/{messageId}` shows it. */
type Outcome = { readonly groupIndex: number } & (
  | { readonly outcome: "task"; readonly taskId: string }
  | { readonly outcome: "none"; readonly reason: NoTaskReason }
);

/** A task that the owner before made of a partition that came. */
type Admitted = { readonly type: "admitted" } & Pick<
  AssessmentTask,
  "cameraId" | "groupKey" | "taskId" | "capturedAt" | "riskLevel"
>;

const learn = (admissions: State["admissions"], made: Omit<Admitted, "type">): void => {
  const { cameraId, groupKey, taskId, capturedAt, riskLevel } = made;
  const key = `${cameraId}:${groupKey}`;
  admissions.set(key, withAdmission(admissions.get(key) ?? [], { taskId, capturedAt, riskLevel }));
};

export type TaskGeneratorReceives = DetectionResult | Admitted;

export const taskGenerator = actor<
  TaskGeneratorArgs,
  State,
  TaskGeneratorReceives,
  AssessmentTask,
  Map<string, readonly Admission[]>
>({
  name: "task-generator",
  mailbox: { capacity: 1_024, overflow: "pause-source" },

  /**
   * The store knows the groups that were admitted, but it may be away, or lack what was admitted last; a task in the log was
   * admitted for certain, and a record that is delivered again must be decided as it was.
   */
  async load({ cooldownMs, metrics }, { store, recent, clock }) {
    const admissions = new Map<string, readonly Admission[]>();
    const stored = await store.list(cooldownPrefix, keysMax).catch(() => {
      metrics.pipelineErrors.inc({ error_type: "store_failed", component: "task-generator" });
      return [];
    });
    for (const { key, bytes } of stored) {
      admissions.set(key.slice(cooldownPrefix.length), decode(bytes) as readonly Admission[]); // written below
    }
    for (const task of await recent(topics.tasks, clock.nowMs() - cooldownMs - rereadMs)) learn(admissions, task);
    return admissions;
  },
  async adopt({ cooldownMs }, { recent, clock }) {
    const tasks = await recent(topics.tasks, clock.nowMs() - cooldownMs - rereadMs);
    return tasks.map(
      ({ cameraId, groupKey, taskId, capturedAt, riskLevel }): Admitted => ({
        ...{ type: "admitted", cameraId, groupKey, taskId, capturedAt, riskLevel },
      }),
    );
  },

  start: (args, _ctx, admissions) => ({ args, admissions }),

  on: {
    admitted: (state, admitted) => {
      learn(state.admissions, admitted);
      return state;
    },

    "detection.result": (state, result, ctx) => {
      if (result.trafficGroups.length === 0) return state;
      const { args, admissions } = state;
      const images = new Map(result.groupImages.map(({ groupIndex, image }) => [groupIndex, image]));
      const outcomes: Outcome[] = [];
      const admitted: TrafficGroup[] = [];
      for (const group of result.trafficGroups) {
        const { groupIndex, groupKey, riskLevel } = group;
        const taskId = taskIdOf(result.messageId, groupIndex);
        const key = `${result.cameraId}:${groupKey}`;
        const earlier = admissions.get(key) ?? [];
        const reason = refusal(group, taskId, result.capturedAt, images.has(groupIndex), earlier, args);
        if (reason !== null) {
          outcomes.push({ groupIndex, outcome: "none", reason });
          args.metrics.groupsWithoutTask.inc({ reason });
          continue;
        }
        const kept = withAdmission(earlier, { taskId, capturedAt: result.capturedAt, riskLevel });
        admissions.delete(key); // so that the newest key stands last
        admissions.set(key, kept);
        ctx.save({ key: `${cooldownPrefix}${key}`, bytes: encode(kept), ttlMs: cooldownTtlMs });
        outcomes.push({ groupIndex, outcome: "task", taskId });
        admitted.push(group);
      }
      ctx.save({
        key: `admission:${result.messageId}`,
        bytes: encode({ messageId: result.messageId, groups: outcomes }),
        ttlMs: admissionTtlMs,
      });
      const taskIdsOfRequest = admitted.map(({ groupIndex }) => taskIdOf(result.messageId, groupIndex));
      for (const group of admitted)
        ctx.emit(taskOf(result, group, taskIdsOfRequest, images.get(group.groupIndex), args.deadlineMs));
      if (admitted.length > 0) args.metrics.tasksGenerated.inc({ camera_id: String(result.cameraId) }, admitted.length);
      forgetOldest(admissions, result.capturedAt);
      return state;
    },
  },
});

const taskOf = (
  { messageId, cameraId, timestamp, capturedAt, traceId, detectedObjects }: DetectionResult,
  group: TrafficGroup,
  taskIdsOfRequest: string[],
  image: Uint8Array | undefined,
  deadlineMs: number,
): AssessmentTask => ({
  type: "assessment.task",
  schemaVersion: 1,
  traceId,
  taskId: taskIdOf(messageId, group.groupIndex),
  requestId: messageId,
  taskIdsOfRequest,
  cameraId,
  timestamp,
  capturedAt,
  deadlineAt: capturedAt + deadlineMs,
  groupIndex: group.groupIndex,
  groupKey: group.groupKey,
  image: image ?? new Uint8Array(),
  detectedObjects: group.memberIndices.flatMap((index) => detectedObjects[index] ?? []),
  groupMetadata: { objectCount: group.objectCount, classes: group.classes, bbox: group.bbox },
  spatial: group.spatial,
  riskLevel: group.riskLevel,
  hazards: group.hazards,
});

/** Keys that the store has forgotten, too; beyond the limit, the oldest. */
const forgetOldest = (admissions: State["admissions"], capturedAt: number): void => {
  for (const [key, kept] of admissions) {
    const isPast = capturedAt - (kept.at(-1)?.capturedAt ?? 0) > cooldownTtlMs;
    if (!isPast && admissions.size <= keysMax) return;
    admissions.delete(key);
  }
};
