/**
 * Bytes that were written once and are read for ever: records in a log outlive the program that wrote them. A kind of message
 * without golden bytes gets them from its value below; a file that stands is never written again.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Packr } from "msgpackr";
import type { CameraRecord, CameraStatus } from "../../../protocols/camera.ts";
import { createCodec } from "../../../protocols/codec.ts";
import type { DeadLetter } from "../../../protocols/dead-letter.ts";
import type { DetectedObject, DetectionResult, LiveDetection, TrafficGroup } from "../../../protocols/detection.ts";
import type { FrameCaptured, FrameDetected, FrameTracked } from "../../../protocols/frame.ts";
import type { Incident } from "../../../protocols/incident.ts";
import type { AssessmentTask } from "../../../protocols/task.ts";
import type { AssessmentResult, RiskUpdate, Verdict } from "../../../protocols/verdict.ts";
import type { ClientMessage, ServerMessage } from "../../../protocols/websocket.ts";
import { declared } from "../../../tools/fuzz-codec/declared.ts";

const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0xff, 0xd9]);
const messageId = "018bcfe5-6800-7abc-8def-0123456789ab";
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const capturedAt = 1_700_000_000_000;
const timestamp = "2023-11-14T22:13:20.000Z";

const objects: DetectedObject[] = [
  { class: "car", confidence: 0.9, bbox: [100, 100.5, 200, 180.25], trackId: 1, speed: 12.5 },
  { class: "person", confidence: 0.7, bbox: [220, 110, 250, 190], trackId: 40_000 },
];
const group: TrafficGroup = {
  groupIndex: 1,
  groupKey: "g17",
  objectCount: 2,
  bbox: [100, 100, 250.5, 190],
  classes: ["car", "person"],
  averageConfidence: 0.8,
  memberIndices: [0, 1],
  memberTrackIds: [1, 40_000],
  riskLevel: "high",
  hazards: [{ type: "near-miss", memberTrackIds: [1, 40_000], evidence: "time to collision 1.2 s" }],
  spatial: { density: 1.48, avgSpacing: 80, minSpacing: 80, vehicles: 1, pedestrians: 1, pedVehicleMinDist: 80 },
};

const captured: FrameCaptured = {
  type: "frame.captured",
  cameraId: 300,
  ownerEpoch: 2,
  seq: 70_000,
  segment: 0,
  capturedAt,
  mediaTimeMs: 1_234.5,
  imageWidth: 1920,
  imageHeight: 1080,
};
const { type: _, ...frame } = captured;
const {
  trackId: _trackId,
  speed: _speed,
  ...detection
} = objects[0] ?? { trackId: 0, class: "", confidence: 0, bbox: [0, 0, 0, 0] };
const detected: FrameDetected = {
  type: "frame.detected",
  ...frame,
  detections: [detection],
  detectionLatency: 0.031,
  modelType: "yolox-nano-416",
};
const tracked: FrameTracked = {
  type: "frame.tracked",
  ...frame,
  objects: [
    { ...detection, trackId: 1, velocity: [-3.5, 0.25], ageMs: 500 },
    { ...detection, trackId: 2, ageMs: 0 },
  ],
  detectionLatency: 0.031,
  modelType: "yolox-nano-416",
};

const live: LiveDetection = {
  type: "detection_result",
  messageId,
  cameraId: 300,
  timestamp,
  capturedAt,
  imageWidth: 1920,
  imageHeight: 1080,
  detectedObjects: objects,
  trafficGroups: [group],
  hasDangerousDriving: true,
  maxRiskLevel: "high",
  detectionLatency: 0.05,
  modelType: "yolox-nano-416",
  frame: jpeg,
};
const { type: _type, frame: _frame, ...liveFields } = live;
const recorded: DetectionResult = {
  type: "detection.result",
  schemaVersion: 1,
  traceId,
  ownerEpoch: 2,
  seq: 70_000,
  ...liveFields,
  groupImages: [{ groupIndex: 1, objectCount: 2, classes: ["car", "person"], image: jpeg }],
  imagesOmitted: 1,
};
const task: AssessmentTask = {
  type: "assessment.task",
  schemaVersion: 1,
  traceId,
  taskId: `${messageId}_group1`,
  requestId: messageId,
  taskIdsOfRequest: [`${messageId}_group1`],
  cameraId: 300,
  timestamp,
  capturedAt,
  deadlineAt: capturedAt + 10_000,
  groupIndex: 1,
  groupKey: group.groupKey,
  image: jpeg,
  detectedObjects: objects,
  groupMetadata: { objectCount: 2, classes: ["car", "person"], bbox: group.bbox },
  spatial: group.spatial,
  riskLevel: "high",
  hazards: group.hazards,
};
const confirmed: Verdict = {
  taskId: task.taskId,
  groupIndex: 1,
  groupKey: group.groupKey,
  status: "ok",
  verdict: "confirmed",
  riskLevel: "high",
  confidence: 0.9,
  assessedBy: "qwen-vl-plus",
  description: "\u8f66\u8f86\u8fc7\u8fd1",
  riskTypes: ["near-miss"],
  dangerObjectCount: 2,
  triggerObjectIds: [1, 40_000],
};
const expired: Verdict = {
  taskId: `${messageId}_group2`,
  groupIndex: 2,
  groupKey: "g18",
  status: "expired",
  verdict: null,
  riskLevel: null,
  confidence: null,
  assessedBy: "rules",
  description: "",
  riskTypes: [],
};
const result: AssessmentResult = {
  type: "assessment.result",
  schemaVersion: 1,
  traceId,
  messageId: `${task.taskId}_result`,
  taskId: task.taskId,
  requestId: messageId,
  taskIdsOfRequest: task.taskIdsOfRequest,
  cameraId: 300,
  timestamp,
  capturedAt,
  deadlineAt: task.deadlineAt,
  groupIndex: 1,
  ruleRiskLevel: "high",
  results: [confirmed],
  metadata: { llmLatency: 1.25, llmModel: "qwen-vl-plus", apiKeyId: null, retryCount: 1 },
  error: "first attempt: 503",
};
const incident: Incident = {
  type: "incident",
  id: "6f1ed002ab5595859014ebf0951522d9",
  revision: 2,
  phase: "end",
  cameraId: 300,
  groupKey: "g17",
  hazard: "near-miss",
  level: "high",
  openedAt: capturedAt,
  updatedAt: capturedAt + 3_000,
  endedAt: capturedAt + 3_000,
  messageIds: [messageId],
  verdicts: [confirmed],
  evidenceIds: [`300-${"0f".repeat(32)}`],
  ack: { label: true, note: "seen", by: "ops", at: capturedAt + 60_000 },
};
const { type: _incident, ...incidentFields } = incident;
const update: RiskUpdate = {
  type: "risk_update",
  id: `${messageId}@1`,
  messageId,
  cameraId: 300,
  capturedAt,
  revision: 1,
  final: true,
  complete: false,
  hasDangerousDriving: true,
  maxRiskLevel: "high",
  results: [confirmed, expired],
  taskIdsOfRequest: [`${messageId}_group1`, `${messageId}_group2`],
  llmLatency: 1.25,
  llmModel: "qwen-vl-plus",
};
const status: CameraStatus = {
  type: "camera_status",
  cameraId: 300,
  status: 0,
  message: "no frame for 12 s",
  state: "stale",
  latencyMs: 12_000.5,
};
const camera: CameraRecord = {
  type: "camera.record",
  id: 300,
  name: "Hafenstra\u00dfe",
  url: "rtsp://127.0.0.1:8554/gate",
  fps: 2,
  loop: false,
  roi: [
    [
      [0.1, 0.2],
      [0.9, 0.2],
      [0.9, 1],
    ],
  ],
  enabled: true,
  ownerEpoch: 3,
  deleted: false,
  configured: true,
};
const letter: DeadLetter = {
  type: "dead.letter",
  topic: "assessment-tasks",
  partition: 15,
  offset: 5_000_000_000,
  key: "300",
  id: task.taskId,
  recordType: "assessment.task",
  trace: traceId,
  value: new Uint8Array([0xc1]),
  disposition: "poison",
  reason: "not MessagePack",
  attempts: 3,
};

const overWebSocket = ({ type, data }: ClientMessage | ServerMessage) => ({ ...data, type });
const cursor = "0.12,3.4";
const { type: _update, ...updateFields } = update;
const { type: _status, ...statusFields } = status;

const websocketMessages: readonly (ClientMessage | ServerMessage)[] = [
  { type: "ping", data: {} },
  { type: "start_stream", data: { cameraId: 1, rtspUrl: "sim://junction?seed=7" } },
  { type: "stop_stream", data: { cameraId: 1 } },
  { type: "check_camera", data: { cameraId: 1, rtspUrl: "sim://junction?seed=7" } },
  { type: "subscribe", data: { cameraIds: [1, 300], types: ["risk_update"], maxFps: 0.5, frames: [1] } },
  { type: "resume", data: { after: cursor } },
  { type: "connection_ack", data: { message: "welcome", version: "0.1.0", cursor } },
  { type: "pong", data: {} },
  { type: "error", data: { code: "bad_json", message: "expected an object", inReplyTo: "ping" } },
  { type: "lagged", data: { missed: -1, cursor } },
  { type: "resumed", data: { cursor, more: true } },
  { type: "stream_stopped", data: { cameraId: 1, reason: "asked for" } },
  { type: "camera_status", data: statusFields },
  { type: "detection_result", data: { ...liveFields, frame: "data:image/jpeg;base64,/9g=" } },
  { type: "risk_update", data: { ...updateFields, cursor } },
  { type: "incident", data: { ...incidentFields, cursor } },
];

type Value = { readonly type: string };
const onBus: readonly Value[] = [captured, detected, tracked, live, recorded, task, result, update, incident, camera, letter];
const values = new Map<string, Value>([
  ...onBus.map((value) => [value.type, value] as const),
  ...websocketMessages.map((message) => [`websocket.${message.type}`, overWebSocket(message)] as const),
]);

const folder = join(import.meta.dirname, "../../fixtures/wire");
const pathOf = (name: string) => join(folder, `${name}.v1.msgpack`);
const goldenBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(pathOf(name)));
const codecsOf = (name: string) => {
  const definition = declared.get(name);
  if (!definition) throw new Error(`no message is declared for ${name}`);
  return (["generated", "composed", "none"] as const).map((construction) => createCodec([definition], { construction }));
};
/** The second implementation, told to write plain MessagePack and to read whole numbers as numbers. */
const packr = new Packr({ useRecords: false, int64AsType: "number" });

test("every declared message has its value here, and nothing else does", () => {
  expect([...values.keys()].sort()).toEqual([...declared.keys()].sort());
});

test("every declared message has its golden bytes, and nothing else does", () => {
  const written = [...values].filter(([name]) => !existsSync(pathOf(name)));
  for (const [name, value] of written) writeFileSync(pathOf(name), codecsOf(name)[2]?.encode(value) ?? new Uint8Array());
  expect(written.map(([name]) => `${name}.v1.msgpack was missing and is written: commit it`)).toEqual([]);
  const names = readdirSync(folder).filter((file) => file.endsWith(".msgpack"));
  expect(names.sort()).toEqual([...declared.keys()].map((name) => `${name}.v1.msgpack`).sort());
});

describe.each([...values])("%s", (name, value) => {
  const { type } = value;
  const { type: _own, ...fields } = value;

  test("its golden bytes are read as it", () => {
    for (const codec of codecsOf(name)) {
      expect(codec.read(type, goldenBytes(name))).toEqual({ ok: true, message: value });
      expect(codec.decode(type, goldenBytes(name))).toEqual(value);
    }
  });

  test("the second implementation reads what is written, and what it writes is read", () => {
    expect(packr.unpack(goldenBytes(name))).toEqual(fields);
    for (const codec of codecsOf(name)) {
      expect(packr.unpack(codec.encode(value))).toEqual(fields);
      expect(codec.read(type, new Uint8Array(packr.pack(fields)))).toEqual({ ok: true, message: value });
    }
  });
});
