/** aggregator → edge (topic `incidents`): a danger that lasts, as one thing from its first sighting to its end. */
import { z } from "zod";
import { type HazardType, hazardTypes } from "./detection.ts";
import { CameraId, MessageId, RiskLevel, riskRank, TimestampMs } from "./ids.ts";
import { type Infer, message } from "./message.ts";
import { Verdict } from "./verdict.ts";

/** From this level on a result is a sighting of an incident. */
export const isIncidentLevel = (level: RiskLevel): boolean => riskRank(level) >= riskRank("medium");

/** `other`: a danger that a model saw and no rule has a name for. */
export const IncidentHazard = z.enum([...hazardTypes, "other"]);
export type IncidentHazard = HazardType | "other";

export const IncidentId = z.string().regex(/^[0-9a-f]{32}$/, "expected an incident's id");
/** The camera, and the SHA-256 of the picture. */
export const EvidenceId = z.string().regex(/^\d{1,16}-[0-9a-f]{64}$/, "expected the id of a picture");

export const Acknowledgement = z.object({
  label: z.boolean().describe("Whether it was a danger indeed"),
  note: z.string().max(500).optional(),
  by: z.string().max(64).describe("The name of the token"),
  at: TimestampMs,
});
export type Acknowledgement = z.infer<typeof Acknowledgement>;

export const messageIdsMax = 100;
export const verdictsMax = 20;
export const evidenceMax = 8;

export const Incident = message("incident", "A danger that lasts; `end` is the last word.", {
  id: z.string().min(1).max(64),
  revision: z.int().min(1),
  phase: z.enum(["new", "update", "end"]),
  cameraId: CameraId,
  groupKey: z.string(),
  hazard: IncidentHazard,
  level: RiskLevel.describe("The highest so far"),
  openedAt: TimestampMs.describe("Capture time of the first sighting"),
  updatedAt: TimestampMs.describe("Capture time of the last sighting"),
  endedAt: TimestampMs.optional(),
  messageIds: z.array(MessageId).min(1).max(messageIdsMax).describe("The first, and the newest"),
  verdicts: z.array(Verdict).max(verdictsMax).describe("The newest"),
  evidenceIds: z
    .array(z.string().max(96))
    .max(evidenceMax)
    .describe("Pictures at `/api/evidence/{id}`: of the first sighting, and of each rise"),
  ack: Acknowledgement.optional().describe("In the message that tells of it, and over HTTP"),
});
export type Incident = Infer<typeof Incident>;

/** The id of the record that tells a revision. */
export const incidentRecordId = ({ id, revision, ack }: Incident): string =>
  ack ? `${id}@${revision}+${ack.at}` : `${id}@${revision}`;

/** Newest first when listed by key: what is kept of each incident in the store. */
export const incidentFacts = {
  all: "incident-at:",
  /** Times beyond the year 10,000 do not occur. */
  at: ({ id, openedAt }: Pick<Incident, "id" | "openedAt">): string =>
    `incident-at:${(281_474_976_710_655 - openedAt).toString(16).padStart(12, "0")}:${id}`,
  /** Tells the key above by the id. */
  place: (id: string): string => `incident:${id}`,
  allOpen: "incident-open:",
  open: (id: string): string => `incident-open:${id}`,
  ack: (id: string): string => `incident-ack:${id}`,
  ttlMs: 7 * 24 * 3_600_000,
} as const;
