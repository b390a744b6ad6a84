import { describe, expect, test } from "bun:test";
import type { DetectorPool } from "../../../actors/detector/pool.ts";
import type { DetectorRun } from "../../../actors/detector/watched-worker.ts";
import { type DetectorReceives, detector } from "../../../actors/detector.ts";
import type { FrameCaptured, FrameDetected } from "../../../protocols/frame.ts";
import { addressOf } from "../../../runtime/actor.ts";
import { Fault } from "../../../runtime/errors.ts";
import { createFramePool, type Lease } from "../../../runtime/frame-pool.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { fakeContext } from "../../support/context.ts";

const aFrame = (cameraId: number, seq: number, more: Partial<FrameCaptured> = {}): FrameCaptured => ({
  type: "frame.captured",
  cameraId,
  ownerEpoch: 0,
  seq,
  segment: 0,
  capturedAt: 1_700_000_000_000,
  mediaTimeMs: seq * 500,
  imageWidth: 768,
  imageHeight: 576,
  ...more,
});
const person = { class: "person", confidence: 0.9, bbox: [1, 2, 30, 40] as [number, number, number, number] };

/** A pool whose runs end when the test says so. */
const fakePool = (size: number) => {
  const runs: { readonly lease: Lease; readonly geometry: unknown; readonly end: PromiseWithResolvers<DetectorRun> }[] = [];
  let lost = 0;
  const pool: DetectorPool = {
    run(lease, geometry) {
      const end = Promise.withResolvers<DetectorRun>();
      runs.push({ lease, geometry, end });
      return end.promise;
    },
    free: () => size - lost - runs.length,
    status: () => expect.unreachable("nobody asks"),
    close: async () => {},
  };
  return {
    pool,
    runs,
    lose: (count: number) => {
      lost = count;
    },
  };
};

const setUp = (workers: number | null = 1) => {
  const frames = createFramePool({ slots: 8, pictureBytes: 0, inputBytes: 12, inputSize: 2 });
  const metrics = createMetrics();
  const fake = workers === null ? null : fakePool(workers);
  const args = {
    pool: fake?.pool ?? null,
    lanes: addressOf<FrameDetected>("vedette/lanes"),
    metrics,
    modelType: "yolox_nano",
    allowedClasses: ["person", "car"],
  };
  const context = { lease: null as Lease | null };
  const ctx = fakeContext<DetectorReceives>({ frames });
  Object.defineProperty(ctx, "lease", { get: () => context.lease });
  const ask = ctx.asked;
  // What the runtime does: a told lease is held at once, and the message's own hold ends with the turn.
  const tell = ctx.tell;
  Object.assign(ctx, {
    tell: (to: never, message: never, lease?: Lease) => {
      if (lease) frames.retain(lease);
      tell(to, message, lease);
    },
  });
  const state = detector.start(args, ctx, undefined);

  const acquire = (): Lease => {
    const lease = frames.acquire() ?? expect.unreachable("no slot is free");
    frames.setHeader(lease, { pictureWidth: 2, pictureHeight: 2, inputScale: 0.5 });
    return lease;
  };
  /** A turn with a frame; gives its lease, if it has one. */
  const frame = (message: FrameCaptured, lease: Lease | null = acquire()): Lease | null => {
    context.lease = lease;
    detector.on["frame.captured"](state, message, ctx);
    context.lease = null;
    if (lease) frames.release(lease);
    startPipes();
    return lease;
  };
  let started = 0;
  const outcomes: Promise<DetectorReceives>[] = [];
  const startPipes = () => {
    for (; started < ask.pipes.length; started++) {
      const pipe = ask.pipes[started];
      if (!pipe) break;
      const outcome = pipe.start(new AbortController().signal).then(
        (value) => pipe.done(value as never) as DetectorReceives, // the pipe of this actor speaks its messages
        (reason) => pipe.failed(reason) as DetectorReceives,
      );
      outcomes.push(outcome);
    }
  };
  /** Ends the run of this number and takes the turn of its outcome. */
  const end = async (index: number, result: DetectorRun | Error) => {
    const run = fake?.runs[index] ?? expect.unreachable(`run ${index} was not started`);
    if (result instanceof Error) run.end.reject(result);
    else run.end.resolve(result);
    const outcome = await outcomes[index];
    fake?.runs.splice(index, 1);
    outcomes.splice(index, 1);
    if (outcome?.type === "run.detected") detector.on["run.detected"](state, outcome, ctx);
    else if (outcome?.type === "run.failed") detector.on["run.failed"](state, outcome, ctx);
    startPipes();
  };
  const told = () => ask.tells.map(({ message }) => message as FrameDetected); // it tells nothing else
  const drops = async () =>
    Object.fromEntries((await metrics.dropped.get()).values.map(({ labels, value }) => [labels.reason, value]));
  return { state, ctx, ask, frames, metrics, fake, frame, end, told, drops };
};

describe("a frame", () => {
  test("goes to a worker, and what was seen goes to its camera's lane with the lease", async () => {
    const { ctx, ask, frames, fake, frame, end, told } = setUp();
    const lease = frame(aFrame(7, 1));
    expect(fake?.runs[0]).toMatchObject({ lease, geometry: { inputScale: 0.5, imageWidth: 768, imageHeight: 576 } });
    ctx.timeMs += 40;
    await end(0, { detections: [person], inferenceMs: 15 });
    expect(told()).toEqual([
      {
        ...aFrame(7, 1),
        type: "frame.detected",
        detections: [person],
        detectionLatency: 0.04,
        modelType: "yolox_nano",
      },
    ]);
    expect(ask.tells[0]).toMatchObject({ path: "vedette/lanes", lease });
    // The lane's hold is the only one left.
    if (lease) frames.release(lease);
    expect(frames.stats().held).toBe(0);
  });

  test("with ground truth goes on at once, without a worker, as the classes allow", () => {
    const { ask, fake, frame, told } = setUp();
    frame(aFrame(7, 1, { truth: [person, { ...person, class: "kite" }] }), null);
    expect(told()).toMatchObject([{ type: "frame.detected", modelType: "sim", detections: [person] }]);
    expect(told()[0]).not.toHaveProperty("truth");
    expect(ask.tells[0]).not.toHaveProperty("lease");
    expect(fake?.runs).toEqual([]);
  });

  test("without a model is let go, with one's ground truth it is not", async () => {
    const { frames, frame, told, drops } = setUp(null);
    frame(aFrame(7, 1));
    frame(aFrame(8, 1, { truth: [] }), null);
    expect(await drops()).toEqual({ no_model: 1 });
    expect(told().map(({ cameraId }) => cameraId)).toEqual([8]);
    expect(frames.stats().held).toBe(0);
  });

  test("that came without its pixels is let go", async () => {
    const { frame, drops, fake } = setUp();
    frame(aFrame(7, 1), null);
    frame(aFrame(7, 2), { slot: 0, generation: 99 });
    expect(await drops()).toEqual({ no_lease: 2 });
    expect(fake?.runs).toEqual([]);
  });
});

describe("one frame in flight per camera", () => {
  test("a newer one waits, the newest of them alone", async () => {
    const { frames, fake, frame, end, told, drops } = setUp(2);
    for (const seq of [1, 2, 3]) frame(aFrame(7, seq));
    expect(fake?.runs).toHaveLength(1);
    expect(frames.stats().held).toBe(2);
    expect(await drops()).toEqual({ superseded: 1 });
    await end(0, { detections: [], inferenceMs: 1 });
    expect(fake?.runs).toHaveLength(1);
    await end(0, { detections: [], inferenceMs: 1 });
    expect(told().map(({ seq }) => seq)).toEqual([1, 3]);
  });

  test("an older one is let go, of an older owner too", async () => {
    const { frame, drops } = setUp(2);
    frame(aFrame(7, 5, { ownerEpoch: 1 }));
    frame(aFrame(7, 5, { ownerEpoch: 1 }));
    frame(aFrame(7, 9, { ownerEpoch: 0 }));
    frame(aFrame(7, 8, { ownerEpoch: 1 }));
    frame(aFrame(7, 7, { ownerEpoch: 1 }));
    expect(await drops()).toEqual({ out_of_order: 3 });
  });

  test("a new owner counts from the beginning", async () => {
    const { frame, drops } = setUp(2);
    frame(aFrame(7, 500));
    frame(aFrame(7, 0, { ownerEpoch: 1 }));
    expect(await drops()).toEqual({});
  });

  test("waiting cameras take their turns; a newer frame keeps the camera's place", async () => {
    const { frame, end, fake, told } = setUp(1);
    frame(aFrame(1, 1));
    frame(aFrame(2, 1));
    frame(aFrame(3, 1));
    frame(aFrame(1, 2));
    frame(aFrame(2, 2));
    for (let turn = 0; turn < 4; turn++) await end(0, { detections: [], inferenceMs: 1 });
    expect(told().map(({ cameraId, seq }) => `${cameraId}/${seq}`)).toEqual(["1/1", "2/2", "3/1", "1/2"]);
    expect(fake?.runs).toEqual([]);
  });
});

describe("workers", () => {
  test("the mailbox is read only while one is free", () => {
    const { state, frame, fake } = setUp(1);
    expect(detector.ready?.(state)).toBe(true);
    frame(aFrame(1, 1));
    expect(detector.ready?.(state)).toBe(false);
    fake?.runs.splice(0);
    expect(detector.ready?.(state)).toBe(true);
    expect(detector.ready?.(setUp(null).state)).toBe(true);
  });

  test("a run that fails is counted by its code, and gives the frame back", async () => {
    const { frames, frame, end, told, drops } = setUp(1);
    frame(aFrame(1, 1));
    await end(0, new Fault("unavailable", "the detector did not answer"));
    frame(aFrame(1, 2));
    await end(0, new Error("odd"));
    expect(await drops()).toEqual({ run_unavailable: 1, run_internal: 1 });
    expect(told()).toEqual([]);
    expect(frames.stats().held).toBe(0);
  });

  test("with none left and nothing under way, it looks again after a while", async () => {
    const { state, ctx, ask, frame, end, fake } = setUp(1);
    frame(aFrame(1, 1));
    frame(aFrame(2, 1));
    fake?.lose(1);
    await end(0, new Fault("unavailable", "the thread ended"));
    expect(fake?.runs).toEqual([]);
    expect(ask.timers.get("look-again")).toEqual({ delayMs: 100, message: { type: "look-again" } });
    fake?.lose(0);
    detector.on["look-again"](state, { type: "look-again" }, ctx);
    expect(ask.pipes).toHaveLength(2);
  });
});

test("what an incarnation holds is given back when it ends", () => {
  const { state, frames, frame } = setUp(1);
  frame(aFrame(1, 1));
  frame(aFrame(1, 2));
  frame(aFrame(2, 1));
  expect(frames.stats().held).toBe(3);
  detector.release?.(state);
  expect(frames.stats().held).toBe(0);
});

test("frames, objects and inference times are counted by camera", async () => {
  const { metrics, frame, end } = setUp(1);
  frame(aFrame(7, 1));
  await end(0, { detections: [person, person, { ...person, class: "car" }], inferenceMs: 15 });
  frame(aFrame(8, 1, { truth: [person] }), null);
  type Counted = { get: () => Promise<{ values: { labels: object; value: number }[] }> };
  const values = async (metric: Counted): Promise<object[]> =>
    (await metric.get()).values.map(({ labels, value }) => ({ ...labels, value }));
  expect(await values(metrics.detections)).toEqual([
    { camera_id: "7", model_type: "yolox_nano", value: 1 },
    { camera_id: "8", model_type: "sim", value: 1 },
  ]);
  expect(await values(metrics.detectedObjects)).toEqual([
    { camera_id: "7", class_name: "person", value: 2 },
    { camera_id: "7", class_name: "car", value: 1 },
    { camera_id: "8", class_name: "person", value: 1 },
  ]);
  expect(await metrics.registry.getSingleMetricAsString("detection_latency_seconds")).toContain(
    'detection_latency_seconds_bucket{le="0.02",camera_id="7",model_type="yolox_nano"} 1',
  );
});
