import { expect, test } from "bun:test";
import { seedDetection, seedMerged } from "../../../protocols/seed-shape.ts";
import detectionSample from "../../fixtures/seed/redis-detection.json" with { type: "json" };
import mergedSample from "../../fixtures/seed/redis-merged.json" with { type: "json" };
import { aDetectionResult, aGroup, aVerdict } from "../../support/build.ts";
import { aRiskUpdate } from "../../support/edge.ts";
import { differences } from "../../support/same-kinds.ts";

const base64 = (image: Uint8Array) => ({ evidenceId: "e1", imageBase64: Buffer.from(image).toString("base64") });

test("a frame has every field that the monitor's has, of the same kind", () => {
  expect(differences(seedDetection(aDetectionResult(), base64), detectionSample)).toEqual([]);
});

test.each([
  ["none", "gray"],
  ["low", "yellow"],
  ["medium", "orange"],
  ["high", "blue"],
] as const)("a group of risk %s is %s there, and says its level beside", (riskLevel, colour) => {
  const { trafficGroups, groupImages } = seedDetection(aDetectionResult({ trafficGroups: [aGroup({ riskLevel })] }), base64);
  expect(trafficGroups[0]).toMatchObject({ riskLevel: colour, riskLevelRaw: riskLevel });
  expect(groupImages[0]).toMatchObject({ riskLevel: colour, riskLevelRaw: riskLevel });
});

test("a merged result has every field that the monitor's has", () => {
  const detection = seedDetection(aDetectionResult(), () => ({ evidenceId: "e1" }));
  const update = aRiskUpdate(1, { results: [aVerdict()], llmLatency: 1.5, llmModel: "qwen-vl-plus" });
  expect(differences(seedMerged(detection, update), mergedSample)).toEqual([]);
});

test("an assessment that failed is null and says so, never none", () => {
  const update = aRiskUpdate(1, { results: [aVerdict({ status: "expired", riskLevel: null, verdict: null, confidence: null })] });
  const { allGroupResults } = seedMerged(null, update).riskAssessment;
  expect(allGroupResults).toMatchObject([{ status: "expired", riskLevel: null }]);
});

test("without the frame the verdicts stand alone, with the monitor's warning", () => {
  expect(seedMerged(null, aRiskUpdate(1))).toMatchObject({
    cameraId: 1,
    timestamp: new Date(1_700_000_000_000).toISOString(),
    riskAssessment: { resultCount: 1, warning: "Detection data not found, showing partial results" },
    maxRiskLevel: "high",
    llmLatency: null,
    llmModel: null,
  });
});
