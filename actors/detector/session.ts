/** The one place that touches onnxruntime: a session on the calling thread, and one run at a time. */
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import type { Detection } from "../../protocols/frame.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { frameInput } from "./graph.ts";
import type { Tensor as HeadTensor } from "./heads/head.ts";
import { type FrameGeometry, type ReadingPlan, readDetections } from "./postprocess.ts";

export type DetectorSession = {
  /** The execution provider that the model runs on. */
  readonly provider: string;
  /** Why each provider that was asked for before it is not used. */
  readonly refused: readonly string[];
  /** `frame` is inputSize × inputSize RGB; it may lie in shared memory, and is not copied. */
  readonly detect: (frame: Uint8Array, geometry: FrameGeometry) => Promise<Detection[]>;
  readonly release: () => Promise<void>;
};

// The engine writes to stderr by itself what it also throws.
env.logLevel = "fatal";

// More threads than cores in all sessions together halve the throughput: the engine's threads wait by spinning.
const sessionOptions = (provider: string): InferenceSession.SessionOptions => ({
  executionProviders: [provider],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  logSeverityLevel: 4,
});

const open = async (model: Uint8Array, providers: readonly string[]) => {
  const refused: string[] = [];
  for (const provider of providers) {
    if (provider === "cpu") continue;
    try {
      return { session: await InferenceSession.create(model, sessionOptions(provider)), provider, refused };
    } catch (failure) {
      refused.push(`${provider}: ${reasonOf(failure)}`);
    }
  }
  return { session: await InferenceSession.create(model, sessionOptions("cpu")), provider: "cpu", refused };
};

const asHeadTensor = (name: string, value: InferenceSession.OnnxValueMapType[string] | undefined): HeadTensor => {
  if (!(value instanceof Tensor) || !(value.data instanceof Float32Array)) {
    throw new Fault("invalid_field", `the model's output ${name} holds ${value?.type ?? "nothing"}; expected 32-bit floats`);
  }
  return { name, dims: value.dims, data: value.data };
};

/** Opens a prepared model, on the first of `providers` that takes it, else on the CPU. */
export const openSession = async (
  model: Uint8Array,
  plan: ReadingPlan,
  providers: readonly string[],
): Promise<DetectorSession> => {
  const { session, provider, refused } = await open(model, providers);
  const dims = [1, plan.inputSize, plan.inputSize, 3];
  return {
    provider,
    refused,
    async detect(frame, geometry) {
      const values = await session.run({ [frameInput]: new Tensor("uint8", frame, dims) });
      const outputs = session.outputNames.map((name) => asHeadTensor(name, values[name]));
      return readDetections(outputs, plan, geometry);
    },
    release: () => session.release(),
  };
};
