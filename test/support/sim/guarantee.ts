/** Guarantee 1: every group of every record in the log ends in exactly one result shown, or one counted reason. */

import { candidateDefaults } from "../../../protocols/candidate.ts";
import type { DeadLetter } from "../../../protocols/dead-letter.ts";
import type { DetectionResult } from "../../../protocols/detection.ts";
import type { Incident } from "../../../protocols/incident.ts";
import type { AssessmentTask } from "../../../protocols/task.ts";
import type { RiskUpdate } from "../../../protocols/verdict.ts";
import { type Ledger, readAdmission } from "./ledger.ts";

export type Logs = {
  readonly detections: readonly DetectionResult[];
  readonly tasks: readonly AssessmentTask[];
  readonly updates: readonly RiskUpdate[];
  readonly letters: readonly DeadLetter[];
};

/** Revisions of a message count up by one, and none follows the final one, which comes. */
export const revisionsAscend = ({ updates }: Logs): readonly string[] => {
  const violations: string[] = [];
  const last = new Map<string, RiskUpdate>();
  for (const update of updates) {
    const { messageId, revision } = update;
    const before = last.get(messageId);
    if (revision !== (before?.revision ?? 0) + 1)
      violations.push(`${messageId}: revision ${revision} after ${before?.revision ?? 0}`);
    if (before?.final) violations.push(`${messageId}: revision ${revision} after the final one`);
    last.set(messageId, update);
  }
  for (const { messageId, final } of last.values()) if (!final) violations.push(`${messageId}: no final revision`);
  return violations;
};

/** Revisions of an incident ascend, and none follows the end. A crash may swallow one: the next says all that it said. */
export const incidentsAscend = (incidents: readonly Incident[]): readonly string[] => {
  const violations: string[] = [];
  const last = new Map<string, Incident>();
  for (const incident of incidents) {
    const { id, revision, phase } = incident;
    const before = last.get(id);
    if (revision <= (before?.revision ?? 0))
      violations.push(`incident ${id}: revision ${revision} after ${before?.revision ?? 0}`);
    if (before?.phase === "end") violations.push(`incident ${id}: ${phase} after its end`);
    if ((phase === "new") !== (revision === 1)) violations.push(`incident ${id}: revision ${revision} is ${phase}`);
    last.set(id, incident);
  }
  return violations;
};

/** How often each task's result was shown for the first time. */
const timesShown = (updates: readonly RiskUpdate[]): Map<string, number> => {
  const shown = new Map<string, number>();
  const before = new Map<string, Set<string>>();
  for (const { messageId, results } of updates) {
    const known = before.get(messageId) ?? new Set();
    for (const { taskId } of results) if (!known.has(taskId)) shown.set(taskId, (shown.get(taskId) ?? 0) + 1);
    before.set(messageId, new Set(results.map(({ taskId }) => taskId)));
  }
  return shown;
};

/** Tasks whose result did not come in time: the final revision says that it is not complete. */
const overdueTasks = (updates: readonly RiskUpdate[]): Set<string> =>
  new Set(
    updates
      .filter(({ final, complete }) => final && !complete)
      .flatMap(({ taskIdsOfRequest, results }) =>
        taskIdsOfRequest.filter((taskId) => !results.some((each) => each.taskId === taskId)),
      ),
  );

/** A record that was set aside is the reason for what it would have led to; for what was shown all the same it is none. */
export const everyGroupEndsOnce = ({ detections, updates, letters }: Logs, { facts }: Ledger): readonly string[] => {
  const shown = timesShown(updates);
  const overdue = overdueTasks(updates);
  const setAside = new Set(letters.map(({ id }) => id));
  return detections.flatMap(({ messageId, trafficGroups }) => {
    const admission = readAdmission(facts.get(`admission:${messageId}`));
    return trafficGroups.flatMap(({ groupIndex }) => {
      const taskId = `${messageId}_group${groupIndex}`;
      const times = shown.get(taskId) ?? 0;
      const refusals = admission.filter((each) => each.groupIndex === groupIndex && each.outcome === "none").length;
      const isSetAside = setAside.has(messageId) || setAside.has(taskId) || setAside.has(`${taskId}_result`);
      const isLost = overdue.has(taskId) || (times === 0 && refusals === 0 && isSetAside);
      const reasons = refusals + (isLost ? 1 : 0);
      return times + reasons === 1 ? [] : [`${messageId} group ${groupIndex}: ${times} results shown, ${reasons} reasons`];
    });
  });
};

/** What the bus acknowledged is in the log. */
export const acknowledgedIsStored = ({ detections }: Logs, acknowledged: readonly string[]): readonly string[] => {
  const stored = new Set(detections.map(({ messageId }) => messageId));
  return acknowledged
    .filter((messageId) => !stored.has(messageId))
    .map((messageId) => `${messageId}: acknowledged and not in the log`);
};

/**
 * No task is paid for twice: of two tasks of one group neither follows the other within the cooldown, nor within the refresh while
 * nothing has changed. What the rules hold for worse passes both. Judged by pairs of the same risk, for which the order in which
 * they were decided does not matter.
 */
export const nothingIsAskedTwice = ({ tasks }: Logs): readonly string[] => {
  const { cooldownMs, refreshMs, dangerRefreshMs } = candidateDefaults;
  const violations: string[] = [];
  const ids = new Set<string>();
  const byGroup = new Map<string, AssessmentTask[]>();
  for (const task of tasks) {
    if (ids.has(task.taskId)) continue; // the bus told of it twice; every reader knows it by its id
    ids.add(task.taskId);
    const key = `${task.cameraId} ${task.groupKey}`;
    const earlier = byGroup.get(key) ?? [];
    byGroup.set(key, earlier);
    for (const other of earlier) {
      if (other.riskLevel !== task.riskLevel) continue;
      const apartMs = Math.abs(task.capturedAt - other.capturedAt);
      const isSame = task.spatial.minSpacing === other.spatial.minSpacing;
      const freshMs = task.riskLevel === "high" ? dangerRefreshMs : refreshMs;
      if (apartMs < cooldownMs)
        violations.push(`${task.taskId} was asked ${apartMs} ms from ${other.taskId}, within the cooldown`);
      else if (isSame && apartMs < freshMs)
        violations.push(`${task.taskId} shows nothing new, ${apartMs} ms from ${other.taskId}`);
    }
    earlier.push(task);
  }
  return violations;
};
