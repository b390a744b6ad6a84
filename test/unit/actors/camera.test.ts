import { describe, expect, test } from "bun:test";
import type { SourceEvents } from "../../../actors/camera/source.ts";
import { type CameraArgs, type CameraReceives, camera } from "../../../actors/camera.ts";
import type { CameraState, CameraStatus } from "../../../protocols/camera.ts";
import type { FrameCaptured } from "../../../protocols/frame.ts";
import { addressOf } from "../../../runtime/actor.ts";
import { createFramePool } from "../../../runtime/frame-pool.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { fakeContext } from "../../support/context.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const start = () => {
  const metrics = createMetrics();
  const frames = createFramePool({ slots: 2, pictureBytes: 12, inputBytes: 12, inputSize: 2 });
  const lease = { slot: 1, generation: 4 };
  const context = fakeContext<CameraReceives>({ frames, lease });
  let events: SourceEvents | null = null;
  let closed = 0;
  const args: CameraArgs = {
    settings: { id: 0, name: "gate", url: "rtsp://cam/1", fps: 2, loop: false, enabled: true },
    ownerEpoch: 3,
    open: (_settings, _ports, given) => {
      events = given;
      return { close: async () => void closed++ };
    },
    detector: addressOf<FrameCaptured>("detector"),
    live: addressOf<CameraStatus>("edge/live"),
    metrics,
    clock: virtualClock(),
  };
  let state = camera.start(args, context, undefined);
  return {
    context,
    lease,
    frames,
    /** What the source would call; assigned when the actor opened it. */
    source: events as SourceEvents | null,
    frame: (atMs: number, truth?: FrameCaptured["truth"]) => {
      context.timeMs = atMs;
      const frame = { capturedAt: atMs, mediaTimeMs: 40, segment: 1, imageWidth: 640, imageHeight: 360 };
      state = camera.on["source.frame"](state, { type: "source.frame", ...frame, ...(truth ? { truth } : {}) }, context);
    },
    turns: (health: CameraState, reason = "why", latencyMs?: number) => {
      const message = { type: "source.state" as const, state: health, reason, ...(latencyMs === undefined ? {} : { latencyMs }) };
      state = camera.on["source.state"](state, message, context);
    },
    release: () => camera.release?.(state),
    closed: () => closed,
    metric: async (name: "activeCameras" | "cameraFps" | "cameraFrames" | "dropped") =>
      (await metrics[name].get()).values.map(({ value, labels }) => ({ value, ...labels })),
  };
};

describe("frames", () => {
  test("go to the detector numbered, with owner, camera and lease", () => {
    const { frame, context, lease } = start();
    frame(1000);
    frame(1500);
    const expected = (seq: number, capturedAt: number) => ({
      path: "detector",
      lease,
      message: {
        type: "frame.captured",
        cameraId: 0,
        ownerEpoch: 3,
        seq,
        segment: 1,
        capturedAt,
        mediaTimeMs: 40,
        imageWidth: 640,
        imageHeight: 360,
      },
    });
    expect<unknown>(context.asked.tells).toEqual([expected(0, 1000), expected(1, 1500)]);
  });

  test("of a simulated camera carry their ground truth", () => {
    const { frame, context } = start();
    frame(0, [{ class: "car", confidence: 1, bbox: [0, 0, 9, 9] }]);
    expect(context.asked.tells[0]?.message).toMatchObject({ truth: [{ class: "car", confidence: 1, bbox: [0, 0, 9, 9] }] });
  });

  test("are counted, and their real rate is known", async () => {
    const { frame, metric } = start();
    for (let atMs = 0; atMs <= 4000; atMs += 500) frame(atMs);
    expect(await metric("cameraFrames")).toEqual([{ camera_id: "0", value: 9 }]);
    expect(await metric("cameraFps")).toEqual([{ camera_id: "0", value: 2 }]);
  });
});

describe("the source's events", () => {
  test("become messages to the actor itself", () => {
    const { source, context, lease } = start();
    source?.frame({ capturedAt: 1, mediaTimeMs: 2, segment: 0, imageWidth: 3, imageHeight: 4 }, lease);
    source?.state("offline", "gone");
    source?.state("online", "back", 12);
    expect<unknown>(context.asked.delivered).toEqual([
      { message: { type: "source.frame", capturedAt: 1, mediaTimeMs: 2, segment: 0, imageWidth: 3, imageHeight: 4 }, lease },
      { message: { type: "source.state", state: "offline", reason: "gone" } },
      { message: { type: "source.state", state: "online", reason: "back", latencyMs: 12 } },
    ]);
  });

  test("dropped frames are counted by reason", async () => {
    const { source, metric } = start();
    source?.dropped("no_slot");
    source?.dropped("no_slot");
    source?.dropped("undecodable");
    expect(await metric("dropped")).toEqual([
      { actor: "camera", type: "frame", reason: "no_slot", value: 2 },
      { actor: "camera", type: "frame", reason: "undecodable", value: 1 },
    ]);
  });
});

describe("states", () => {
  test.each<[CameraState, 0 | 1, string]>([
    ["connecting", 0, "Connecting: why"],
    ["online", 1, "Online"],
    ["stale", 0, "Stale: why"],
    ["frozen", 0, "Frozen: why"],
    ["offline", 0, "Offline: why"],
    ["failed", 0, "Refused: why"],
  ])("%s is told with status %d", (health, status, message) => {
    const { turns, context } = start();
    turns(health, "why", 40);
    expect<unknown>(context.asked.tells).toEqual([
      { path: "edge/live", message: { type: "camera_status", cameraId: 0, status, message, state: health, latencyMs: 40 } },
    ]);
  });

  test("a camera counts as active while it is online, and no longer after its release", async () => {
    const { turns, metric, release, closed } = start();
    const active = async () => (await metric("activeCameras"))[0]?.value;
    turns("online");
    turns("online");
    expect(await active()).toBe(1);
    turns("stale");
    expect(await active()).toBe(0);
    turns("online");
    await release();
    expect([await active(), closed()]).toEqual([0, 1]);
    expect(await metric("cameraFps")).toEqual([]);
  });

  test("the rate starts anew after a pause", async () => {
    const { frame, turns, metric } = start();
    frame(0);
    frame(500);
    turns("offline");
    expect((await metric("cameraFps"))[0]?.value).toBe(0);
    frame(60_000);
    frame(60_500);
    expect((await metric("cameraFps"))[0]?.value).toBe(2);
  });
});
