/**
 * How much of what onnxruntime-node can do the pipeline keeps. Goal: 0.92 of the detections a second of a bare loop of as many
 * sessions, from frames that stand in the pool; with decoding on the same cores the honest figure. Not asked: other models.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { defaultAllowedClasses } from "../actors/detector/classes.ts";
import { type PreparedModel, prepareModel } from "../actors/detector/model.ts";
import { addresses } from "../actors/pipeline.ts";
import type { FrameCaptured } from "../protocols/frame.ts";
import { delay, systemClock } from "../runtime/clock.ts";
import type { Bench } from "./bench.ts";
import { type Eyes, fillPool, openEyes } from "./detector/eyes.ts";
import { type ClipFrame, readClip } from "./detector/frames.ts";
import { rawSessions } from "./detector/raw.ts";
import type { Contest, Contestant } from "./harness.ts";
import { clipPath, modelPath } from "./media.ts";

/** Cameras that always have a frame to offer: more than the detector takes at once. */
const cameras = 12;
const framesKept = 24;
const framePeriodMs = 500;
const quietMs = 30_000;

/** Waits until nothing of a run is under way: what is measured next has the cores for itself. */
const untilQuiet = async (isQuiet: () => boolean): Promise<void> => {
  const endMs = systemClock.monotonicMs() + quietMs;
  while (!isQuiet()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`frames are still under way after ${quietMs} ms`);
    await delay(systemClock, 5);
  }
};

/** Results a second at the viewer, from the first result on, until `size` more have come. `after` is told of each. */
const countResults = async (eyes: Eyes, size: number, after: (cameraId: number, isEnough: boolean) => void): Promise<number> => {
  const { promise, resolve } = Promise.withResolvers<number>();
  let seen = -1;
  let startedMs = 0;
  eyes.seen = ({ cameraId }) => {
    if (++seen === 0) startedMs = systemClock.monotonicMs();
    if (seen === size) resolve((size * 1_000) / (systemClock.monotonicMs() - startedMs));
    after(cameraId, seen >= size);
  };
  return promise;
};

/** Each camera has one frame under way, and its next one as soon as that is seen. */
const fromPool = async (model: PreparedModel, clip: readonly ClipFrame[], workers: number): Promise<Contestant> => {
  const eyes = await openEyes(model, workers, clip.length + 1);
  const leases = fillPool(eyes, clip);
  const [{ width: imageWidth, height: imageHeight } = { width: 0, height: 0 }] = clip;
  let underWay = 0;
  const seqs = Array.from({ length: cameras }, () => 0);
  const offer = (cameraId: number) => {
    const seq = seqs[cameraId] ?? 0;
    seqs[cameraId] = seq + 1;
    const lease = leases[seq % leases.length];
    if (!lease) return;
    underWay++;
    eyes.frames.retain(lease);
    const frame: FrameCaptured = {
      type: "frame.captured",
      cameraId,
      ownerEpoch: 1,
      seq,
      segment: 0,
      capturedAt: systemClock.nowMs(),
      mediaTimeMs: seq * framePeriodMs,
      imageWidth,
      imageHeight,
    };
    eyes.system.tell(addresses.detector, frame, lease);
  };
  return {
    name: `pipeline, ${workers} workers`,
    async run(size) {
      const counted = countResults(eyes, size, (cameraId, isEnough) => {
        underWay--;
        if (!isEnough) offer(cameraId);
      });
      for (let cameraId = 0; cameraId < cameras; cameraId++) offer(cameraId);
      const rate = await counted;
      await untilQuiet(() => underWay === 0);
      return { values: [rate], hash: size };
    },
    close: eyes.close,
  };
};

/** Each camera decodes the clip by its own clock, faster than the detector can follow. */
const fromFiles = async (model: PreparedModel, clip: string, workers: number): Promise<Contestant> => {
  const eyes = await openEyes(model, workers, 2 * cameras + 2 * workers);
  return {
    name: `pipeline with ${cameras} decoders, ${workers} workers`,
    async run(size) {
      const counted = countResults(eyes, size, () => {});
      for (let id = 0; id < cameras; id++) eyes.watch(id, clip, 10);
      const rate = await counted;
      for (let id = 0; id < cameras; id++) eyes.unwatch(id);
      await untilQuiet(() => eyes.frames.stats().held === 0);
      return { values: [rate], hash: size };
    },
    close: eyes.close,
  };
};

export type DetectorMedia = { readonly model: string; readonly clip: string; readonly inputSize: number };

export const detectorBench = (media: () => DetectorMedia): Bench => {
  const workers = availableParallelism();
  const prepare = async () => {
    const { model, clip, inputSize } = media();
    const settings = { model, cacheDir: "", inputSize, allowedClasses: defaultAllowedClasses };
    const prepared = prepareModel(new Uint8Array(await readFile(model)), model, settings);
    const frames = await readClip(clip, framesKept, prepared.plan.inputSize);
    const raw = await rawSessions(
      prepared,
      frames.map(({ input }) => input),
      workers,
    );
    return { prepared, frames, raw, clip };
  };
  const contest = { unit: "detections/s", size: 80, rounds: 10, warmUps: 1 } as const;
  return {
    name: "detector",
    notes: [
      "The loop feeds each session a prepared tensor and throws the answer away. The pipeline takes leased frames through the",
      "mailboxes of detector, tracker and clusterer, reads boxes out of the answer, cuts pictures and writes to the embedded log,",
      "on the same cores. With decoding, 12 decoders of 768 × 576 at 10 frames a second share them too, and the loop has none.",
    ],
    contests: [
      {
        name: "detections of frames in the pool",
        async open(): Promise<Contest> {
          const { prepared, frames, raw } = await prepare();
          const subject = await fromPool(prepared, frames, workers);
          return { ...contest, subject, versus: [{ ...raw, target: { of: "ratio", limit: 0.92 } }] };
        },
      },
      {
        name: "detections of frames that are decoded meanwhile",
        async open(): Promise<Contest> {
          const { prepared, raw, clip } = await prepare();
          return { ...contest, subject: await fromFiles(prepared, clip, workers), versus: [raw] };
        },
      },
    ],
  };
};

export const detector = (): Bench => detectorBench(() => ({ model: modelPath(), clip: clipPath(), inputSize: 416 }));
