import { describe, expect, test } from "bun:test";
import type { EncodeCrop } from "../../../actors/clusterer/evidence.ts";
import { type ClustererArgs, clusterer } from "../../../actors/clusterer.ts";
import { DetectionResult, LiveDetection } from "../../../protocols/detection.ts";
import type { FrameTracked, TrackedObject } from "../../../protocols/frame.ts";
import { addressOf } from "../../../runtime/actor.ts";
import type { FramePool } from "../../../runtime/frame-pool.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { fakeContext } from "../../support/context.ts";

const lease = { slot: 2, generation: 9 };

const frames = (isCurrent = true, brightness = (_pixel: number) => 0): FramePool =>
  // Only what the clusterer asks of a pool.
  ({
    isCurrent: () => isCurrent,
    header: () => ({ pictureWidth: 640, pictureHeight: 360, inputScale: 0.325 }),
    picture: () => new Uint8Array(640 * 360 * 3).map((_, at) => brightness(Math.floor(at / 3))),
  }) as unknown as FramePool;

const tracked = (trackId: number, x: number, className = "car", fields: Partial<TrackedObject> = {}): TrackedObject => ({
  class: className,
  confidence: 0.8,
  bbox: [x, 300, x + 60, 340],
  trackId,
  ageMs: 1000,
  ...fields,
});

const frame = (seq: number, objects: TrackedObject[], fields: Partial<FrameTracked> = {}): FrameTracked => ({
  type: "frame.tracked",
  cameraId: 7,
  ownerEpoch: 3,
  seq,
  segment: 0,
  capturedAt: 1_700_000_000_000 + seq * 500,
  mediaTimeMs: seq * 500,
  imageWidth: 1280,
  imageHeight: 720,
  objects,
  detectionLatency: 0.04,
  modelType: "yolox-nano",
  ...fields,
});

const lane = (args: Partial<ClustererArgs> = {}, pool: FramePool = frames()) => {
  const crops: Parameters<EncodeCrop>[] = [];
  const encodeCrop: EncodeCrop = (...call) => {
    crops.push(call);
    return new Uint8Array(1000);
  };
  const metrics = createMetrics();
  const given: ClustererArgs = { live: addressOf<LiveDetection>("edge/live"), metrics, encodeCrop, ...args };
  const context = fakeContext<FrameTracked>({ key: "7", lease, frames: pool });
  let state = clusterer.start(given, context, undefined);
  return {
    crops,
    metrics,
    context,
    hear: (message: FrameTracked) => {
      state = clusterer.on["frame.tracked"](state, message, context);
    },
    records: () => context.asked.emits as DetectionResult[],
    shown: () => context.asked.tells.map(({ message }) => message) as LiveDetection[],
  };
};

const counts = async (metric: { get: () => Promise<{ values: { labels: object; value: number }[] }> }) =>
  (await metric.get()).values.map(({ labels, value }) => [...Object.values(labels), value].join(" "));

describe("what is told of a frame", () => {
  test("viewers and the topic hear the same, and both messages are as their schemas say", () => {
    const { hear, context, records, shown } = lane();
    hear(frame(1, [tracked(1, 100, "car", { velocity: [30, 40] }), tracked(2, 200, "person"), tracked(3, 900)]));
    expect(context.asked.tells.map(({ path, lease: passed }) => [path, passed])).toEqual([["edge/live", lease]]);
    const [record] = records();
    const [live] = shown();
    if (!record || !live) throw new Error("a frame must be told");
    expect(DetectionResult.schema.parse(record)).toBeDefined();
    expect(LiveDetection.schema.parse(live)).toBeDefined();
    const { groupImages, type: _type, schemaVersion, traceId, ownerEpoch, seq, ...common } = record;
    const { type: _live, ...liveFields } = live;
    expect(liveFields).toEqual(common);
    expect([schemaVersion, traceId, ownerEpoch, seq]).toEqual([1, context.trace, 3, 1]);
    expect(groupImages).toHaveLength(1);
    expect(record.messageId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(record.timestamp).toBe("2023-11-14T22:13:20.500Z");
    expect(record.detectedObjects.map(({ trackId, speed }) => [trackId, speed])).toEqual([
      [1, 50],
      [2, undefined],
      [3, undefined],
    ]);
    expect(record.trafficGroups.map(({ groupIndex, memberTrackIds, classes }) => [groupIndex, memberTrackIds, classes])).toEqual([
      [1, [1, 2], ["car", "person"]],
    ]);
    expect([record.hasDangerousDriving, record.maxRiskLevel]).toEqual([false, "none"]);
  });

  test("a frame without anything is told as well", () => {
    const { hear, records, shown } = lane();
    hear(frame(1, []));
    expect(records()[0]).toMatchObject({ detectedObjects: [], trafficGroups: [], groupImages: [], maxRiskLevel: "none" });
    expect(shown()).toHaveLength(1);
  });

  test("camera 0 is a camera", () => {
    const { hear, records } = lane();
    hear(frame(1, [], { cameraId: 0 }));
    expect(records()[0]?.cameraId).toBe(0);
  });

  test("counts groups; frames and objects are the detector's to count", async () => {
    const { hear, metrics } = lane();
    hear(frame(1, [tracked(1, 100), tracked(2, 200), tracked(3, 900, "person")]));
    hear(frame(2, [tracked(1, 100), tracked(2, 200)]));
    expect(await counts(metrics.detections)).toEqual([]);
    expect(await counts(metrics.detectedObjects)).toEqual([]);
    expect(await counts(metrics.trafficGroups)).toEqual(["7 2"]);
  });
});

describe("groups over time", () => {
  const keys = (records: readonly DetectionResult[]) =>
    records.map(({ trafficGroups }) => trafficGroups.map(({ groupKey }) => groupKey));

  test("a group keeps its key when the order changes", () => {
    const { hear, records } = lane();
    hear(frame(1, [tracked(1, 100), tracked(2, 200), tracked(3, 900), tracked(4, 1000)]));
    hear(frame(2, [tracked(3, 900), tracked(4, 1000), tracked(1, 100), tracked(2, 200)]));
    const [first, second] = keys(records());
    expect(new Set(first).size).toBe(2);
    expect(second).toEqual(first?.toReversed());
  });

  test("track ids of another segment, or of another run, make other keys", () => {
    const pair = [tracked(1, 100), tracked(2, 200)];
    const { hear, records } = lane();
    hear(frame(1, pair));
    hear(frame(2, pair, { segment: 1 }));
    const restarted = lane();
    restarted.hear(frame(3, pair));
    expect(new Set([...keys(records()).flat(), ...keys(restarted.records()).flat()]).size).toBe(3);
  });

  test("the same frames give the same records", () => {
    const run = () => {
      const { hear, records } = lane();
      for (let seq = 1; seq < 4; seq++) hear(frame(seq, [tracked(1, 100 + seq), tracked(2, 200)]));
      return records();
    };
    expect(run()).toEqual(run());
  });
});

describe("regions of interest", () => {
  const leftHalf = [
    [
      [0, 0],
      [0.5, 0],
      [0.5, 1],
      [0, 1],
    ],
  ] as const;

  test("objects whose centre is outside are left out, and indices count those that are told", () => {
    const { hear, records } = lane({ roi: () => leftHalf });
    hear(frame(1, [tracked(9, 640), tracked(1, 500), tracked(2, 560)]));
    const [record] = records();
    expect(record?.detectedObjects.map(({ trackId }) => trackId)).toEqual([1, 2]);
    expect(record?.trafficGroups.map(({ memberIndices }) => memberIndices)).toEqual([[0, 1]]);
  });

  test("an edited region holds from the next frame on", () => {
    let regions: readonly (readonly (readonly [number, number])[])[] = leftHalf;
    const { hear, records } = lane({ roi: () => regions });
    hear(frame(1, [tracked(9, 700)]));
    regions = [];
    hear(frame(2, [tracked(9, 700)]));
    expect(records().map(({ detectedObjects }) => detectedObjects.length)).toEqual([0, 1]);
  });
});

describe("evidence", () => {
  const two = [tracked(1, 100), tracked(2, 200)];

  test("is cut in the slot's picture for groups worth a verdict", () => {
    const { hear, crops, records } = lane();
    hear(frame(1, [...two, tracked(3, 800, "person"), tracked(4, 850, "person")]));
    expect(crops.map(([, width, height, box, margin, limits]) => [width, height, box, margin, limits])).toEqual([
      [640, 360, [50, 150, 130, 170], 6, { quality: 90, maxBytes: 65_536 }],
    ]);
    expect(records()[0]?.groupImages.map(({ groupIndex, objectCount, classes }) => [groupIndex, objectCount, classes])).toEqual([
      [1, 2, ["car"]],
    ]);
    expect(records()[0]).not.toHaveProperty("imagesOmitted");
  });

  test("is asked for as the arguments say", () => {
    const { hear, crops } = lane({ evidence: { marginPx: 20, quality: 70, imageMaxBytes: 2000 } });
    hear(frame(1, two));
    expect(crops.map(([, , , , margin, limits]) => [margin, limits])).toEqual([[10, { quality: 70, maxBytes: 2000 }]]);
  });

  test("is left out, said and counted when the slot was taken away", async () => {
    const { hear, crops, records, metrics } = lane({}, frames(false));
    hear(frame(1, two));
    expect(crops).toEqual([]);
    expect(records()[0]).toMatchObject({ groupImages: [], imagesOmitted: 1 });
    expect(await counts(metrics.dropped)).toEqual(["clusterer evidence no_picture 1"]);
  });

  test("is left out, said and counted when it is too large", async () => {
    const { hear, records, metrics } = lane({ encodeCrop: () => null });
    hear(frame(1, two));
    expect(records()[0]).toMatchObject({ groupImages: [], imagesOmitted: 1 });
    expect(await counts(metrics.dropped)).toEqual(["clusterer evidence too_large 1"]);
  });

  test("is cut once in a cooldown, again after it, and at once for what got worse", () => {
    const pictures = (cooldownMs: number) => {
      const { hear, records } = lane({ candidates: { cooldownMs, changeLeast: 0 } });
      for (let seq = 1; seq <= 8; seq++) hear(frame(seq, two));
      return records().map(({ groupImages }) => groupImages.length);
    };
    expect(pictures(0)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    expect(pictures(2_000)).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
  });

  test("is not cut for what looks as it did, until the refresh is over", () => {
    const { hear, records } = lane({ candidates: { cooldownMs: 500, refreshMs: 3_000 } });
    for (let seq = 1; seq <= 8; seq++) hear(frame(seq, two));
    expect(records().map(({ groupImages }) => groupImages.length)).toEqual([1, 0, 0, 0, 0, 0, 1, 0]);
  });

  test("comes with its hash, when there is something to see", () => {
    const hashes = [frames(), frames(true, (at) => (at % 640 < 90 ? 200 : 20))].map((pool) => {
      const { hear, records } = lane({}, pool);
      hear(frame(1, two));
      return records()[0]?.groupImages[0]?.hash;
    });
    expect(hashes).toEqual([undefined, expect.stringMatching(/^[0-9a-f]{16}$/)]);
  });

  test("that could not be made is asked for again with the next frame", () => {
    let room = false;
    const { hear, records } = lane({ candidates: { cooldownMs: 2_000 }, encodeCrop: () => (room ? new Uint8Array(9) : null) });
    hear(frame(1, two));
    room = true;
    for (const seq of [2, 3]) hear(frame(seq, two));
    expect(records().map(({ groupImages }) => groupImages.length)).toEqual([0, 1, 0]);
  });

  test("a group too small for a task has none", () => {
    const { hear, crops, records } = lane({ candidates: { minMembers: 3 } });
    hear(frame(1, two));
    expect(crops).toEqual([]);
    expect(records()[0]).not.toHaveProperty("imagesOmitted");
  });
});
