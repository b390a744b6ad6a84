import { expect, test } from "bun:test";
import { type TrackerArgs, tracker } from "../../../actors/tracker.ts";
import type { FrameDetected, FrameTracked } from "../../../protocols/frame.ts";
import { addressOf } from "../../../runtime/actor.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { fakeContext } from "../../support/context.ts";

const frame = (seq: number, overrides: Partial<FrameDetected> = {}): FrameDetected => ({
  type: "frame.detected",
  cameraId: 7,
  ownerEpoch: 1,
  seq,
  segment: 0,
  capturedAt: 1_700_000_000_000 + seq * 500,
  mediaTimeMs: seq * 500,
  imageWidth: 1280,
  imageHeight: 720,
  detections: [{ class: "car", confidence: 0.9, bbox: [100, 100, 200, 150] }],
  detectionLatency: 0.02,
  modelType: "yolox-nano",
  ...overrides,
});

const lane = () => {
  const args: TrackerArgs = { clusterer: addressOf<FrameTracked>("lane/clusterer"), metrics: createMetrics() };
  const context = fakeContext<FrameDetected>({ key: "7", lease: { slot: 3, generation: 5 } });
  let state = tracker.start(args, context, undefined);
  return {
    context,
    hear: (message: FrameDetected) => {
      state = tracker.on["frame.detected"](state, message, context);
    },
    told: () => context.asked.tells.map(({ message }) => message) as FrameTracked[],
    dropped: async () =>
      (await args.metrics.dropped.get()).values.map(({ labels, value }) => `${labels.type} ${labels.reason} ${value}`),
  };
};

test("tells the clusterer what is tracked, with the frame's lease", () => {
  const { hear, context } = lane();
  hear(frame(0));
  const { detections: _, ...carried } = frame(0);
  expect(context.asked.tells).toEqual([
    {
      path: "lane/clusterer",
      message: {
        ...carried,
        type: "frame.tracked",
        objects: [{ class: "car", confidence: 0.9, bbox: [100, 100, 200, 150], trackId: 1, ageMs: 0 }],
      } as FrameTracked,
      lease: { slot: 3, generation: 5 },
    },
  ]);
});

test.each([
  ["an older frame is dropped and counted", frame(4), [], ["frame.detected out_of_order 1"]],
  ["the same frame again is dropped and counted", frame(5), [], ["frame.detected out_of_order 1"]],
  ["a frame of a former owner is dropped and counted", frame(9, { ownerEpoch: 0 }), [], ["frame.detected out_of_order 1"]],
  ["a later owner may count from 0", frame(0, { ownerEpoch: 2 }), [2], []],
  ["a restarted camera counts from 0", frame(0, { capturedAt: frame(5).capturedAt + 1 }), [2], []],
  ["so it does when the clock was set back", frame(0, { capturedAt: 1_600_000_000_000 }), [2], []],
  ["a gap in the sequence is no fault", frame(6), [1], []],
])("%s", async (_, message, expectedIds, expectedDrops) => {
  const { hear, told, dropped } = lane();
  hear(frame(5));
  hear(message);
  expect(
    told()
      .slice(1)
      .flatMap(({ objects }) => objects.map(({ trackId }) => trackId)),
  ).toEqual(expectedIds);
  expect(await dropped()).toEqual(expectedDrops);
});

test("counts detections that are not well formed", async () => {
  const { hear, dropped } = lane();
  hear(frame(0, { detections: [{ class: "car", confidence: 0.9, bbox: [5, 5, 5, 5] }] }));
  expect(await dropped()).toEqual(["detection malformed 1"]);
});

test("a restarted camera's segments do not pass for those that the clusterer knows", () => {
  const { hear, told } = lane();
  for (const segment of [0, 1]) hear(frame(segment, { segment }));
  const capturedAt = frame(9).capturedAt;
  for (const segment of [0, 1]) hear(frame(segment, { segment, capturedAt: capturedAt + segment }));
  hear(frame(0, { ownerEpoch: 2 }));
  expect(told().map(({ segment }) => segment)).toEqual([0, 1, 2, 3, 4]);
});
