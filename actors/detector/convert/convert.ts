/**
 * TensorFlow.js → ONNX for convolutional detectors. TensorFlow keeps pictures as [batch, height, width, channels], ONNX as
 * [batch, channels, height, width]; the whole graph is built in ONNX's order, so nothing is transposed at run time. Sizes are
 * never written into the graph (resizing is by factor), so the model follows the size of its input.
 */
import { Fault } from "../../../runtime/errors.ts";
import { floatTensor } from "../graph.ts";
import { elementType, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from "../onnx.proto.ts";
import { convertNode } from "./ops.ts";
import type { TfjsModel, TfjsNode, Weight } from "./tfjs.ts";

/** A tensor of the graph under construction: channels and the sides that it has at the model's nominal input size. */
export type Value = { readonly name: string; readonly channels: number; readonly height: number; readonly width: number };

export type Builder = {
  readonly addNode: (opType: string, input: readonly string[], output: string, attribute?: OnnxNode["attribute"]) => void;
  readonly addFloats: (name: string, dims: readonly number[], values: ArrayLike<number>) => string;
  /** The value of a node's input, built when it is not yet. */
  readonly valueOf: (reference: string) => Value;
  /** A constant input; null when the input is computed. */
  readonly constantOf: (reference: string) => Weight | null;
  readonly nodeOf: (reference: string) => TfjsNode;
};

/** References carry an output number (`name:0`) or mark an order of execution (`^name`). */
const plainName = (reference: string): string => reference.replace(/^\^/, "").replace(/:0$/, "");

const opset = 17;
const irVersion = 8;

const openValue = (name: string, channels: number): OnnxValue => ({
  name,
  type: {
    tensorType: {
      elemType: elementType.float32,
      shape: { dim: [{ dimValue: 1 }, { dimValue: channels }, { dimParam: "height" }, { dimParam: "width" }] },
    },
  },
});

const namedOutput = ({ name, channels }: Value): OnnxValue => ({
  name,
  type: {
    tensorType: {
      elemType: elementType.float32,
      shape: { dim: [{ dimValue: 1 }, { dimValue: channels }, { dimParam: `${name}/height` }, { dimParam: `${name}/width` }] },
    },
  },
});

/** Builds the part of `source` that `outputs` need. Only the input's height and width stay open. */
export const convertTfjs = (source: TfjsModel, outputs: readonly string[]): OnnxModel => {
  const node: OnnxNode[] = [];
  const initializer = new Map<string, OnnxTensor>();
  const values = new Map<string, Value>();
  const [, height = 0, width = 0, channels = 0] = source.input.shape;
  if (channels !== 3 || height < 32 || width < 32) {
    throw new Fault("invalid_field", `the model's input is [${source.input.shape.join(", ")}]; expected [1, height, width, 3]`);
  }
  values.set(source.input.name, { name: source.input.name, channels, height, width });

  const nodeOf = (reference: string): TfjsNode => {
    const found = source.nodes.get(plainName(reference));
    if (!found) throw new Fault("invalid_field", `the model has no node ${reference}`);
    return found;
  };
  const builder: Builder = {
    addNode: (opType, input, output, attribute = []) =>
      void node.push({ name: output, opType, input: [...input], output: [output], attribute }),
    addFloats(name, dims, numbers) {
      initializer.set(name, floatTensor(name, dims, numbers));
      return name;
    },
    constantOf(reference) {
      const found = nodeOf(reference);
      if (found.op === "Identity" && found.input[0]) return builder.constantOf(found.input[0]);
      return found.op === "Const" ? (source.weights.get(found.name) ?? null) : null;
    },
    valueOf(reference) {
      const name = plainName(reference);
      const known = values.get(name);
      if (known) return known;
      const value = convertNode(nodeOf(name), builder);
      values.set(name, value);
      return value;
    },
    nodeOf,
  };

  const built = outputs.map((name) => builder.valueOf(name));
  return {
    irVersion,
    opsetImport: [{ domain: "", version: opset }],
    producerName: "vedette",
    metadataProps: [],
    graph: {
      name: "converted",
      node,
      initializer: [...initializer.values()],
      input: [openValue(source.input.name, channels)],
      output: built.map(namedOutput),
      valueInfo: [],
    },
  };
};
