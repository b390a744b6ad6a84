import { expect, test } from "bun:test";
import type { LiveHub } from "../../../edge/live/hub.ts";
import { type LiveArgs, type LiveReceives, live } from "../../../edge/live.ts";
import type { FramePool, Lease } from "../../../runtime/frame-pool.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { fakeContext } from "../../support/context.ts";
import { aDetection } from "../../support/edge.ts";

const lease: Lease = { slot: 3, generation: 9 };
const picture = Uint8Array.from({ length: 4 * 2 * 3 + 50 }, (_, index) => index);
const pool = (isCurrent: boolean): FramePool =>
  ({
    isCurrent: () => isCurrent,
    header: () => ({ pictureWidth: 4, pictureHeight: 2, inputScale: 1 }),
    picture: () => picture,
  }) as unknown as FramePool; // only what the actor reads

const setUp = () => {
  const told: unknown[] = [];
  const encoders: (((quality: number) => Uint8Array) | null)[] = [];
  const hub = {
    detection: (detection: unknown, encode: (typeof encoders)[number]) => {
      told.push(detection);
      encoders.push(encode);
    },
    status: (status: unknown) => void told.push(status),
  } as unknown as LiveHub; // only what the actor calls
  const noted: string[] = [];
  const args: LiveArgs = {
    hub,
    metrics: createMetrics(),
    encodeJpeg: (pixels, width, height, quality) => new Uint8Array([pixels.length, width, height, quality]),
    cameras: {
      noteFrame: (cameraId, capturedAt) => void noted.push(`frame ${cameraId} ${capturedAt}`),
      noteStatus: ({ cameraId, state }) => void noted.push(`${state} ${cameraId}`),
    },
  };
  return { args, told, encoders, noted };
};

test("a detection goes to the hub with an encoder of the frame in hand", async () => {
  const { args, told, encoders, noted } = setUp();
  const context = fakeContext<LiveReceives>({ lease, frames: pool(true) });
  const detection = aDetection(1, { capturedAt: context.nowMs() - 250 });
  live.on.detection_result(args, detection, context);
  expect([told, noted]).toEqual([[detection], [`frame 1 ${detection.capturedAt}`]]);
  expect(encoders[0]?.(75)).toEqual(new Uint8Array([24, 4, 2, 75])); // the picture without what lies behind it in the slot
  const { values } = await args.metrics.captureToDetection.get();
  expect(values.find(({ metricName }) => metricName?.endsWith("_sum"))?.value).toBeCloseTo(0.25);
});

test.each([
  ["no frame came with it", null, true],
  ["the slot is in other hands", lease, false],
])("there is no encoder when %s", (_what, held, isCurrent) => {
  const { args, encoders } = setUp();
  live.on.detection_result(args, aDetection(1), fakeContext<LiveReceives>({ lease: held, frames: pool(isCurrent) }));
  expect(encoders).toEqual([null]);
});

test("a camera's state goes to the registry and the hub", () => {
  const { args, told, noted } = setUp();
  const status = { type: "camera_status", cameraId: 2, status: 0, message: "no frame for 6 s", state: "stale" } as const;
  live.on.camera_status(args, status, fakeContext<LiveReceives>());
  expect([told, noted]).toEqual([[status], ["stale 2"]]);
});
