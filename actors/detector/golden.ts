/** The golden inference: a model that was fetched or converted must find the persons of a known picture before it is used. */
import { readFile } from "node:fs/promises";
import type { Detection } from "../../protocols/frame.ts";
import type { Box } from "../../protocols/ids.ts";
import { Fault } from "../../runtime/errors.ts";
import { createFramePool } from "../../runtime/frame-pool.ts";
import { silentLog } from "../../runtime/log.ts";
import { type DetectorPoolOptions, startDetectorPool } from "./pool.ts";
import { iou } from "./suppress.ts";

/** A piece of frame 100 of the test clip vtest.avi; `golden/README.md` says where it is from. */
export const golden = {
  file: new URL("./golden/three-walkers-160x120.rgb", import.meta.url),
  width: 160,
  height: 120,
  persons: [
    [108, 23, 138, 105],
    [12, 18, 40, 90],
  ] satisfies Box[],
  iouMin: 0.6,
  confidenceMin: 0.4,
} as const;

/** Which of the known persons were not found. */
export const missingPersons = (detections: readonly Detection[]): Box[] =>
  golden.persons.filter(
    (person) =>
      !detections.some(
        (found) =>
          found.class === "person" && found.confidence >= golden.confidenceMin && iou(found.bbox, person) >= golden.iouMin,
      ),
  );

/** Runs the model on a worker of its own. Rejects when it cannot run, or does not see what is there. */
export const checkGolden = async (
  model: DetectorPoolOptions["model"],
  ports: Pick<DetectorPoolOptions, "clock" | "metrics" | "startHost">,
): Promise<void> => {
  const { inputSize } = model.plan;
  const { width, height } = golden;
  const pixels = await readFile(golden.file);
  const rowBytes = width * 3;
  const [rows, columns] = [Math.min(height, inputSize), Math.min(width, inputSize)];
  const frames = createFramePool({ slots: 1, pictureBytes: 0, inputBytes: inputSize * inputSize * 3, inputSize });
  const lease = frames.acquire();
  if (!lease) throw new Error("a frame pool of one slot has none free");
  const input = frames.input(lease).fill(114);
  for (let row = 0; row < rows; row++) {
    input.set(pixels.subarray(row * rowBytes, row * rowBytes + columns * 3), row * inputSize * 3);
  }

  const pool = await startDetectorPool({ ...ports, log: silentLog, frames, model, workers: 1, onExhausted() {} });
  try {
    const { detections } = await pool.run(lease, { inputScale: 1, imageWidth: width, imageHeight: height });
    const missing = missingPersons(detections);
    if (missing.length > 0) {
      const seen = detections.map((found) => `${found.class} ${found.confidence.toFixed(2)}`).join(", ") || "nothing";
      throw new Fault(
        "unavailable",
        `the model fails its test picture: it misses ${missing.length} of ${golden.persons.length} persons, and sees ${seen}`,
      );
    }
  } finally {
    await pool.close();
  }
};
