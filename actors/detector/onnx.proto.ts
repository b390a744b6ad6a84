/**
 * ONNX files (https://onnx.ai, `onnx.proto`): the few fields that are read or edited here. Every other field is carried
 * unread from decode to encode, so an edited model keeps what this subset does not name.
 */
import { Reader, Root } from "protobufjs/light.js";
import { Fault, reasonOf } from "../../runtime/errors.ts";

/** protobufjs gives 64-bit integers as `Long`; plain numbers are accepted when encoding. */
export type Int64 = number | { readonly toNumber: () => number };
export const toNumber = (value: Int64): number => (typeof value === "number" ? value : value.toNumber());

/** `TensorProto.DataType`, those that are used here. */
export const elementType = { float32: 1, uint8: 2, int32: 6, int64: 7, float16: 10 } as const;
/** `AttributeProto.AttributeType`, those that are used here. */
export const attributeType = { float: 1, int: 2, string: 3, floats: 6, ints: 7 } as const;

export type OnnxAttribute = {
  name: string;
  type: number;
  f?: number;
  i?: Int64;
  s?: Uint8Array;
  floats?: number[];
  ints?: Int64[];
};
export type OnnxNode = {
  name?: string;
  opType: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute: OnnxAttribute[];
};
export type OnnxTensor = { name: string; dataType: number; dims: Int64[]; rawData?: Uint8Array; dataLocation?: number };
export type OnnxDimension = { dimValue?: Int64; dimParam?: string };
export type OnnxValue = {
  name: string;
  type?: { tensorType?: { elemType: number; shape?: { dim: OnnxDimension[] } } };
};
export type OnnxGraph = {
  name: string;
  node: OnnxNode[];
  initializer: OnnxTensor[];
  input: OnnxValue[];
  output: OnnxValue[];
  valueInfo: OnnxValue[];
};
export type OnnxModel = {
  irVersion: Int64;
  opsetImport: { domain?: string; version: Int64 }[];
  producerName?: string;
  graph: OnnxGraph;
  metadataProps: { key: string; value: string }[];
};

const one = (type: string, id: number) => ({ type, id });
const many = (type: string, id: number) => ({ rule: "repeated", type, id });
/** proto2, as ONNX declares itself: there a zero that was set is written, and its readers ask whether it was set. */
const proto2 = (fields: Readonly<Record<string, { readonly type: string; readonly id: number }>>) => ({
  edition: "proto2",
  fields,
});

const Model = Root.fromJSON({
  nested: {
    Model: proto2({
      irVersion: one("int64", 1),
      producerName: one("string", 2),
      graph: one("Graph", 7),
      opsetImport: many("Opset", 8),
      metadataProps: many("Entry", 14),
    }),
    Opset: proto2({ domain: one("string", 1), version: one("int64", 2) }),
    Entry: proto2({ key: one("string", 1), value: one("string", 2) }),
    Graph: proto2({
      node: many("Node", 1),
      name: one("string", 2),
      initializer: many("Tensor", 5),
      input: many("Value", 11),
      output: many("Value", 12),
      valueInfo: many("Value", 13),
    }),
    Node: proto2({
      input: many("string", 1),
      output: many("string", 2),
      name: one("string", 3),
      opType: one("string", 4),
      attribute: many("Attribute", 5),
      domain: one("string", 7),
    }),
    Attribute: proto2({
      name: one("string", 1),
      f: one("float", 2),
      i: one("int64", 3),
      s: one("bytes", 4),
      floats: many("float", 7),
      ints: many("int64", 8),
      type: one("int32", 20),
    }),
    Tensor: proto2({
      dims: many("int64", 1),
      dataType: one("int32", 2),
      name: one("string", 8),
      rawData: one("bytes", 9),
      dataLocation: one("int32", 14),
    }),
    Value: proto2({ name: one("string", 1), type: one("ValueType", 2) }),
    ValueType: proto2({ tensorType: one("TensorType", 1) }),
    TensorType: proto2({ elemType: one("int32", 1), shape: one("Shape", 2) }),
    Shape: proto2({ dim: many("Dimension", 1) }),
    Dimension: proto2({ dimValue: one("int64", 1), dimParam: one("string", 2) }),
  },
}).lookupType("Model");

/** Reads an ONNX file; `source` names it in the error. */
export const decodeOnnx = (bytes: Uint8Array, source: string): OnnxModel => {
  const refuse = (why: string, cause?: unknown) =>
    new Fault("invalid_field", `${source} is not an ONNX model: ${why}; give the path of an .onnx file`, { cause });
  let model: Partial<OnnxModel>;
  try {
    const reader = Reader.create(bytes);
    reader.discardUnknown = false;
    // The descriptor above gives just these fields; those that matter are checked below.
    model = Model.decode(reader) as unknown as Partial<OnnxModel>;
  } catch (failure) {
    throw refuse(reasonOf(failure), failure);
  }
  const { graph } = model;
  if (!graph?.node?.length || !graph.output?.length) throw refuse("it holds no graph");
  if (graph.initializer.some((tensor) => tensor.dataLocation === 1)) {
    throw new Fault("invalid_field", `${source} keeps its weights in a second file; save it with the weights inside`);
  }
  return model as OnnxModel; // a graph with nodes and outputs was just seen; the other fields have defaults
};

export const encodeOnnx = (model: OnnxModel): Uint8Array => Model.encode(model).finish();
