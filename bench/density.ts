/**
 * How many cameras one machine watches. Goal: a table of the most cameras of which each is detected on at its rate, by size of the
 * model's input and by where the pictures come from. Not asked: verdicts, viewers, latency; `bench load --saturate` asks for those.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { defaultAllowedClasses } from "../actors/detector/classes.ts";
import { prepareModel } from "../actors/detector/model.ts";
import { addresses } from "../actors/pipeline.ts";
import type { FrameCaptured } from "../protocols/frame.ts";
import { delay, every, systemClock } from "../runtime/clock.ts";
import type { Bench } from "./bench.ts";
import { mostThatHold } from "./density/search.ts";
import { type Eyes, fillPool, openEyes } from "./detector/eyes.ts";
import { type ClipFrame, readClip } from "./detector/frames.ts";
import type { Contest, Contestant } from "./harness.ts";
import { clipPath, modelPath } from "./media.ts";

/** The rate that each camera is to keep, and the share of it that counts as kept. */
const fps = 2;
const keptShare = 0.95;
const framesKept = 12;
/** Before what is counted: decoders begin, and each camera has its first frame. */
const settleMs = 1_500;
const quietMs = 20_000;

export type DensityMedia = {
  readonly model: string;
  readonly clip: string;
};
export type DensityScope = { readonly inputSizes: readonly number[]; readonly camerasMax: number };

/** Cameras that show something; `start` gives back what ends them. */
type Show = (cameras: number) => () => void;

/** Each camera decodes the clip by itself, scaled and fitted. */
const decoding =
  (eyes: Eyes, clip: string): Show =>
  (cameras) => {
    for (let id = 0; id < cameras; id++) eyes.watch(id, clip, fps);
    return () => {
      for (let id = 0; id < cameras; id++) eyes.unwatch(id);
    };
  };

/** Each camera offers decoded frames at its rate, at a moment of its own; like a real one it lets a frame go while its last is under way. */
const fromPool = (eyes: Eyes, clip: readonly ClipFrame[]): { readonly show: Show; readonly seen: (cameraId: number) => void } => {
  const leases = fillPool(eyes, clip);
  const [{ width: imageWidth, height: imageHeight } = { width: 0, height: 0 }] = clip;
  const underWay = new Set<number>();
  let seq = 0;
  const offer = (cameraId: number) => {
    const lease = leases[seq++ % leases.length];
    if (!lease || underWay.has(cameraId)) return;
    underWay.add(cameraId);
    eyes.frames.retain(lease);
    const frame: FrameCaptured = {
      ...{ type: "frame.captured", cameraId, ownerEpoch: 1, seq, segment: 0 },
      ...{ capturedAt: systemClock.nowMs(), mediaTimeMs: systemClock.monotonicMs(), imageWidth, imageHeight },
    };
    eyes.system.tell(addresses.detector, frame, lease);
  };
  const show: Show = (cameras) => {
    const periodMs = 1_000 / fps;
    const stops = new Set<() => void>();
    for (let id = 0; id < cameras; id++) {
      stops.add(
        systemClock.after((id * periodMs) / cameras, () => {
          offer(id);
          stops.add(every(systemClock, periodMs, () => offer(id)));
        }),
      );
    }
    return () => {
      for (const stop of stops) stop();
    };
  };
  return { show, seen: (cameraId) => void underWay.delete(cameraId) };
};

/** Whether each of so many cameras is seen at its rate, over so many seconds. */
const holdsFor = async (
  eyes: Eyes,
  show: Show,
  seen: (cameraId: number) => void,
  cameras: number,
  seconds: number,
): Promise<boolean> => {
  const counts = new Map<number, number>();
  let isCounting = false;
  eyes.seen = ({ cameraId }) => {
    seen(cameraId);
    if (isCounting) counts.set(cameraId, (counts.get(cameraId) ?? 0) + 1);
  };
  const end = show(cameras);
  await delay(systemClock, settleMs);
  isCounting = true;
  const startedMs = systemClock.monotonicMs();
  await delay(systemClock, seconds * 1_000);
  isCounting = false;
  const elapsedSeconds = (systemClock.monotonicMs() - startedMs) / 1_000;
  end();
  const enough = Math.floor(keptShare * fps * elapsedSeconds);
  const held = Array.from({ length: cameras }, (_, id) => counts.get(id) ?? 0).every((count) => count >= enough);
  await untilStill(eyes);
  return held;
};

/** What is under way comes to its end, so that the next number begins with a free machine. */
const untilStill = async ({ frames }: Eyes): Promise<void> => {
  const endMs = systemClock.monotonicMs() + quietMs;
  let held = -1;
  while (frames.stats().held !== held) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`frames are still under way after ${quietMs} ms`);
    held = frames.stats().held;
    await delay(systemClock, 300);
  }
};

const watching = async (
  { model, clip }: DensityMedia,
  camerasMax: number,
  inputSize: number,
  isDecoded: boolean,
): Promise<Contestant> => {
  const workers = availableParallelism();
  const settings = { model, cacheDir: "", inputSize, allowedClasses: defaultAllowedClasses };
  const prepared = prepareModel(new Uint8Array(await readFile(model)), model, settings);
  const slots = isDecoded ? 2 * camerasMax + 2 * workers : framesKept + 1;
  const eyes = await openEyes(prepared, workers, slots);
  const pool = isDecoded ? null : fromPool(eyes, await readClip(clip, framesKept, inputSize));
  const show = pool?.show ?? decoding(eyes, clip);
  return {
    name: isDecoded ? "with decoding" : "from the pool",
    async run(tenths) {
      const holds = (cameras: number) => holdsFor(eyes, show, pool?.seen ?? (() => {}), cameras, tenths / 10);
      return { values: [await mostThatHold(holds, camerasMax)], hash: 0 };
    },
    close: eyes.close,
  };
};

/** Tenths of a second that each number of cameras is tried for. */
const tenths = 50;

export const densityBench = ({ inputSizes, camerasMax }: DensityScope, media: () => DensityMedia): Bench => ({
  name: "density",
  notes: [
    `The most cameras of which each is detected on at ${keptShare} × ${fps} frames a second or more, ${tenths / 10} s each, by doubling and halving.`,
    "Detector, trackers, clusterers and the embedded log as in the product, one worker a core. With decoding: each camera decodes",
    "768 × 576 at 10 frames a second (MPEG-4, a file); from the pool: the same frames, decoded and fitted before.",
  ],
  contests: inputSizes.flatMap((inputSize) =>
    [false, true].map((isDecoded) => ({
      name: `cameras at ${inputSize} × ${inputSize}, ${isDecoded ? "with decoding" : "from the pool"}`,
      open: async (): Promise<Contest> => ({
        unit: "cameras",
        size: tenths,
        rounds: 3,
        warmUps: 0,
        subject: await watching(media(), camerasMax, inputSize, isDecoded),
      }),
    })),
  ),
});

export const density = (): Bench =>
  densityBench({ inputSizes: [320, 416, 640], camerasMax: 24 * availableParallelism() }, () => ({
    model: modelPath(),
    clip: clipPath(),
  }));
