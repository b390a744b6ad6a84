/** The most that onnxruntime-node does here: a thread with one session a core, and no work but its own. */
import type { PreparedModel } from "../../actors/detector/model.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { Contestant } from "../harness.ts";

export type RawOrder =
  | {
      readonly type: "open";
      readonly model: Uint8Array;
      readonly frames: SharedArrayBuffer;
      /** Counts the runs that all threads have done. */
      readonly done: SharedArrayBuffer;
      readonly inputSize: number;
    }
  | { readonly type: "run"; readonly count: number };
export type RawAnswer = { readonly type: "opened" | "first" | "last" | "idle" };

/** Frames of the model's input, one after the other. */
const shared = (inputs: readonly Uint8Array[]): SharedArrayBuffer => {
  const [first] = inputs;
  const frameBytes = first?.length ?? 0;
  const buffer = new SharedArrayBuffer(frameBytes * inputs.length);
  const bytes = new Uint8Array(buffer);
  for (const [index, input] of inputs.entries()) bytes.set(input, index * frameBytes);
  return buffer;
};

const startThread = (heard: (answer: RawAnswer["type"]) => void) => {
  const worker = new Worker(new URL("./raw-worker.ts", import.meta.url), { type: "module" });
  let waiting: PromiseWithResolvers<void> | null = null;
  worker.addEventListener("message", ({ data }: MessageEvent<RawAnswer>) => {
    heard(data.type);
    if (data.type === "opened" || data.type === "idle") waiting?.resolve();
  });
  worker.addEventListener("error", ({ message }) => waiting?.reject(new Error(message)));
  return {
    order(order: RawOrder): Promise<void> {
      waiting = Promise.withResolvers();
      worker.postMessage(order);
      return waiting.promise;
    },
    end: () => worker.terminate(), // between runs only: none is in flight
  };
};

/** Measured as the pipeline is: from the first answer to `size` more, with more to do than that. */
export const rawSessions = async (
  { bytes, plan }: PreparedModel,
  inputs: readonly Uint8Array[],
  workers: number,
): Promise<Contestant> => {
  const frames = shared(inputs);
  const done = new SharedArrayBuffer(4);
  const atMs = { first: 0, last: 0 };
  const threads = Array.from({ length: workers }, () =>
    startThread((answer) => {
      if (answer === "first" || answer === "last") atMs[answer] = systemClock.monotonicMs();
    }),
  );
  const { inputSize } = plan;
  await Promise.all(threads.map(({ order }) => order({ type: "open", model: bytes, frames, done, inputSize })));
  return {
    name: `onnxruntime-node in a loop, ${workers} workers × 1 thread`,
    async run(size) {
      Atomics.store(new Int32Array(done), 0, 0);
      await Promise.all(threads.map(({ order }) => order({ type: "run", count: size })));
      return { values: [(size * 1_000) / (atMs.last - atMs.first)], hash: size };
    },
    close() {
      for (const { end } of threads) end();
    },
  };
};
