/** A record as a line for people, or as JSON. */
import { maskUrl } from "../../actors/camera/address.ts";
import type { AlertNotification } from "../../protocols/alert.ts";
import type { CameraRecord } from "../../protocols/camera.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { DeadLetter } from "../../protocols/dead-letter.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import type { Incident } from "../../protocols/incident.ts";
import type { Tagged } from "../../protocols/message.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { AssessmentResult, RiskUpdate } from "../../protocols/verdict.ts";
import type { BusRecord } from "../../runtime/bus.ts";
import { declaredTopics } from "./records.ts";
import { plain, sizeText } from "./text.ts";

type Known =
  | CameraRecord
  | DetectionResult
  | AssessmentTask
  | AssessmentResult
  | RiskUpdate
  | Incident
  | AlertNotification
  | DeadLetter;

const codec = createCodec(declaredTopics.flatMap(({ messages }) => messages));

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

export type ReadRecord = { readonly message: Tagged } | { readonly unreadable: string };

export const readRecord = ({ type, bytes }: BusRecord): ReadRecord => {
  const read = codec.read(type, bytes);
  return read.ok ? { message: read.message } : { unreadable: `${read.failure.code}: ${read.failure.detail}` };
};

const saysOf = (message: Known): string => {
  switch (message.type) {
    case "camera.record":
      return message.deleted
        ? `camera ${message.id} removed`
        : `camera ${message.id} ${message.name} ${maskUrl(message.url)} ${message.fps} fps`;
    case "detection.result": {
      const hazards = message.trafficGroups.flatMap((group) => group.hazards.map(({ type }) => type));
      const groups = counted(message.trafficGroups.length, "group");
      return `camera ${message.cameraId}: ${counted(message.detectedObjects.length, "object")}, ${groups}, risk ${message.maxRiskLevel}${hazards.length > 0 ? ` (${[...new Set(hazards)].join(", ")})` : ""}`;
    }
    case "assessment.task":
      return `camera ${message.cameraId} group ${message.groupIndex}: ${counted(message.detectedObjects.length, "object")}, risk ${message.riskLevel}, picture ${sizeText(message.image.byteLength)}, ${message.deadlineAt - message.capturedAt} ms to answer`;
    case "assessment.result": {
      const verdict = message.results[0];
      const what = verdict ? [verdict.status, verdict.verdict, verdict.riskLevel, `by ${verdict.assessedBy}`] : [];
      const failure = message.error === undefined ? "" : ` (${message.error})`;
      return `camera ${message.cameraId} group ${message.groupIndex}: ${what.filter((each) => each !== null).join(" ")}${failure}`;
    }
    case "risk_update":
      return `camera ${message.cameraId} revision ${message.revision}: ${counted(message.results.length, "verdict")} of ${message.taskIdsOfRequest.length}, risk ${message.maxRiskLevel}${message.final ? `, final ${message.complete ? "and complete" : "but partial"}` : ""}`;
    case "incident":
      return `camera ${message.cameraId} incident ${message.hazard} ${message.phase} revision ${message.revision}: ${counted(message.messageIds.length, "sighting")}, risk ${message.level}`;
    case "alert.notification":
      return `device ${message.deviceId} ${message.deviceName}: ${message.alert.object} ${message.alert.event}`;
    case "dead.letter":
      return `${message.disposition} after ${counted(message.attempts, "attempt")}: ${message.reason}`;
  }
};

/** `2026-01-31T12:00:00.000Z assessment-tasks/3@17 <id> camera 1 group 1: …` */
export const recordLine = (record: BusRecord): string => {
  const { topic, partition, offset, id, appendedAtMs } = record;
  const read = readRecord(record);
  // What the codec reads is one of the declared messages.
  const says = "message" in read ? saysOf(read.message as Known) : `unreadable: ${read.unreadable}`;
  return plain(`${new Date(appendedAtMs).toISOString()} ${topic}/${partition}@${offset} ${id} ${says}`);
};

/** Bytes are given by their number, and logins of addresses are masked. */
const shown = (key: string, value: unknown): unknown => {
  if (value instanceof Uint8Array) return { bytes: value.byteLength };
  return key === "url" && typeof value === "string" ? maskUrl(value) : value;
};

export const recordJson = (record: BusRecord): string => {
  const { bytes: _, appendedAtMs, ...place } = record;
  const read = readRecord(record);
  const value = "message" in read ? { value: read.message } : { value: null, error: read.unreadable };
  return JSON.stringify({ appendedAt: appendedAtMs, ...place, ...value }, function (this: unknown, key, toJson) {
    // A Buffer has turned itself into an object by the time that it is handed in.
    const raw = (this as Readonly<Record<string, unknown>>)[key]; // `this` is the object that holds the key
    return raw instanceof Uint8Array ? shown(key, raw) : shown(key, toJson);
  });
};
