/**
 * Edits a model's graph so that it takes a picture as it lies in the frame pool: bytes, row by row, RGB. Turning them into
 * what the model was trained on costs nothing measurable inside the graph, and a copy and a conversion outside of it.
 */
import { Fault } from "../../runtime/errors.ts";
import { type Feed, imageInputOf } from "./family.ts";
import { attributeType, elementType, type OnnxModel, type OnnxNode, type OnnxTensor } from "./onnx.proto.ts";

/** The name of the prepared model's input: uint8 [1, inputSize, inputSize, 3]. */
export const frameInput = "vedette/frame";

export const floatTensor = (name: string, dims: readonly number[], values: ArrayLike<number>): OnnxTensor => ({
  name,
  dataType: elementType.float32,
  dims: [...dims],
  rawData: new Uint8Array(Float32Array.from(values).buffer),
});

export const int64Tensor = (name: string, dims: readonly number[], values: readonly number[]): OnnxTensor => ({
  name,
  dataType: elementType.int64,
  dims: [...dims],
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

const isIdentity = ({ mean, deviation }: Feed): boolean =>
  mean.every((value) => value === 0) && deviation.every((value) => value === 1);

/** The nodes from the frame to `target`, the model's own input, and the constants that they use. */
const feedNodes = (feed: Feed, target: string): { readonly nodes: OnnxNode[]; readonly constants: OnnxTensor[] } => {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  let last = frameInput;
  const add = (opType: string, more: readonly OnnxTensor[], attribute: OnnxNode["attribute"] = []) => {
    const output = `vedette/${opType.toLowerCase()}`;
    nodes.push({ name: output, opType, input: [last, ...more.map(({ name }) => name)], output: [output], attribute });
    constants.push(...more);
    last = output;
  };

  add("Transpose", [], [{ name: "perm", type: attributeType.ints, ints: [0, 3, 1, 2] }]);
  if (feed.order === "bgr") {
    add("Gather", [int64Tensor("vedette/bgr", [3], [2, 1, 0])], [{ name: "axis", type: attributeType.int, i: 1 }]);
  }
  add("Cast", [], [{ name: "to", type: attributeType.int, i: elementType.float32 }]);
  if (!isIdentity(feed)) {
    add("Sub", [floatTensor("vedette/mean", [1, 3, 1, 1], feed.mean)]);
    add("Div", [floatTensor("vedette/deviation", [1, 3, 1, 1], feed.deviation)]);
  }
  const final = nodes.at(-1);
  if (final) final.output = [target];
  return { nodes, constants };
};

/** Shapes that the model states were true for its former input; the engine works them out anew. */
const withoutShapes = (model: OnnxModel): void => {
  for (const { type } of [...model.graph.output, ...model.graph.input]) if (type?.tensorType) delete type.tensorType.shape;
  model.graph.valueInfo = [];
};

export const checkInputSize = (inputSize: number): void => {
  if (Number.isInteger(inputSize) && inputSize >= 32 && inputSize <= 2048 && inputSize % 32 === 0) return;
  throw new Fault("invalid_field", `detector.inputSize is ${inputSize}; expected a multiple of 32 from 32 to 2048`);
};

/** Changes `model` in place: its input becomes `frameInput`, its size `inputSize`. */
export const takeFrames = (model: OnnxModel, feed: Feed, inputSize: number, source: string): void => {
  checkInputSize(inputSize);
  const input = imageInputOf(model, source);
  const { nodes, constants } = feedNodes(feed, input.name);
  withoutShapes(model);
  const { graph } = model;
  graph.node = [...nodes, ...graph.node];
  graph.initializer = [...graph.initializer, ...constants];
  graph.input = graph.input.map((value) =>
    value === input
      ? {
          name: frameInput,
          type: {
            tensorType: {
              elemType: elementType.uint8,
              shape: { dim: [1, inputSize, inputSize, 3].map((dimValue) => ({ dimValue })) },
            },
          },
        }
      : value,
  );
};
