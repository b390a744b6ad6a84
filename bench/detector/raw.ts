/** The most that onnxruntime-node does here: a thread with one session a core, and no work but its own. */
import type { PreparedModel } from "../../actors/detector/model.ts";
import { type Contestant, rateOf } from "../harness.ts";

export type RawOrder =
  | { readonly type: "open"; readonly model: Uint8Array; readonly frames: SharedArrayBuffer; readonly inputSize: number }
  | { readonly type: "run"; readonly count: number };
export type RawAnswer = { readonly type: "opened" | "done" };

/** Frames of the model's input, one after the other. */
const shared = (inputs: readonly Uint8Array[]): SharedArrayBuffer => {
  const [first] = inputs;
  const frameBytes = first?.length ?? 0;
  const buffer = new SharedArrayBuffer(frameBytes * inputs.length);
  const bytes = new Uint8Array(buffer);
  for (const [index, input] of inputs.entries()) bytes.set(input, index * frameBytes);
  return buffer;
};

const startThread = () => {
  const worker = new Worker(new URL("./raw-worker.ts", import.meta.url), { type: "module" });
  let waiting: PromiseWithResolvers<void> | null = null;
  worker.addEventListener("message", () => waiting?.resolve());
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

/** The runs are shared out to the threads as each gets done with its part. */
export const rawSessions = async (
  { bytes, plan }: PreparedModel,
  inputs: readonly Uint8Array[],
  workers: number,
): Promise<Contestant> => {
  const frames = shared(inputs);
  const threads = Array.from({ length: workers }, startThread);
  await Promise.all(threads.map(({ order }) => order({ type: "open", model: bytes, frames, inputSize: plan.inputSize })));
  const portion = 4; // small, so that no thread has nothing to do at the end while another has much
  return {
    name: `onnxruntime-node in a loop, ${workers} workers × 1 thread`,
    run: rateOf(async (size) => {
      let left = size;
      const work = async ({ order }: (typeof threads)[number]) => {
        while (left > 0) {
          const count = Math.min(portion, left);
          left -= count;
          await order({ type: "run", count });
        }
      };
      await Promise.all(threads.map(work));
      return size;
    }),
    close() {
      for (const { end } of threads) end();
    },
  };
};
