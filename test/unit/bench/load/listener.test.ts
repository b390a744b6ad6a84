import { expect, test } from "bun:test";
import { createListener } from "../../../../bench/load/listener.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const beginMs = 1_700_000_000_000;

const detection = (cameraId: number, capturedAt: number, detectionLatency = 0.01): string =>
  JSON.stringify({
    type: "detection_result",
    data: { messageId: "m", cameraId, capturedAt, detectedObjects: [], detectionLatency, modelType: "sim" },
  });

const update = (messageId: string, revision: number, taskIds: readonly string[], final: boolean, capturedAt = beginMs): string =>
  JSON.stringify({
    type: "risk_update",
    data: {
      ...{ id: `${messageId}@${revision}`, messageId, cameraId: 1, capturedAt, revision, final },
      results: taskIds.map((taskId) => ({ taskId, status: "ok", riskLevel: "low" })),
    },
  });

const listen = async (watched = 2) => {
  const clock = virtualClock();
  const now = { ms: beginMs };
  const listener = createListener({ ...clock, nowMs: () => now.ms }, 500, watched);
  listener.begin(beginMs);
  return { listener, now };
};

test("each delivery has its age, each frame counts once, and a camera that is not heard of has no rate", async () => {
  const { listener, now } = await listen(3);
  const [one, other] = [listener.client(), listener.client()];
  for (const [at, ageMs] of [
    [0, 40],
    [500, 60],
    [1_000, 700],
  ] as const) {
    now.ms = beginMs + at + ageMs;
    one(detection(1, beginMs + at));
    other(detection(1, beginMs + at));
  }
  one(detection(2, beginMs - 500)); // before the window
  const { figures, frames, late, deliveries } = listener.heard();
  expect([frames, late, deliveries]).toEqual([3, 1, 7]);
  expect(figures["detection.e2e"]).toMatchObject({ samples: 6, median: 60, max: 700 });
  expect(figures["stage.detect"]).toMatchObject({ median: 10 });
  expect(figures["fps.achieved"]).toMatchObject({ samples: 3, max: 2, median: 0 });
});

test("a frame whose capture was held up is late by that as well", async () => {
  const { listener, now } = await listen();
  const client = listener.client();
  for (const [at, ageMs] of [
    [0, 10],
    [500, 10],
    [1_300, 250], // 300 ms behind its slot
    [1_500, 10],
  ] as const) {
    now.ms = beginMs + at + ageMs;
    client(detection(1, beginMs + at));
  }
  expect(listener.heard().late).toBe(1);
});

test("a task's verdict is as old as when it was first told; later revisions tell of the other tasks", async () => {
  const { listener, now } = await listen();
  const [one, other] = [listener.client(), listener.client()];
  now.ms = beginMs + 1_000;
  for (const client of [one, other]) client(update("a", 1, ["a1"], false));
  now.ms = beginMs + 1_800;
  for (const client of [one, other]) client(update("a", 2, ["a1", "a2"], true));
  one(update("b", 1, ["b1"], true, beginMs - 1)); // of before the window
  const { figures, verdicts, updates } = listener.heard();
  expect(figures["verdict.e2e"]).toMatchObject({ samples: 4, min: 1_000, max: 1_800, mean: 1_400 });
  expect(verdicts).toBe(2);
  expect(updates).toEqual([
    ["a@1", beginMs + 1_000],
    ["a@2", beginMs + 1_800],
  ]);
});
