/** Small ONNX models, built for a test. */
import { floatTensor, int64Tensor } from "../../actors/detector/graph.ts";
import {
  attributeType,
  elementType,
  encodeOnnx,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "../../actors/detector/onnx.proto.ts";

/** A value of 32-bit floats; null is an open dimension. */
export const value = (name: string, dims: readonly (number | null)[], elemType: number = elementType.float32): OnnxValue => ({
  name,
  type: {
    tensorType: { elemType, shape: { dim: dims.map((size) => (size === null ? { dimParam: "open" } : { dimValue: size })) } },
  },
});

export const node = (
  opType: string,
  input: readonly string[],
  output: string,
  attribute: OnnxNode["attribute"] = [],
): OnnxNode => ({ opType, input: [...input], output: [output], attribute });

export const onnxModel = (parts: {
  readonly input: OnnxValue;
  readonly outputs: readonly OnnxValue[];
  readonly nodes?: readonly OnnxNode[];
  readonly weights?: readonly OnnxTensor[];
  readonly metadata?: Readonly<Record<string, string>>;
}): OnnxModel => ({
  irVersion: 8,
  opsetImport: [{ domain: "", version: 17 }],
  metadataProps: Object.entries(parts.metadata ?? {}).map(([key, text]) => ({ key, value: text })),
  graph: {
    name: "tiny",
    node: [...(parts.nodes ?? [node("Identity", [parts.input.name], parts.outputs[0]?.name ?? "out")])],
    initializer: [...(parts.weights ?? [])],
    input: [parts.input],
    output: [...parts.outputs],
    valueInfo: [],
  },
});

/** The rows of a YOLOX output for a 32 × 32 input: 16, 4 and 1 cells. */
export const tinyYoloxCells = 21;

/**
 * A YOLOX for 32 × 32 pixels and the classes of COCO that always sees one person at [8, 8, 24, 24] in the cell of stride 32, with
 * an objectness of `mean of the first channel it is fed` ÷ 100. `repeat` multiplies its work, for runs that last.
 */
export const tinyYolox = (repeat = 0): Uint8Array => {
  const rows = new Float32Array(tinyYoloxCells * 85);
  const last = (tinyYoloxCells - 1) * 85;
  rows.set([0.5, 0.5, Math.log(0.5), Math.log(0.5), 0, 1], last);
  const mask = new Float32Array(tinyYoloxCells * 85);
  mask[last + 4] = 0.01;
  const work: OnnxNode[] = [];
  let image = "image";
  const side = 512;
  if (repeat > 0) {
    work.push(node("MatMul", ["square", "square"], "work/0"));
    for (let index = 1; index <= repeat; index++) work.push(node("MatMul", [`work/${index - 1}`, "square"], `work/${index}`));
    work.push(node("ReduceMean", [`work/${repeat}`], "work", [{ name: "keepdims", type: attributeType.int, i: 0 }]));
    work.push(node("Mul", ["work", "nothing"], "idle"), node("Add", ["image", "idle"], "image/worked"));
    image = "image/worked";
  }
  return encodeOnnx(
    onnxModel({
      input: value("image", [1, 3, 32, 32]),
      outputs: [value("output", [1, tinyYoloxCells, 85])],
      // What the optimiser could fold into a constant would cost nothing at run time, so the work starts from the picture.
      nodes: [
        node("ReduceMean", ["image"], "mean", [{ name: "keepdims", type: attributeType.int, i: 0 }]),
        node("Mul", ["noise", "mean"], "square"),
        ...work,
        node("Slice", [image, "from", "to", "axes"], "first"),
        node("ReduceMean", ["first"], "level", [{ name: "keepdims", type: attributeType.int, i: 0 }]),
        node("Mul", ["mask", "level"], "objectness"),
        node("Add", ["rows", "objectness"], "output"),
      ],
      weights: [
        floatTensor("noise", [side, side], new Float32Array(side * side).fill(0.0001)),
        floatTensor("nothing", [], [0]),
        floatTensor("rows", [1, tinyYoloxCells, 85], rows),
        floatTensor("mask", [1, tinyYoloxCells, 85], mask),
        int64Tensor("from", [1], [0]),
        int64Tensor("to", [1], [1]),
        int64Tensor("axes", [1], [1]),
      ],
    }),
  );
};
