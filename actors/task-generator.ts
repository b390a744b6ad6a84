/** Takes detection results and makes one assessment task for each group that is worth a verdict; says why not for the others. */
import { Encoder } from "@msgpack/msgpack";
import type { Asked } from "../protocols/candidate.ts";
import type { DetectionResult, GroupImage, TrafficGroup } from "../protocols/detection.ts";
import type { AssessmentTask } from "../protocols/task.ts";
import { topics } from "../protocols/topics.ts";
import { actor } from "../runtime/actor.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { type AdmissionRules, admissionDefaults, type Decision, decide } from "./task-generator/admission.ts";
import { askedBy, encodeGroup, factKey, learn, type Memory, memoryOf, newMemory, readFacts } from "./task-generator/memory.ts";
import { isSuperseded, type Owners } from "./task-generator/owners.ts";

/** Rules that are left out are as by default. */
export type TaskGeneratorArgs = Partial<AdmissionRules> & { readonly deadlineMs: number; readonly metrics: Metrics };
type State = {
  readonly args: TaskGeneratorArgs;
  readonly rules: AdmissionRules;
  readonly memory: Memory;
  readonly owners: Owners;
};

/** One for all: a frame's fact is smaller than what an encoder begins with. */
const encoder = new Encoder();

/** No outage after which records are delivered again lasts longer. */
const outageMs = 15 * 60_000;
/** As long as the detection result itself is kept. */
const admissionTtlMs = 60 * 60_000;
/** Tasks written so long ago are read again at a start. They carry pictures, so no more of them than records in work are old. */
const rereadMs = 60_000;

/** A task that the owner before made of a partition that came. */
type Admitted = { readonly type: "admitted"; readonly cameraId: number; readonly groupKey: string; readonly asked: Asked };

const rulesOf = (args: TaskGeneratorArgs): AdmissionRules => ({ ...admissionDefaults, ...args });
const keepMsOf = ({ cooldownMs, refreshMs }: AdmissionRules): number => outageMs + Math.max(cooldownMs, refreshMs);

export type TaskGeneratorReceives = DetectionResult | Admitted;

export const taskGenerator = actor<TaskGeneratorArgs, State, TaskGeneratorReceives, AssessmentTask, Memory>({
  name: "task-generator",
  mailbox: { capacity: 1_024, overflow: "pause-source" },

  /**
   * The store knows the groups that were asked about, but it may be away, or lack what was admitted last; a task in the log was
   * admitted for certain, and a record that is delivered again must be decided as it was.
   */
  async load(args, { store, recent, clock }) {
    const memory = newMemory();
    const rules = rulesOf(args);
    const keepMs = keepMsOf(rules);
    const facts = await readFacts(store).catch(() => {
      args.metrics.pipelineErrors.inc({ error_type: "store_failed", component: "task-generator" });
      return [];
    });
    // The newest last, as they would have been learnt.
    facts.sort((one, other) => (one.group.at(-1)?.capturedAt ?? 0) - (other.group.at(-1)?.capturedAt ?? 0));
    for (const { cameraId, groupKey, group } of facts)
      for (const asked of group) learn(memory, cameraId, groupKey, asked, keepMs);
    for (const task of await recent(topics.tasks, clock.nowMs() - rules.cooldownMs - rereadMs))
      learn(memory, task.cameraId, task.groupKey, askedBy(task), keepMs);
    return memory;
  },
  async adopt(args, { recent, clock }) {
    const tasks = await recent(topics.tasks, clock.nowMs() - rulesOf(args).cooldownMs - rereadMs);
    return tasks.map(
      (task): Admitted => ({ type: "admitted", cameraId: task.cameraId, groupKey: task.groupKey, asked: askedBy(task) }),
    );
  },

  start: (args, _ctx, memory) => ({ args, rules: rulesOf(args), memory, owners: new Map() }),

  on: {
    admitted: (state, { cameraId, groupKey, asked }) => {
      learn(state.memory, cameraId, groupKey, asked, keepMsOf(state.rules));
      return state;
    },

    "detection.result": (state, result, ctx) => {
      const { messageId, cameraId, capturedAt, trafficGroups } = result;
      const isLate = isSuperseded(state.owners, result);
      if (trafficGroups.length === 0) return state;
      const { args, rules, memory } = state;
      const nowMs = ctx.nowMs();
      const decisions = decide(result, memoryOf(memory, cameraId), rules, nowMs - capturedAt, isLate);
      const keepMs = keepMsOf(rules);
      for (const { asked, group } of decisions) {
        if (!asked) continue;
        learn(memory, cameraId, group.groupKey, asked, keepMs);
        const kept = memoryOf(memory, cameraId).get(group.groupKey) ?? [asked];
        ctx.save({ key: factKey(cameraId, group.groupKey), bytes: encodeGroup(kept), ttlMs: keepMs });
      }
      const groups = decisions.map(outcomeOf);
      ctx.save({
        key: `admission:${messageId}`,
        bytes: encoder.encode({ messageId, cameraId, capturedAt, at: nowMs, groups }),
        ttlMs: admissionTtlMs,
      });

      const admitted = decisions.filter(({ outcome }) => outcome === "task");
      const taskIdsOfRequest = admitted.map(({ taskId }) => taskId);
      const images = new Map(result.groupImages.map((image) => [image.groupIndex, image]));
      for (const { group, taskId } of admitted)
        ctx.emit(taskOf(result, group, taskId, taskIdsOfRequest, images.get(group.groupIndex), args.deadlineMs));
      for (const decision of decisions)
        if (decision.outcome === "none") args.metrics.groupsWithoutTask.inc({ reason: decision.reason });
      if (admitted.length > 0) args.metrics.tasksGenerated.inc({ camera_id: String(cameraId) }, admitted.length);
      return state;
    },
  },
});

/** What became of a group; `/api/requests/{messageId}` shows it. */
const outcomeOf = (decision: Decision) => {
  const { groupIndex } = decision.group;
  return decision.outcome === "task"
    ? { groupIndex, outcome: "task", taskId: decision.taskId }
    : { groupIndex, outcome: "none", reason: decision.reason };
};

const taskOf = (
  { messageId, cameraId, timestamp, capturedAt, traceId, detectedObjects }: DetectionResult,
  group: TrafficGroup,
  taskId: string,
  taskIdsOfRequest: string[],
  picture: GroupImage | undefined,
  deadlineMs: number,
): AssessmentTask => ({
  type: "assessment.task",
  schemaVersion: 1,
  traceId,
  taskId,
  requestId: messageId,
  taskIdsOfRequest,
  cameraId,
  timestamp,
  capturedAt,
  deadlineAt: capturedAt + deadlineMs,
  groupIndex: group.groupIndex,
  groupKey: group.groupKey,
  image: picture?.image ?? new Uint8Array(),
  ...(picture?.hash === undefined ? {} : { imageHash: picture.hash }),
  detectedObjects: group.memberIndices.flatMap((index) => detectedObjects[index] ?? []),
  groupMetadata: { objectCount: group.objectCount, classes: group.classes, bbox: group.bbox },
  spatial: group.spatial,
  riskLevel: group.riskLevel,
  hazards: group.hazards,
});
