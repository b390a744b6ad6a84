/**
 * TensorFlow.js graph models, as far as converting them needs: `model.json` names the nodes and the weights, the weights lie
 * one after the other in a binary file.
 */
import { z } from "zod";
import { Fault } from "../../../runtime/errors.ts";

const Integers = z.object({ list: z.object({ i: z.array(z.coerce.number()).optional(), s: z.array(z.string()).optional() }) });
const Attribute = z.union([
  Integers,
  z.object({ b: z.boolean() }),
  z.object({ i: z.coerce.number() }),
  z.object({ s: z.string() }),
  z.looseObject({}),
]);
const Node = z.object({
  name: z.string(),
  op: z.string(),
  input: z.array(z.string()).default([]),
  attr: z.record(z.string(), Attribute).default({}),
});
const TensorInfo = z.object({ name: z.string(), tensorShape: z.object({ dim: z.array(z.object({ size: z.coerce.number() })) }) });
const WeightSpec = z.object({
  name: z.string(),
  shape: z.array(z.int().min(0)),
  dtype: z.enum(["float32", "int32"]),
  quantization: z.object({ dtype: z.literal("float16") }).optional(),
});

const GraphModel = z.object({
  format: z.literal("graph-model"),
  signature: z.object({ inputs: z.record(z.string(), TensorInfo) }),
  modelTopology: z.object({ node: z.array(Node) }),
  weightsManifest: z.array(z.object({ weights: z.array(WeightSpec) })),
});
export type TfjsNode = z.output<typeof Node>;
type WeightSpec = z.output<typeof WeightSpec>;

export type Weight = { readonly shape: readonly number[]; readonly values: Float32Array | Int32Array };

export type TfjsModel = {
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  readonly nodes: ReadonlyMap<string, TfjsNode>;
  readonly weights: ReadonlyMap<string, Weight>;
};

/** Node attributes, by kind; undefined where the node has none. */
export const integersOf = (node: TfjsNode, name: string): readonly number[] | undefined => {
  const parsed = Integers.safeParse(node.attr[name]);
  return parsed.success ? parsed.data.list.i : undefined;
};
const text = (base64: string): string => new TextDecoder().decode(Uint8Array.fromBase64(base64));
export const textOf = (node: TfjsNode, name: string): string | undefined => {
  const parsed = z.object({ s: z.string() }).safeParse(node.attr[name]);
  return parsed.success ? text(parsed.data.s) : undefined;
};
export const textsOf = (node: TfjsNode, name: string): readonly string[] => {
  const parsed = Integers.safeParse(node.attr[name]);
  return parsed.success ? (parsed.data.list.s ?? []).map(text) : [];
};
export const flagOf = (node: TfjsNode, name: string): boolean => {
  const parsed = z.object({ b: z.boolean() }).safeParse(node.attr[name]);
  return parsed.success && parsed.data.b;
};

const readWeight = (bytes: Uint8Array, offset: number, { shape, dtype, quantization, name }: WeightSpec) => {
  const count = shape.reduce((product, size) => product * size, 1);
  const width = quantization ? 2 : 4;
  const end = offset + count * width;
  if (end > bytes.byteLength)
    throw new Fault("invalid_field", `the weights end within ${name}: ${bytes.byteLength} bytes, expected ${end} or more`);
  const own = bytes.slice(offset, end).buffer; // aligned for the typed arrays
  const values =
    dtype === "int32" ? new Int32Array(own) : quantization ? Float32Array.from(new Float16Array(own)) : new Float32Array(own);
  return { weight: { shape, values }, end };
};

/** Reads a model from its two files. */
export const readTfjs = (json: string, weightBytes: Uint8Array): TfjsModel => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new Fault("invalid_field", "the TensorFlow.js model is not JSON", { cause });
  }
  const checked = GraphModel.safeParse(parsed);
  if (!checked.success) {
    throw new Fault("invalid_field", `not a TensorFlow.js graph model: ${z.prettifyError(checked.error).slice(0, 300)}`);
  }
  const { signature, modelTopology, weightsManifest } = checked.data;
  const [input] = Object.values(signature.inputs);
  if (!input) throw new Fault("invalid_field", "the TensorFlow.js model names no input");

  const weights = new Map<string, Weight>();
  let offset = 0;
  for (const spec of weightsManifest.flatMap((group) => group.weights)) {
    const { weight, end } = readWeight(weightBytes, offset, spec);
    weights.set(spec.name, weight);
    offset = end;
  }
  return {
    input: { name: input.name, shape: input.tensorShape.dim.map(({ size }) => size) },
    nodes: new Map(modelTopology.node.map((node) => [node.name, node])),
    weights,
  };
};
