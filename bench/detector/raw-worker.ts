/** A thread that does nothing but run one onnxruntime-node session on frames in shared memory, one after the other. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { RawAnswer, RawOrder } from "./raw.ts";

declare const self: Worker; // in a worker `self` posts to its parent

const answer = (value: RawAnswer) => self.postMessage(value);

/** Runs until `count` more are done after the first, by all threads together; says when the first and the last is. */
let run: ((count: number) => Promise<void>) | null = null;

const open = async ({ model, frames, done, inputSize }: Extract<RawOrder, { type: "open" }>) => {
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
  const counter = new Int32Array(done);
  const [input = ""] = session.inputNames;
  const dims = [1, inputSize, inputSize, 3];
  run = async (count) => {
    for (let next = 0; Atomics.load(counter, 0) <= count; next++) {
      const at = (next * frameBytes) % frames.byteLength;
      await session.run({ [input]: new Tensor("uint8", pixels.subarray(at, at + frameBytes), dims) });
      const before = Atomics.add(counter, 0, 1);
      if (before === 0) answer({ type: "first" });
      if (before === count) answer({ type: "last" });
    }
  };
  answer({ type: "opened" });
};

self.onmessage = async ({ data }: MessageEvent<RawOrder>) => {
  if (data.type === "open") return open(data);
  await run?.(data.count);
  answer({ type: "idle" });
};
