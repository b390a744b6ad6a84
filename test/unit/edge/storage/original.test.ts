import { describe, expect, test } from "bun:test";
import { originalForm } from "../../../../edge/storage/original.ts";
import { createCodec } from "../../../../protocols/codec.ts";
import type { Tagged } from "../../../../protocols/message.ts";
import { topics } from "../../../../protocols/topics.ts";
import type { AssessmentResult } from "../../../../protocols/verdict.ts";
import detectionSample from "../../../fixtures/seed/kafka-detection.json" with { type: "json" };
import resultSample from "../../../fixtures/seed/kafka-result.json" with { type: "json" };
import failedSample from "../../../fixtures/seed/kafka-result-failed.json" with { type: "json" };
import taskSample from "../../../fixtures/seed/kafka-task.json" with { type: "json" };
import { aDetectionResult, aGroup, aResult } from "../../../support/build.ts";
import { differences } from "../../../support/same-kinds.ts";
import { aTask } from "../../../support/task.ts";

const deadlineMs = 10_000;
const form = originalForm({ deadlineMs });
const three = [topics.detections, topics.tasks, topics.results];
const codec = createCodec(three.flatMap(({ messages }) => messages));
const [detections, tasks, results] = three.map(({ name }) => name) as [string, string, string]; // three of them
const appendedAtMs = 1_800_000_000_000;

const written = (topic: string, message: Tagged): Record<string, unknown> => {
  const bytes = form.write(topic, message.type, codec.encode(message));
  return JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
};
const read = (topic: string, value: unknown) =>
  form.read(topic, new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)), appendedAtMs);
const message = (topic: string, value: unknown): Tagged => {
  const found = read(topic, value);
  if (!("bytes" in found)) throw new Error(found.unreadable);
  const type = three.find(({ name }) => name === topic)?.messages[0]?.type ?? "";
  return codec.decode(type, found.bytes);
};

const capturedAt = Date.parse("2025-11-03T08:15:30.123Z");
const requestId = detectionSample.messageId;
const traceId = requestId.replaceAll("-", "");

describe("what is written has every field that their programs write, of the same kind", () => {
  test.each([
    ["a frame", detections, aDetectionResult(), detectionSample],
    ["a task", tasks, aTask(), taskSample],
    ["a result", results, aResult(aTask()), resultSample],
    ["a result without an assessment", results, aResult(aTask(), { riskLevel: null, status: "expired" }), failedSample],
  ])("%s", (_what, topic, given, sample) => {
    // Each picture goes out once, as their task generator reads it.
    expect(differences(written(topic, given), sample).filter((each) => !each.includes(".dataUri "))).toEqual([
      ...(sample === failedSample ? ["metadata.llmLatency is null, not number", "metadata.llmModel is null, not string"] : []),
      ...(sample === resultSample
        ? [
            "metadata.llmLatency is null, not number",
            "metadata.llmModel is null, not string",
            "metadata.apiKeyId is null, not string",
          ]
        : []),
    ]);
  });
});

describe("what is written is read as itself", () => {
  const withMore = (more: Partial<AssessmentResult>): AssessmentResult => ({ ...aResult(aTask()), ...more });
  const failed = aResult(aTask(), { riskLevel: null, verdict: null, confidence: null, status: "expired", riskTypes: [] });
  test.each<[string, string, Tagged]>([
    ["a frame", detections, aDetectionResult({ imagesOmitted: 2, traceId: "f".repeat(32) })],
    [
      "a group with hazards",
      detections,
      aDetectionResult({
        trafficGroups: [
          aGroup({ riskLevel: "high", hazards: [{ type: "near-miss", memberTrackIds: [1, 2], evidence: "0.8 s" }] }),
        ],
      }),
    ],
    ["a frame with nothing on it", detections, aDetectionResult({ detectedObjects: [], trafficGroups: [] })],
    ["a task", tasks, aTask({ taskIdsOfRequest: ["m1_group1", "m1_group2"], riskLevel: "medium" })],
    ["a task without a picture", tasks, aTask({ image: new Uint8Array(0) })],
    ["a result", results, aResult(aTask(), { dangerObjectCount: 2, triggerObjectIds: [4, 7] })],
    [
      "a result with a picture",
      results,
      withMore({
        results: aResult(aTask(), { triggerObjectIds: [4] }).results,
        hazards: ["stalled"],
        evidence: new Uint8Array([255, 216, 7]),
      }),
    ],
    ["one without an assessment", results, failed],
    ["one without an assessment that says why", results, withMore({ results: failed.results, error: "HTTP 500" })],
    ["one by rules for want of quota", results, aResult(aTask(), { status: "degraded", triggerObjectIds: [] })],
  ])("%s", (_what, topic, given) => {
    expect(message(topic, written(topic, given))).toEqual(given);
  });
});

describe("what their programs write is read, and what it lacks is derived", () => {
  test("a frame of their detection", () => {
    expect(message(detections, detectionSample)).toMatchObject({
      ...{ schemaVersion: 1, ownerEpoch: 0, seq: 0, traceId, messageId: requestId, cameraId: 101, capturedAt },
      ...{ timestamp: detectionSample.timestamp, maxRiskLevel: "medium", hasDangerousDriving: true },
      detectedObjects: [
        { class: "car", trackId: 0 },
        { class: "person", trackId: 1 },
        { class: "traffic light", trackId: 2 },
      ],
      trafficGroups: [
        {
          ...{ groupIndex: 1, groupKey: "group-1", riskLevel: "medium", hazards: [], memberTrackIds: [0, 1] },
          spatial: { vehicles: 1, pedestrians: 1 },
        },
      ],
      groupImages: [{ groupIndex: 1, objectCount: 2, classes: ["car", "person"], image: new Uint8Array([255, 216, 255, 217]) }],
    });
  });

  test("a frame with as little as one may say", () => {
    const { messageId, cameraId, imageWidth, imageHeight, detectedObjects } = detectionSample;
    const least = { messageId, cameraId, imageWidth, imageHeight, detectedObjects, trafficGroups: [{ groupIndex: 3 }] };
    expect(message(detections, least)).toMatchObject({
      capturedAt: appendedAtMs,
      timestamp: new Date(appendedAtMs).toISOString(),
      trafficGroups: [
        { groupIndex: 3, objectCount: 3, memberIndices: [0, 1, 2], bbox: [105.2, 10, 910, 320.1], riskLevel: "none" },
      ],
      groupImages: [],
    });
  });

  test("a frame whose picture is a data URI alone, whose group is known by its colour, and whose objects have ids", () => {
    const [group] = detectionSample.trafficGroups;
    const [image] = detectionSample.groupImages;
    const alone = {
      ...detectionSample,
      detectedObjects: detectionSample.detectedObjects.map((object, index) => ({ ...object, objectId: 40 + index })),
      trafficGroups: [
        {
          ...group,
          riskLevelRaw: undefined,
          riskLevel: "blue",
          riskTypes: ["tailgating", "other"],
          alertDescription: "too near",
        },
      ],
      groupImages: [{ groupIndex: 1, dataUri: image?.dataUri }],
    };
    expect(message(detections, alone)).toMatchObject({
      maxRiskLevel: "high",
      trafficGroups: [{ hazards: [{ type: "tailgating", memberTrackIds: [40, 41], evidence: "too near" }] }],
      groupImages: [{ groupIndex: 1, objectCount: 2, image: new Uint8Array([255, 216, 255, 217]) }],
    });
  });

  test("a task of their generator", () => {
    const found = read(tasks, taskSample);
    expect(found).toMatchObject({ id: taskSample.taskId, trace: traceId });
    expect(message(tasks, taskSample)).toMatchObject({
      ...{ taskId: taskSample.taskId, taskIdsOfRequest: [taskSample.taskId], requestId, traceId, capturedAt },
      ...{ deadlineAt: capturedAt + deadlineMs, groupKey: "group-1", riskLevel: "none", hazards: [] },
      image: new Uint8Array([255, 216, 255, 217]),
      spatial: { vehicles: 1, pedestrians: 1 },
      groupMetadata: taskSample.groupMetadata,
    });
  });

  test("a task of their generator with everything empty that may be", () => {
    const empty = { ...taskSample, groupImageBase64: "", groupMetadata: { objectCount: 0, classes: [], bbox: [] } };
    expect(message(tasks, empty)).toMatchObject({
      image: new Uint8Array(0),
      groupMetadata: { objectCount: 0, classes: ["car", "person"], bbox: [105.2, 88.7, 280, 320.1] },
    });
  });

  test("a result of their scheduler, under the same id each time it is written", () => {
    expect(read(results, resultSample)).toMatchObject({ id: `${requestId}_group1_result`, trace: traceId });
    expect(message(results, resultSample)).toMatchObject({
      ...{ messageId: `${requestId}_group1_result`, taskId: `${requestId}_group1`, taskIdsOfRequest: [`${requestId}_group1`] },
      ...{ capturedAt, deadlineAt: capturedAt + deadlineMs, ruleRiskLevel: "none", hazards: ["near-miss"] },
      results: [
        {
          ...{ taskId: `${requestId}_group1`, groupIndex: 1, groupKey: "group-1", status: "ok", verdict: "confirmed" },
          ...{ riskLevel: "high", confidence: 0.9, assessedBy: "qwen-vl-plus", riskTypes: ["near-miss", "cut-in"] },
        },
      ],
      metadata: resultSample.metadata,
    });
  });

  test.each([
    ["none at all, with a reason", failedSample, { status: "error", riskLevel: null, verdict: null }],
    ["none at all, without", { ...failedSample, error: undefined }, { status: "parse_error", riskLevel: null }],
    [
      "a level that is none",
      { ...resultSample, results: [{ riskLevel: "severe", confidence: 0.8 }] },
      { status: "parse_error", riskLevel: null, confidence: null },
    ],
    [
      "no danger",
      { ...resultSample, results: [{ riskLevel: "none", confidence: 1.7 }] },
      { status: "ok", riskLevel: "none", verdict: "rejected", confidence: 1 },
    ],
    [
      "fields of another kind",
      { ...resultSample, results: [{ riskLevel: "low", riskTypes: "x", description: 7, triggerObjectIds: ["a", 3] }] },
      { riskLevel: "low", riskTypes: [], description: "", triggerObjectIds: [3], confidence: null },
    ],
  ])("a result with %s never reads as a verdict that was not given", (_what, given, expected) => {
    expect((message(results, given) as Tagged & { results: unknown[] }).results[0]).toMatchObject(expected);
  });
});

test.each([
  ["2025-11-03T08:15:30.123456Z", capturedAt],
  ["2025-11-03T08:15:30.123456", capturedAt],
  ["2025-11-03T09:15:30.123+01:00", capturedAt],
  ["2025-11-03T08:15:30Z", capturedAt - 123],
  ["yesterday", appendedAtMs],
  ["", appendedAtMs],
])("a frame of %p was captured at %d", (timestamp, atMs) => {
  expect(message(detections, { ...detectionSample, timestamp })).toMatchObject({ capturedAt: atMs });
});

test.each([
  ["no JSON", detections, "{", "not JSON: "],
  ["a list", detections, "[]", "JSON, Invalid input: expected object, received array"],
  [
    "a frame without a camera",
    detections,
    { ...detectionSample, cameraId: undefined },
    "JSON, cameraId: Invalid input: expected number, received undefined",
  ],
  [
    "a camera that is text",
    detections,
    { ...detectionSample, cameraId: "101" },
    "JSON, cameraId: Invalid input: expected number, received string",
  ],
  [
    "a box of three",
    tasks,
    { ...taskSample, groupMetadata: { bbox: [1, 2, 3] } },
    "JSON, groupMetadata.bbox: expected a box of four numbers, or none",
  ],
  ["a picture that is no base64", tasks, { ...taskSample, groupImageBase64: "%%" }, "JSON, groupImageBase64: expected base64"],
  ["another version", results, { ...resultSample, schemaVersion: 2 }, "JSON, schemaVersion: Invalid input: expected 1"],
  [
    "more objects than a frame may have",
    detections,
    { ...detectionSample, detectedObjects: Array(1_001).fill(detectionSample.detectedObjects[0]) },
    "JSON, detectedObjects: Too big: expected array to have <=1000 items",
  ],
  ["a topic without such records", "cameras", {}, "cameras has no records in JSON"],
])("%s: one reason that names the field", (_what, topic, value, reason) => {
  expect(read(topic, value)).toEqual({ unreadable: expect.stringContaining(reason) });
});

test.each([
  ["another topic", topics.incidents.name, codec.encode(aTask())],
  ["another type", tasks, codec.encode(aDetectionResult())],
  ["bytes that are no message", tasks, new Uint8Array([1, 2, 3])],
])("%s goes out as it is", (what, topic, bytes) => {
  expect(form.write(topic, what === "another type" ? "detection.result" : "assessment.task", bytes)).toBeNull();
});
