/** The real model on a frame of a real clip. */
import { describe, expect, test } from "bun:test";
import { cocoClasses, defaultAllowedClasses } from "../../../actors/detector/classes.ts";
import { checkGolden } from "../../../actors/detector/golden.ts";
import { prepareModel, resolveModel } from "../../../actors/detector/model.ts";
import { modelPorts } from "../../../actors/detector/model-ports.ts";
import { startDetectorPool } from "../../../actors/detector/pool.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { createFramePool } from "../../../runtime/frame-pool.ts";
import { silentLog } from "../../../runtime/log.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { clipFrame } from "../../support/clip-frame.ts";
import { testMedia } from "../../support/media.ts";
import { tinyYolox } from "../../support/tiny-onnx.ts";

const clip = testMedia("media/vtest.avi");
const model = testMedia("models/yolox_nano.onnx");
const metrics = createMetrics();

const settings = (path: string, inputSize: number) => ({
  model: path,
  cacheDir: "",
  inputSize,
  allowedClasses: defaultAllowedClasses,
});

/** What a pool of `workers` finds in frame 100 of the clip, at 10 s. */
const detectAt = async (modelPath: string, clipPath: string, inputSize: number, workers: number) => {
  const found = await resolveModel(settings(modelPath, inputSize), modelPorts(systemClock, silentLog, metrics));
  if (!("model" in found)) throw new Error(found.missing);
  const frame = await clipFrame(clipPath, 100, [inputSize]);
  const { input, inputScale } = frame.fit(inputSize);
  const frames = createFramePool({ slots: workers, pictureBytes: 0, inputBytes: input.length, inputSize });
  const pool = await startDetectorPool({
    frames,
    model: found.model,
    clock: systemClock,
    log: silentLog,
    metrics,
    onExhausted: expect.unreachable,
    workers,
  });
  const { imageWidth, imageHeight } = frame;
  const runs = Array.from({ length: workers }, () => {
    const lease = frames.acquire() ?? expect.unreachable("no slot is free");
    frames.input(lease).set(input);
    return pool.run(lease, { inputScale, imageWidth, imageHeight });
  });
  const results = await Promise.all(runs);
  await pool.close();
  return { imageWidth, imageHeight, results: results.map(({ detections }) => detections) };
};

describe.skipIf(!clip || !model)("YOLOX-Nano on vtest.avi at 10 s", () => {
  test.each([256, 320, 416, 640])("at input size %p finds at least five persons, all inside the frame", async (inputSize) => {
    const { imageWidth, imageHeight, results } = await detectAt(model ?? "", clip ?? "", inputSize, 1);
    const [detections = []] = results;
    expect(detections.filter((found) => found.class === "person").length).toBeGreaterThanOrEqual(5);
    for (const { class: name, confidence, bbox } of detections) {
      expect(defaultAllowedClasses).toContain(name);
      expect(confidence).toBeGreaterThanOrEqual(0.35);
      const [x1, y1, x2, y2] = bbox;
      expect([x1 >= 0, y1 >= 0, x2 <= imageWidth, y2 <= imageHeight, x1 < x2, y1 < y2]).not.toContain(false);
    }
  });

  test("two workers find the same in the same frame", async () => {
    const { results } = await detectAt(model ?? "", clip ?? "", 320, 2);
    expect(results).toHaveLength(2);
    expect(results[0]).toEqual(results[1] ?? []);
  });

  test("passes the golden inference", async () => {
    const bytes = new Uint8Array(await Bun.file(model ?? "").arrayBuffer());
    await checkGolden(prepareModel(bytes, "it", settings("", 416)), { clock: systemClock, metrics });
  });
});

test("a model that does not see the persons fails the golden inference", async () => {
  const blind = prepareModel(tinyYolox(), "it", { ...settings("", 32), allowedClasses: cocoClasses });
  await expect(checkGolden(blind, { clock: systemClock, metrics })).rejects.toThrow(/misses 2 of 2 persons, and sees /);
});
