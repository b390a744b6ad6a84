/** How each TensorFlow operation is said in ONNX. One entry an operation; what is missing is refused by name. */
import { Fault } from "../../../runtime/errors.ts";
import { attributeType, type OnnxAttribute } from "../onnx.proto.ts";
import type { Builder, Value } from "./convert.ts";
import { flagOf, integersOf, type TfjsNode, textOf, textsOf, type Weight } from "./tfjs.ts";

type Convert = (node: TfjsNode, builder: Builder) => Value;

const text = (name: string, value: string): OnnxAttribute => ({
  name,
  type: attributeType.string,
  s: new TextEncoder().encode(value),
});
const integer = (name: string, i: number): OnnxAttribute => ({ name, type: attributeType.int, i });
const integers = (name: string, ints: readonly number[]): OnnxAttribute => ({ name, type: attributeType.ints, ints: [...ints] });

const refuse = (node: TfjsNode, why: string): Fault =>
  new Fault("invalid_field", `cannot convert ${node.op} ${node.name}: ${why}`);

const inputAt = (node: TfjsNode, index: number): string => {
  const reference = node.input[index];
  if (reference === undefined) throw refuse(node, `it has ${node.input.length} inputs, expected more than ${index}`);
  return reference;
};

const weightAt = (node: TfjsNode, index: number, builder: Builder): Weight => {
  const weight = builder.constantOf(inputAt(node, index));
  if (!weight) throw refuse(node, `its input ${index} is computed, expected a constant`);
  return weight;
};

/** Reorders a row-major array: axis `n` of the result is axis `order[n]` of the source. */
export const permute = ({ shape, values }: Weight, order: readonly number[]): Float32Array => {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const result = new Float32Array(values.length);
  const sizes = order.map((axis) => shape[axis] ?? 1);
  const steps = order.map((axis) => strides[axis] ?? 1);
  const position = sizes.map(() => 0);
  for (let index = 0; index < result.length; index++) {
    result[index] = values[position.reduce((sum, at, axis) => sum + at * (steps[axis] ?? 0), 0)] ?? 0;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      const next = (position[axis] ?? 0) + 1;
      position[axis] = next < (sizes[axis] ?? 1) ? next : 0;
      if (position[axis] !== 0) break;
    }
  }
  return result;
};

/** Applies what TensorFlow fused into the operation; the last step writes `node.name`. */
const activations: Readonly<Record<string, string>> = { Relu: "Relu", Relu6: "Clip", Sigmoid: "Sigmoid" };

const addActivation = (opType: string, input: string, output: string, builder: Builder) => {
  if (opType !== "Clip") return builder.addNode(opType, [input], output);
  const bounds = [builder.addFloats("bound/0", [], [0]), builder.addFloats("bound/6", [], [6])];
  builder.addNode("Clip", [input, ...bounds], output);
};

const convolution =
  (depthwise: boolean): Convert =>
  (node, builder) => {
    const source = builder.valueOf(inputAt(node, 0));
    const weight = weightAt(node, 1, builder);
    const [kernelHeight = 0, kernelWidth = 0, weightIn = 0, weightOut = 0] = weight.shape;
    const channels = depthwise ? weightIn * weightOut : weightOut;
    const [, strideHeight = 1, strideWidth = 1] = integersOf(node, "strides") ?? [];
    const [, dilationHeight = 1, dilationWidth = 1] = integersOf(node, "dilations") ?? [];
    const padding = textOf(node, "padding");
    if (padding !== "SAME" && padding !== "VALID") throw refuse(node, `padding ${padding}, expected SAME or VALID`);
    if ((textOf(node, "data_format") ?? "NHWC") !== "NHWC") throw refuse(node, "channels first, expected channels last");

    // [height, width, in, out] → [out, in, height, width]; depthwise [height, width, in, multiplier] → [in × multiplier, 1, …].
    const dims = depthwise ? [channels, 1, kernelHeight, kernelWidth] : [channels, weightIn, kernelHeight, kernelWidth];
    const kernel = builder.addFloats(`${node.name}/weights`, dims, permute(weight, depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1]));
    const fused = textsOf(node, "fused_ops");
    const activation = fused.find((name) => name !== "BiasAdd");
    const activationOp = activation === undefined ? undefined : activations[activation];
    if (activation !== undefined && !activationOp) throw refuse(node, `fused with ${activation}`);
    const bias = fused.includes("BiasAdd")
      ? [builder.addFloats(`${node.name}/bias`, [channels], weightAt(node, 2, builder).values)]
      : [];
    const output = activationOp ? `${node.name}/convolution` : node.name;
    builder.addNode("Conv", [source.name, kernel, ...bias], output, [
      text("auto_pad", padding === "SAME" ? "SAME_UPPER" : "VALID"),
      integer("group", depthwise ? source.channels : 1),
      integers("kernel_shape", [kernelHeight, kernelWidth]),
      integers("strides", [strideHeight, strideWidth]),
      integers("dilations", [dilationHeight, dilationWidth]),
    ]);
    if (activationOp) addActivation(activationOp, output, node.name, builder);
    const side = (size: number, kernelSize: number, stride: number, dilation: number) =>
      Math.ceil((padding === "SAME" ? size : size - (kernelSize - 1) * dilation) / stride);
    return {
      name: node.name,
      channels,
      height: side(source.height, kernelHeight, strideHeight, dilationHeight),
      width: side(source.width, kernelWidth, strideWidth, dilationWidth),
    };
  };

const unary =
  (opType: string): Convert =>
  (node, builder) => {
    const source = builder.valueOf(inputAt(node, 0));
    addActivation(opType, source.name, node.name, builder);
    return { ...source, name: node.name };
  };

const binary =
  (opType: string): Convert =>
  (node, builder) => {
    const operands = [inputAt(node, 0), inputAt(node, 1)].map((reference, index) => {
      const constant = builder.constantOf(reference);
      if (!constant) return builder.valueOf(reference);
      // A constant is one number, or one a channel along the last axis, which here is the second.
      const count = constant.values.length;
      if (count > 1 && constant.shape.at(-1) !== count) throw refuse(node, `a constant of shape [${constant.shape.join(", ")}]`);
      return builder.addFloats(`${node.name}/constant${index}`, count > 1 ? [1, count, 1, 1] : [], constant.values);
    });
    const [largest] = operands
      .filter((operand) => typeof operand !== "string")
      .sort((a, b) => b.channels * b.height * b.width - a.channels * a.height * a.width);
    if (!largest) throw refuse(node, "both inputs are constants");
    builder.addNode(
      opType,
      operands.map((operand) => (typeof operand === "string" ? operand : operand.name)),
      node.name,
    );
    return { ...largest, name: node.name };
  };

const mean: Convert = (node, builder) => {
  const source = builder.valueOf(inputAt(node, 0));
  const axes = [...weightAt(node, 1, builder).values].sort();
  if (axes.join() !== "1,2" || !flagOf(node, "keep_dims"))
    throw refuse(node, "expected a mean over height and width that keeps them");
  builder.addNode("GlobalAveragePool", [source.name], node.name);
  return { ...source, name: node.name, height: 1, width: 1 };
};

const resizeBilinear: Convert = (node, builder) => {
  const source = builder.valueOf(inputAt(node, 0));
  const [height = 0, width = 0] = weightAt(node, 1, builder).values;
  if (flagOf(node, "align_corners")) throw refuse(node, "corners are aligned");
  const factors = [1, 1, height / source.height, width / source.width];
  const scales = builder.addFloats(`${node.name}/scales`, [4], factors);
  builder.addNode("Resize", [source.name, "", scales], node.name, [
    text("mode", "linear"),
    text("coordinate_transformation_mode", flagOf(node, "half_pixel_centers") ? "half_pixel" : "asymmetric"),
  ]);
  return { ...source, name: node.name, height, width };
};

const concat: Convert = (node, builder) => {
  const parts = node.input.slice(0, -1).map((reference) => builder.valueOf(reference));
  const axis = weightAt(node, node.input.length - 1, builder).values[0];
  const [first] = parts;
  if (!first || (axis !== 3 && axis !== -1)) throw refuse(node, `along axis ${axis}, expected the channels`);
  builder.addNode(
    "Concat",
    parts.map(({ name }) => name),
    node.name,
    [integer("axis", 1)],
  );
  return { ...first, name: node.name, channels: parts.reduce((sum, { channels }) => sum + channels, 0) };
};

const table: Readonly<Record<string, Convert>> = {
  Identity: unary("Identity"),
  Conv2D: convolution(false),
  _FusedConv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedDepthwiseConv2dNative: convolution(true),
  Relu: unary("Relu"),
  Relu6: unary("Clip"),
  Sigmoid: unary("Sigmoid"),
  Add: binary("Add"),
  AddV2: binary("Add"),
  Sub: binary("Sub"),
  Mul: binary("Mul"),
  Mean: mean,
  ResizeBilinear: resizeBilinear,
  ConcatV2: concat,
};

export const convertNode: Convert = (node, builder) => {
  const convert = table[node.op];
  if (!convert) throw refuse(node, `known are ${Object.keys(table).join(", ")}`);
  return convert(node, builder);
};
