/**
 * Takes the classes that nobody asks for out of a YOLOX: of the 80 of COCO six are road users, and the scores of all others
 * would be computed in every cell, brought into rows and copied out, to be thrown away. What is left is computed as before. A
 * model that is built otherwise stays as it is.
 */
import { elementType, type OnnxModel, type OnnxNode, type OnnxTensor, toNumber } from "./onnx.proto.ts";

/** Of one stride: the convolution that gives the scores, and the shape that its grid is brought into. */
type Scores = { readonly weight: OnnxTensor; readonly bias: OnnxTensor; readonly shape: OnnxTensor };

/** x, y, width, height and objectness stand before the scores. */
const before = 5;

/** Looks things up in a graph; `null` for what others use too, since a change of it would reach too far. */
const lookUp = ({ graph }: OnnxModel) => {
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const weights = new Map(graph.initializer.map((tensor) => [tensor.name, tensor] as const));
  const users = new Map<string, number>();
  // Old exports list the weights among the inputs, with their shapes.
  const outside = graph.input.map(({ name }) => name);
  for (const name of [...outside, ...graph.node.flatMap(({ input }) => input)]) users.set(name, (users.get(name) ?? 0) + 1);
  const only = <T>(found: T | undefined, name: string | undefined): T | null =>
    found !== undefined && (users.get(name ?? "") ?? 0) <= 1 ? found : null;
  return {
    maker(name: string | undefined, opType: string): OnnxNode | null {
      const node = only(makers.get(name ?? ""), name);
      return node?.opType === opType ? node : null;
    },
    weight: (name: string | undefined): OnnxTensor | null => only(weights.get(name ?? ""), name),
  };
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Where the second of three dimensions stands, little-endian as ONNX has it. */
const secondAt = 8;
const isGridShape = ({ dataType, rawData }: OnnxTensor, rows: number): boolean =>
  dataType === elementType.int64 && rawData?.length === 24 && viewOf(rawData).getBigInt64(secondAt, true) === BigInt(rows);

const isOfClasses = ({ dataType, dims, rawData }: OnnxTensor, classCount: number): boolean =>
  dataType === elementType.float32 && rawData !== undefined && dims[0] !== undefined && toNumber(dims[0]) === classCount;

/** From the output back to the scores: transposed, joined over the strides, brought into rows, joined over what a row holds. */
const scoresOf = (model: OnnxModel, classCount: number): readonly Scores[] | null => {
  const [output] = model.graph.output;
  const { maker, weight } = lookUp(model);
  const joined = maker(maker(output?.name, "Transpose")?.input[0], "Concat");
  if (model.graph.output.length !== 1 || !joined || joined.input.length === 0) return null;
  const found: Scores[] = [];
  for (const name of joined.input) {
    const reshape = maker(name, "Reshape");
    const row = maker(reshape?.input[0], "Concat");
    const conv = maker(maker(row?.input.at(-1), "Sigmoid")?.input[0], "Conv");
    const [of, bias, shape] = [weight(conv?.input[1]), weight(conv?.input[2]), weight(reshape?.input[1])];
    const isKnown = of && bias && shape && isOfClasses(of, classCount) && isOfClasses(bias, classCount);
    if (!isKnown || !isGridShape(shape, before + classCount)) return null;
    found.push({ weight: of, bias, shape });
  }
  return found;
};

const keepRows = (tensor: OnnxTensor, wanted: readonly number[], classCount: number): void => {
  const { rawData = new Uint8Array() } = tensor;
  const rowBytes = rawData.length / classCount;
  const kept = new Uint8Array(wanted.length * rowBytes);
  for (const [row, index] of wanted.entries())
    kept.set(rawData.subarray(index * rowBytes, (index + 1) * rowBytes), row * rowBytes);
  tensor.rawData = kept;
  tensor.dims = [wanted.length, ...tensor.dims.slice(1)];
};

/** Changes `model` in place; false when it is built otherwise and was left as it is. The wanted classes keep their order. */
export const keepWantedClasses = (model: OnnxModel, classCount: number, wanted: readonly number[]): boolean => {
  const scores = wanted.length > 0 ? scoresOf(model, classCount) : null;
  if (!scores) return false;
  for (const { weight, bias, shape } of scores) {
    keepRows(weight, wanted, classCount);
    keepRows(bias, wanted, classCount);
    const changed = Uint8Array.from(shape.rawData ?? []);
    viewOf(changed).setBigInt64(secondAt, BigInt(before + wanted.length), true);
    shape.rawData = changed;
  }
  return true;
};
