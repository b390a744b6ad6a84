import { describe, expect, test } from "bun:test";
import {
  cameraOf,
  createModel,
  frameAgeMs,
  isShown,
  levelOfCamera,
  measuredFps,
  noteDetection,
  noteRisk,
  noteSnapshot,
  totalsOf,
} from "../../../../edge/dashboard/model.ts";
import type { LiveDetection } from "../../../../protocols/detection.ts";
import type { RiskUpdate } from "../../../../protocols/verdict.ts";
import { aDetection, aGroup, aRiskUpdate, aVerdict } from "../../../support/edge.ts";

const nowMs = 1_700_000_100_000;
/** As the dashboard gets it. */
const seen = (fields: Partial<LiveDetection> = {}) => {
  const { frame: _, ...detection } = aDetection(1, fields);
  return detection;
};
const updateOf = (fields: Partial<RiskUpdate> = {}) => ({ ...aRiskUpdate(1, fields), cursor: "1.1" });

const setUp = () => {
  const model = createModel();
  model.linked = true;
  const camera = cameraOf(model, 1, "plaza");
  camera.state = "online";
  noteDetection(camera, seen({ capturedAt: nowMs - 80, detectionLatency: 0.08 }), nowMs);
  return { model, camera };
};

describe("the level of a camera", () => {
  test("is the worst of its groups, by rules", () => {
    const { model, camera } = setUp();
    expect(levelOfCamera(model, camera, nowMs)).toBe("medium");
  });

  test.each([
    ["a confirmed verdict raises it", aVerdict("t", { riskLevel: "high", verdict: "confirmed" }), "high"],
    ["a rejected verdict lowers it", aVerdict("t", { riskLevel: "none", verdict: "rejected" }), "none"],
    ["an uncertain verdict leaves it to the rules", aVerdict("t", { riskLevel: "high", verdict: "uncertain" }), "medium"],
    ["a failed assessment leaves it to the rules", aVerdict("t", { status: "error", riskLevel: null, verdict: null }), "medium"],
    ["a verdict on another group says nothing", aVerdict("t", { riskLevel: "high", groupKey: "g9" }), "medium"],
  ])("%s", (_what, verdict, level) => {
    const { model, camera } = setUp();
    noteRisk(model, updateOf({ results: [verdict] }), nowMs);
    expect(levelOfCamera(model, camera, nowMs)).toBe(level as never);
    expect(levelOfCamera(model, camera, nowMs + 11_000)).toBe("medium");
  });

  test("is unknown when the camera or the server is not heard", () => {
    const { model, camera } = setUp();
    expect(levelOfCamera(model, camera, nowMs + 26_000)).toBe("unknown");
    model.linked = false;
    expect(levelOfCamera(model, camera, nowMs)).toBe("unknown");
    model.linked = true;
    camera.state = "stale";
    expect(levelOfCamera(model, camera, nowMs)).toBe("unknown");
  });
});

describe("the feed", () => {
  test("is newest first, and a later revision replaces the earlier one", () => {
    const { model } = setUp();
    const first = updateOf({ capturedAt: nowMs - 2_000, final: false });
    noteRisk(model, first, nowMs);
    noteRisk(model, updateOf({ capturedAt: nowMs - 1_000 }), nowMs);
    expect(noteRisk(model, { ...first, revision: 2, final: true }, nowMs)).toBe(true);
    expect(noteRisk(model, first, nowMs)).toBe(false);
    expect(model.feed.map(({ update }) => [update.capturedAt - nowMs, update.revision])).toEqual([
      [-1_000, 1],
      [-2_000, 2],
    ]);
  });

  test.each([
    ["a failed assessment", [aVerdict("a", { status: "error", riskLevel: null })], "unknown"],
    [
      "an expired one beside a harmless one",
      [aVerdict("a", { status: "expired", riskLevel: null }), aVerdict("b", { riskLevel: "none" })],
      "unknown",
    ],
    ["a failed one beside a dangerous one", [aVerdict("a", { status: "parse_error", riskLevel: null }), aVerdict("b")], "high"],
    ["a harmless one", [aVerdict("a", { riskLevel: "none", verdict: "rejected" })], "none"],
  ])("%s is shown as %s: %s", (_what, results, level) => {
    const { model } = setUp();
    noteRisk(model, updateOf({ results }), nowMs);
    expect(model.feed[0]?.level).toBe(level as never);
  });

  test("what is unknown passes every filter", () => {
    const { model } = setUp();
    noteRisk(model, updateOf({ results: [aVerdict("a", { status: "error", riskLevel: null })] }), nowMs);
    noteRisk(model, updateOf({ results: [aVerdict("b", { riskLevel: "low" })], capturedAt: 1 }), nowMs);
    expect(model.feed.filter((entry) => isShown(entry, "high"))).toHaveLength(1);
  });

  test("keeps the newest two hundred", () => {
    const { model } = setUp();
    for (let count = 0; count < 300; count++) noteRisk(model, updateOf({ capturedAt: count }), nowMs);
    expect([model.feed.length, model.feed[0]?.update.capturedAt, model.feed.at(-1)?.update.capturedAt]).toEqual([200, 299, 100]);
  });
});

test("a frame's age counts from its capture, by the server's measure and then by this browser's", () => {
  const { camera } = setUp();
  expect(frameAgeMs(camera, nowMs + 500)).toBe(580);
});

test("the rate is measured by the distance of frames and falls when they stop", () => {
  const { camera } = setUp();
  for (let frame = 1; frame <= 20; frame++) noteDetection(camera, seen(), nowMs + frame * 500);
  expect(measuredFps(camera, nowMs + 10_000)).toBeCloseTo(2, 5);
  expect(measuredFps(camera, nowMs + 15_000)).toBeLessThan(1.5);
  expect(measuredFps(camera, nowMs + 30_000)).toBe(0);
});

test("a result from before the page was opened does not cover a newer one", () => {
  const { model, camera } = setUp();
  const before = camera.detection;
  noteSnapshot(model, seen({ trafficGroups: [aGroup(1, { riskLevel: "high" })] }));
  expect(camera.detection).toBe(before);
});

test("totals count what is heard; without the server nobody knows who is online", () => {
  const { model } = setUp();
  cameraOf(model, 2, "gate");
  noteRisk(model, updateOf({ capturedAt: nowMs - 1_000 }), nowMs);
  noteRisk(model, updateOf({ capturedAt: nowMs - 400_000 }), nowMs);
  expect(totalsOf(model, nowMs)).toMatchObject({ online: 1, cameras: 2, high: 1 });
  model.linked = false;
  expect(totalsOf(model, nowMs).online).toBeNull();
});
