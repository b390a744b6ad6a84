/**
 * The guarantees, held against what a round has left (design section 5, 1). Pure: given the same evidence it finds the same.
 * Each finding names an id and where it was last seen.
 */
import { riskRank } from "../../protocols/ids.ts";
import { type Absence, type ModelCall, repeatedPayments } from "./calls.ts";
import type { Copies, GroupSeen, Segment, TaskMade } from "./segment.ts";
import type { AnswerCommand } from "./services.ts";

export type FindingKind = "lost" | "twice" | "differs" | "paid-twice" | "unreadable" | "unsettled" | "stuck" | "ended";
export type Finding = { readonly kind: FindingKind; readonly id: string; readonly says: string };

export type Evidence = {
  readonly segment: Segment;
  /** Of the round before: a group may be cooling down because of them. */
  readonly earlierTasks: ReadonlyMap<string, TaskMade>;
  /** What the client was shown, from the beginning of the run. */
  readonly shownUpdates: ReadonlyMap<string, { readonly taskIds: readonly string[] }>;
  readonly shownIncidents: ReadonlySet<string>;
  readonly shownTwice: readonly string[];
  readonly calls: ReadonlyMap<string, readonly ModelCall[]>;
  readonly commands: ReadonlyMap<string, readonly AnswerCommand[]>;
  readonly absences: readonly Absence[];
  readonly cooldownMs: number;
};

export type Judgement = {
  readonly findings: readonly Finding[];
  readonly records: number;
  readonly groups: number;
  /** Groups with a task. */
  readonly admitted: number;
  /** Groups whose result was shown. */
  readonly shown: number;
  /** Groups refused by the store's account, and those whose refusal follows from the topics alone since the store has lost it. */
  readonly refused: number;
  readonly refusedUnkept: number;
  readonly overdue: number;
  readonly dead: number;
  readonly copies: number;
  readonly paidAgain: number;
};

const short = ({ places }: Copies): string => (places.length > 3 ? `${places.slice(0, 3).join(", ")}, …` : places.join(", "));

/** Where everything that came of a group stands. */
const traceOf = (taskId: string, { segment, calls, shownUpdates }: Evidence): string => {
  const group = segment.groups.get(taskId);
  const at = (name: string, copies: Copies | undefined) => `${name} ${copies ? short(copies) : "none"}`;
  const told = [...segment.updates].filter(([, { taskIds }]) => taskIds.includes(taskId));
  const shown = told.filter(([id]) => shownUpdates.has(id)).length;
  const paid = (calls.get(taskId) ?? []).map(({ outcome }) => outcome);
  return [
    at("record", group && segment.detections.get(group.messageId)),
    `admission ${segment.refused.get(taskId) ?? (segment.tasks.has(taskId) ? "task" : "not kept")}`,
    at("task", segment.tasks.get(taskId)),
    `calls ${paid.length === 0 ? "none" : paid.join(" ")}`,
    at("result", segment.results.get(taskId)),
    `updates ${told.length === 0 ? "none" : told.map(([, copies]) => short(copies)).join(", ")} (${shown} shown)`,
    ...segment.dead
      .filter(({ id }) => id === taskId || id === group?.messageId)
      .map(({ topic, reason }) => `dead in ${topic}: ${reason}`),
  ].join("; ");
};

/** Within the cooldown of the task, before or after it, and no worse. */
const isCoolingDown = (group: GroupSeen, task: TaskMade, cooldownMs: number): boolean =>
  Math.abs(group.capturedAt - task.capturedAt) < cooldownMs && riskRank(group.riskLevel) <= riskRank(task.riskLevel);

/** A group that was refused and whose reason the store has lost: the rules still say it, from what the topics have. */
const followsFromRules = (taskId: string, { segment, earlierTasks, cooldownMs }: Evidence): boolean => {
  const group = segment.groups.get(taskId);
  if (!group) return false;
  if (group.refusal !== null || !group.hasPicture) return true;
  for (const made of [segment.tasks, earlierTasks])
    for (const task of made.values())
      if (task.cameraId === group.cameraId && task.groupKey === group.groupKey && isCoolingDown(group, task, cooldownMs))
        return true;
  return false;
};

const differing = (what: string, copies: ReadonlyMap<string, Copies>): Finding[] =>
  [...copies].flatMap(([id, each]) =>
    each.hashes.size === 1
      ? []
      : [{ kind: "differs" as const, id, says: `${what}: ${each.hashes.size} versions at ${each.places.join(", ")}` }],
  );

/** Revisions of one frame are numbered without a gap, and no number is used twice. */
const misnumbered = ({ updates }: Segment): Finding[] => {
  const byMessage = new Map<string, { id: string; revision: number; places: readonly string[] }[]>();
  for (const [id, { messageId, revision, places }] of updates)
    byMessage.set(messageId, [...(byMessage.get(messageId) ?? []), { id, revision, places }]);
  return [...byMessage].flatMap(([messageId, told]) => {
    const sorted = told.toSorted((one, other) => one.revision - other.revision);
    return sorted.every(({ revision }, at) => revision === at + 1)
      ? []
      : [
          {
            kind: "twice" as const,
            id: messageId,
            says: `its revisions: ${sorted.map(({ id, revision, places }) => `${revision} ${id} at ${places.join(", ")}`).join("; ")}`,
          },
        ];
  });
};

export const judge = (evidence: Evidence): Judgement => {
  const { segment, shownUpdates, shownIncidents, shownTwice } = evidence;
  const { detections, groups, tasks, results, updates, incidents, dead, refused } = segment;
  const findings: Finding[] = [];
  const deadIds = new Set(dead.map(({ id }) => id.replace(/_result$/, "")));
  const shownTasks = new Set([...shownUpdates.values()].flatMap(({ taskIds }) => taskIds));
  const overdue = new Set<string>();
  for (const { final, complete, taskIds, taskIdsOfRequest } of updates.values())
    if (final && !complete) for (const taskId of taskIdsOfRequest) if (!taskIds.includes(taskId)) overdue.add(taskId);

  let refusedUnkept = 0;
  for (const [taskId, { messageId }] of groups) {
    const ends = [
      ...(shownTasks.has(taskId) ? ["shown"] : []),
      ...(refused.has(taskId) ? [`refused (${refused.get(taskId)})`] : []),
      ...(overdue.has(taskId) ? ["overdue"] : []),
    ];
    if (ends.length === 1 && !(refused.has(taskId) && tasks.has(taskId))) continue;
    if (ends.length === 0 && (deadIds.has(messageId) || deadIds.has(taskId))) continue;
    if (ends.length === 0 && !tasks.has(taskId) && followsFromRules(taskId, evidence)) {
      refusedUnkept++;
      continue;
    }
    const kind = ends.length === 0 ? "lost" : "twice";
    const says = ends.length === 0 ? "no end" : `ends: ${ends.join(", ")}${tasks.has(taskId) ? ", with a task" : ""}`;
    findings.push({ kind, id: taskId, says: `${says}; ${traceOf(taskId, evidence)}` });
  }
  for (const { place, says } of segment.unreadable) findings.push({ kind: "unreadable", id: place, says });
  for (const [taskId, copies] of results)
    if (!tasks.has(taskId)) findings.push({ kind: "twice", id: taskId, says: `a result without its task at ${short(copies)}` });
  for (const [id, copies] of updates)
    if (!shownUpdates.has(id)) findings.push({ kind: "lost", id, says: `never shown, though it stands at ${short(copies)}` });
  for (const [id, copies] of incidents)
    if (!shownIncidents.has(id)) findings.push({ kind: "lost", id, says: `never shown, though it stands at ${short(copies)}` });
  for (const id of shownTwice) findings.push({ kind: "twice", id, says: "shown twice to one client" });

  findings.push(
    ...misnumbered(segment),
    ...differing("detection result", detections),
    ...differing("task", tasks),
    ...differing("result", results),
    ...differing("update", updates),
    ...differing("incident", incidents),
  );
  const published = new Map([...results].map(([taskId, { firstAtMs }]) => [taskId, firstAtMs]));
  const repeated = repeatedPayments(evidence.calls, evidence.commands, evidence.absences, published);
  for (const { taskId, fault } of repeated)
    if (fault !== null) findings.push({ kind: "paid-twice", id: taskId, says: `${fault}; ${paymentsOf(taskId, evidence)}` });

  const all: readonly ReadonlyMap<string, Copies>[] = [detections, tasks, results, updates, incidents];
  return {
    findings,
    records: detections.size,
    groups: groups.size,
    admitted: tasks.size,
    shown: [...groups.keys()].filter((taskId) => shownTasks.has(taskId)).length,
    refused: refused.size,
    refusedUnkept,
    overdue: overdue.size,
    dead: dead.length,
    copies: all.reduce((sum, map) => sum + [...map.values()].reduce((more, { places }) => more + places.length - 1, 0), 0),
    paidAgain: repeated.filter(({ fault }) => fault === null).length,
  };
};

/** The calls and what the store was asked, in the order of time. */
const paymentsOf = (taskId: string, { calls, commands, segment }: Evidence): string => {
  const steps = [
    ...(calls.get(taskId) ?? []).map(({ arrivedAtMs, endedAtMs, outcome }) => ({
      atMs: arrivedAtMs,
      text: `call ${arrivedAtMs.toFixed(0)}, ${outcome} ${endedAtMs.toFixed(0)}`,
    })),
    ...(commands.get(taskId) ?? []).map(({ command, atMs }) => ({ atMs, text: `${command} ${atMs.toFixed(0)}` })),
  ];
  const published = segment.results.get(taskId);
  if (published) steps.push({ atMs: published.firstAtMs, text: `published ${published.firstAtMs.toFixed(0)}` });
  return steps
    .toSorted((one, other) => one.atMs - other.atMs)
    .map(({ text }) => text)
    .join(", ");
};
