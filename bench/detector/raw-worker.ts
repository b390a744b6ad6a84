/** A thread that does nothing but run one onnxruntime-node session on frames in shared memory, one after the other. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { RawAnswer, RawOrder } from "./raw.ts";

declare const self: Worker; // in a worker `self` posts to its parent

const answer = (value: RawAnswer) => self.postMessage(value);

let runAll: ((count: number) => Promise<void>) | null = null;

const open = async ({ model, frames, inputSize }: Extract<RawOrder, { type: "open" }>) => {
  const session = await InferenceSession.create(model, {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    logSeverityLevel: 4,
  });
  const frameBytes = inputSize * inputSize * 3;
  const pixels = new Uint8Array(frames);
  const [input = ""] = session.inputNames;
  const dims = [1, inputSize, inputSize, 3];
  runAll = async (count) => {
    for (let run = 0; run < count; run++) {
      const at = (run * frameBytes) % frames.byteLength;
      await session.run({ [input]: new Tensor("uint8", pixels.subarray(at, at + frameBytes), dims) });
    }
  };
  answer({ type: "opened" });
};

self.onmessage = async ({ data }: MessageEvent<RawOrder>) => {
  if (data.type === "open") return open(data);
  await runAll?.(data.count);
  answer({ type: "done" });
};
