/** Real workers with a real session, on a model small enough to be built here. */
import { expect, test } from "bun:test";
import { prepareModel } from "../../../actors/detector/model.ts";
import { type DetectorPoolOptions, startDetectorPool } from "../../../actors/detector/pool.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { createFramePool } from "../../../runtime/frame-pool.ts";
import { silentLog } from "../../../runtime/log.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { tinyYolox } from "../../support/tiny-onnx.ts";

const geometry = { inputScale: 1, imageWidth: 32, imageHeight: 32 };

const setUp = async (repeat: number, options: Partial<DetectorPoolOptions> = {}) => {
  const settings = { model: "", cacheDir: "", inputSize: 32, allowedClasses: ["person"] };
  const frames = createFramePool({ slots: 4, pictureBytes: 0, inputBytes: 32 * 32 * 3, inputSize: 32 });
  const pool = await startDetectorPool({
    frames,
    model: prepareModel(tinyYolox(repeat), "the tiny model", settings),
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    onExhausted: expect.unreachable,
    workers: 1,
    ...options,
  });
  /** A slot whose pixels all have this colour. */
  const filled = (red: number, green: number, blue: number) => {
    const lease = frames.acquire() ?? expect.unreachable("no slot is free");
    const input = frames.input(lease);
    for (let at = 0; at < input.length; at += 3) input.set([red, green, blue], at);
    return lease;
  };
  return { frames, pool, filled };
};

test("a worker reads the slot in shared memory, and feeds the model blue first", async () => {
  const { pool, frames, filled } = await setUp(0);
  const lease = filled(10, 20, 90);
  const { detections, inferenceMs } = await pool.run(lease, geometry);
  expect(detections).toMatchObject([{ class: "person", confidence: expect.closeTo(0.9, 4) }]);
  expect(detections[0]?.bbox.map((side) => Math.round(side * 100) / 100)).toEqual([8, 8, 24, 24]);
  expect(inferenceMs).toBeGreaterThan(0);
  // The same slot with other pixels: nothing was copied when the worker started.
  frames.input(lease).fill(20);
  expect((await pool.run(lease, geometry)).detections).toEqual([]);
  frames.release(lease);
  expect(frames.stats().held).toBe(0);
  await pool.close();
});

test("two workers answer for themselves, and a slot that is gone costs one run", async () => {
  const { pool, frames, filled } = await setUp(2, { workers: 2, ordersPerWorker: 2 });
  const leases = [filled(0, 0, 90), filled(0, 0, 20), filled(0, 0, 80)];
  const stale = { slot: 3, generation: 77 };
  const [first, second, third, gone] = await Promise.allSettled([...leases, stale].map((lease) => pool.run(lease, geometry)));
  const count = (outcome: typeof first) =>
    outcome?.status === "fulfilled" ? outcome.value.detections.length : outcome?.reason.message;
  expect([count(first), count(second), count(third)]).toEqual([1, 0, 1]);
  expect(count(gone)).toContain("slot 3 is no longer held");
  for (const lease of leases) frames.release(lease);
  await pool.close();
});

test("a provider that is not there is refused with a reason, and the CPU takes its place", async () => {
  const { pool, filled } = await setUp(0, { executionProviders: ["cuda", "nonsense", "cpu"] });
  const { provider, refused } = pool.status();
  expect(provider).toBe("cpu");
  expect(refused).toHaveLength(2);
  expect(refused[0]).toMatch(/^cuda: ./);
  expect(refused[1]).toMatch(/^nonsense: ./);
  expect((await pool.run(filled(0, 0, 90), geometry)).detections).toHaveLength(1);
  await pool.close();
});

test("a model that the engine refuses ends the start with its reason", async () => {
  const settings = { model: "", cacheDir: "", inputSize: 32, allowedClasses: ["person"] };
  const model = prepareModel(tinyYolox(), "the tiny model", settings);
  await expect(setUp(0, { model: { ...model, bytes: model.bytes.subarray(0, 500) } })).rejects.toThrow(
    /^the detector cannot start: ./,
  );
});

test("closing with a run in flight lets it end, ten times over", async () => {
  for (let round = 0; round < 10; round++) {
    const { pool, frames, filled } = await setUp(10);
    const runs = [pool.run(filled(0, 0, 90), geometry), pool.run(filled(0, 0, 90), geometry)];
    await pool.close();
    const ended = await Promise.all(runs);
    expect(ended.map(({ detections }) => detections.length)).toEqual([1, 1]);
    expect(frames.stats().held).toBe(2);
  }
}, 60_000);
