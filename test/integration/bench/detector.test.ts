import { expect, test } from "bun:test";
import { join } from "node:path";
import { runBench } from "../../../bench/bench.ts";
import { densityBench } from "../../../bench/density.ts";
import { detectorBench } from "../../../bench/detector.ts";
import { leastEffort } from "../../../bench/harness.ts";
import { testMedia } from "../../support/media.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { tinyYolox } from "../../support/tiny-onnx.ts";

const clip = testMedia("media/vtest.avi");

test.skipIf(!clip)(
  "the bench runs, from the pool and from decoders",
  async () => {
    await using directory = await tempDir();
    const model = join(directory.path, "tiny.onnx");
    await Bun.write(model, tinyYolox());
    const bench = detectorBench(() => ({ model, clip: clip ?? "", inputSize: 32 }));
    const { results } = await runBench(bench, { effort: leastEffort, quick: true, only: "", print() {} });
    expect(results).toHaveLength(2);
    for (const { ratio } of results) expect(ratio).toBeGreaterThan(0);
  },
  60_000,
);

test.skipIf(!clip)(
  "the search for the most cameras runs, from the pool and from decoders",
  async () => {
    await using directory = await tempDir();
    const model = join(directory.path, "tiny.onnx");
    await Bun.write(model, tinyYolox());
    const bench = densityBench({ inputSizes: [32], camerasMax: 2 }, () => ({ model, clip: clip ?? "" }));
    const { results } = await runBench(bench, { effort: leastEffort, quick: true, only: "", print() {} });
    expect(results.map(({ unit, samples }) => [unit, samples])).toEqual([
      ["cameras", 1],
      ["cameras", 1],
    ]);
    for (const { median } of results) expect(median).toBeLessThanOrEqual(2);
  },
  60_000,
);
