/**
 * When sightings of danger are one incident. A result of medium level or more is a sighting; those of one camera, group and
 * hazard with no long silence between them are one incident, from `new` over `update` to `end`. Pure.
 */
import { createHash } from "node:crypto";
import { riskRank, worstRisk } from "../../protocols/ids.ts";
import {
  evidenceMax,
  type Incident,
  type IncidentHazard,
  isIncidentLevel,
  messageIdsMax,
  verdictsMax,
} from "../../protocols/incident.ts";
import type { AssessmentResult } from "../../protocols/verdict.ts";

export type Sighting = {
  readonly result: AssessmentResult;
  readonly level: Incident["level"];
  /** By the rules, the worst first. */
  readonly hazards: readonly IncidentHazard[];
};

/** Null where the result tells of no danger. A result without a verdict counts with its level by rules. */
export const sightingOf = (result: AssessmentResult): Sighting | null => {
  const [verdict] = result.results;
  const level = verdict?.riskLevel ?? result.ruleRiskLevel;
  if (!isIncidentLevel(level)) return null;
  const hazards = result.hazards ?? [];
  return { result, level, hazards: hazards.length > 0 ? hazards : ["other"] };
};

const groupOf = ({ results }: AssessmentResult): string => results[0]?.groupKey ?? "";

/** The open incident that this is a sighting of. */
export const incidentOf = (open: Iterable<Incident>, { result, hazards }: Sighting): Incident | null => {
  for (const incident of open) {
    if (incident.cameraId !== result.cameraId || incident.groupKey !== groupOf(result)) continue;
    if (hazards.includes(incident.hazard)) return incident;
  }
  return null;
};

/** The result came before, and what it said was saved, but not that it had been taken. */
export const hasSighting = ({ verdicts }: Incident, { result }: Sighting): boolean =>
  verdicts.some(({ taskId }) => taskId === result.taskId);

/** Whether a picture of this sighting is worth keeping: of the first, and of each that is worse than all before. */
export const isWorthAPicture = (known: Incident | null, { level }: Sighting): boolean =>
  !known || (riskRank(level) > riskRank(known.level) && known.evidenceIds.length < evidenceMax);

const idOf = (cameraId: number, groupKey: string, hazard: IncidentHazard, messageId: string): string =>
  createHash("sha256")
    .update(JSON.stringify([cameraId, groupKey, hazard, messageId]))
    .digest("hex")
    .slice(0, 32);

const opened = ({ result, level, hazards }: Sighting, evidenceId: string | null): Incident => {
  const { cameraId, requestId, capturedAt } = result;
  const groupKey = groupOf(result);
  const hazard = hazards[0] ?? "other";
  return {
    type: "incident",
    id: idOf(cameraId, groupKey, hazard, requestId),
    revision: 1,
    phase: "new",
    cameraId,
    groupKey,
    hazard,
    level,
    openedAt: capturedAt,
    updatedAt: capturedAt,
    messageIds: [requestId],
    verdicts: [...result.results],
    evidenceIds: evidenceId === null ? [] : [evidenceId],
  };
};

/** The first stays, then the newest. */
const withNewest = (ids: readonly string[], id: string): string[] => {
  if (ids.includes(id)) return [...ids];
  const [first = id] = ids;
  return ids.length < messageIdsMax ? [...ids, id] : [first, ...ids.slice(2), id];
};

/** While one picture is being stored others may be asked for: what made them worth keeping may be told already. */
const withPicture = (known: Incident, sighting: Sighting, evidenceId: string | null): string[] => {
  const { evidenceIds } = known;
  if (evidenceId === null || evidenceIds.includes(evidenceId)) return evidenceIds;
  return evidenceIds.length === 0 || isWorthAPicture(known, sighting) ? [...evidenceIds, evidenceId] : evidenceIds;
};

const seenAgain = (known: Incident, sighting: Sighting, evidenceId: string | null): Incident => ({
  ...known,
  revision: known.revision + 1,
  phase: "update",
  level: worstRisk([known.level, sighting.level]),
  updatedAt: Math.max(known.updatedAt, sighting.result.capturedAt),
  messageIds: withNewest(known.messageIds, sighting.result.requestId),
  verdicts: [...known.verdicts, ...sighting.result.results].slice(-verdictsMax),
  evidenceIds: withPicture(known, sighting, evidenceId),
});

/** The incident with this sighting in it. */
export const withSighting = (known: Incident | null, sighting: Sighting, evidenceId: string | null): Incident =>
  known ? seenAgain(known, sighting, evidenceId) : opened(sighting, evidenceId);

export const endedIncident = (known: Incident): Incident => ({
  ...known,
  revision: known.revision + 1,
  phase: "end",
  endedAt: known.updatedAt,
});
