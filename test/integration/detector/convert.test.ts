/** Converted operations give the numbers that TensorFlow defines for them; what is expected here is worked out by hand. */
import { expect, test } from "bun:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { convertTfjs } from "../../../actors/detector/convert/convert.ts";
import { readTfjs } from "../../../actors/detector/convert/tfjs.ts";
import { decodeCenternet } from "../../../actors/detector/heads/centernet.ts";
import { encodeOnnx } from "../../../actors/detector/onnx.proto.ts";
import { convAttr, type TinyNode, type TinyWeight, tfjsAttr, tinyCenternet, tinyTfjs } from "../../support/tiny-tfjs.ts";

/** Runs the converted model on a picture of `side` whose pixel (row, column) has the channels row, column and 1. */
const run = async (files: ReturnType<typeof tinyTfjs>, outputs: readonly string[], side = 32) => {
  const onnx = encodeOnnx(convertTfjs(readTfjs(files.json, files.weights), outputs));
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1 });
  const pixels = new Float32Array(3 * side * side).fill(1);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      pixels[row * side + column] = row;
      pixels[side * side + row * side + column] = column;
    }
  }
  const values = await session.run({ image: new Tensor("float32", pixels, [1, 3, side, side]) });
  await session.release();
  return outputs.map((name) => {
    const value = values[name];
    if (!(value?.data instanceof Float32Array)) throw new Error(`no output ${name}`);
    const { data, dims } = value;
    const [, , height = 0, width = 0] = dims;
    return { dims, at: (channel: number, row: number, column: number) => data[(channel * height + row) * width + column] };
  });
};
const one = async (node: TinyNode, weights: readonly TinyWeight[], side?: number) => {
  const [output] = await run(tinyTfjs([1, 32, 32, 3], [node], weights), [node.name], side);
  return output ?? expect.unreachable("no output");
};

test("a convolution: weights [height, width, in, out], padding on the right and below first, bias, cut at 6", async () => {
  // Kernel 2 × 2 over channel 0 (the row), stride 2: the sum of the rows r, r, r + 1, r + 1, times 1 and times 0.1.
  const values = [0, 0, 1, 1].flatMap(() => [1, 0.1, 0, 0, 0, 0]);
  const output = await one(
    { name: "x", op: "_FusedConv2D", input: ["image", "kernel", "bias"], attr: convAttr(2, ["BiasAdd", "Relu6"]) },
    [
      { name: "kernel", shape: [2, 2, 3, 2], values },
      { name: "bias", shape: [2], values: [-1, 0.5] },
    ],
  );
  expect(output.dims).toEqual([1, 2, 16, 16]);
  expect([output.at(0, 0, 0), output.at(0, 1, 0), output.at(1, 1, 3)]).toEqual([1, 6, expect.closeTo(1.5, 5)]);
});

test("SAME padding with stride 2 and an odd kernel pads the even picture below only", async () => {
  // Kernel 3 × 3 of ones over channel 2 (all ones) counts the pixels under it.
  const values = new Array(9).fill([0, 0, 1]).flat();
  const output = await one({ name: "x", op: "Conv2D", input: ["image", "kernel"], attr: convAttr(2) }, [
    { name: "kernel", shape: [3, 3, 3, 1], values },
  ]);
  expect([output.at(0, 0, 0), output.at(0, 15, 0), output.at(0, 15, 15)]).toEqual([9, 6, 4]);
});

test("a depthwise convolution keeps the channels apart", async () => {
  const output = await one(
    { name: "x", op: "FusedDepthwiseConv2dNative", input: ["image", "kernel", "bias"], attr: convAttr(1, ["BiasAdd"]) },
    [
      { name: "kernel", shape: [1, 1, 3, 1], values: [1, 10, 100] },
      { name: "bias", shape: [3], values: [0, 0, 5] },
    ],
  );
  expect([output.at(0, 7, 3), output.at(1, 7, 3), output.at(2, 7, 3)]).toEqual([7, 30, 105]);
});

test("constants apply to every pixel, or to each channel", async () => {
  const files = tinyTfjs(
    [1, 32, 32, 3],
    [
      { name: "scaled", op: "Mul", input: ["half", "image"] },
      { name: "moved", op: "AddV2", input: ["scaled", "offsets"] },
    ],
    [
      { name: "half", shape: [], values: [0.5] },
      { name: "offsets", shape: [3], values: [1, 2, 3] },
    ],
  );
  const [output] = await run(files, ["moved"]);
  expect([output?.at(0, 4, 6), output?.at(1, 4, 6), output?.at(2, 4, 6)]).toEqual([3, 5, 3.5]);
});

test("channels are joined, means taken over the picture", async () => {
  const files = tinyTfjs(
    [1, 32, 32, 3],
    [
      { name: "joined", op: "ConcatV2", input: ["image", "image", "axis"] },
      { name: "mean", op: "Mean", input: ["joined", "axes"], attr: { keep_dims: tfjsAttr.flag(true) } },
    ],
    [
      { name: "axis", shape: [], values: [3], dtype: "int32" },
      { name: "axes", shape: [2], values: [1, 2], dtype: "int32" },
    ],
  );
  const [output] = await run(files, ["mean"]);
  expect(output?.dims).toEqual([1, 6, 1, 1]);
  expect([0, 1, 2, 3, 4, 5].map((channel) => output?.at(channel, 0, 0))).toEqual([15.5, 15.5, 1, 15.5, 15.5, 1]);
});

test("resizing is by factor, so another input size works too; between pixels it interpolates from the upper left", async () => {
  const node = { name: "x", op: "ResizeBilinear", input: ["image", "size"] };
  const weights: TinyWeight[] = [{ name: "size", shape: [2], values: [64, 64], dtype: "int32" }];
  for (const side of [32, 48]) {
    const output = await one(node, weights, side);
    expect(output.dims).toEqual([1, 3, 2 * side, 2 * side]);
    expect([output.at(0, 4, 0), output.at(0, 5, 0), output.at(1, 0, 9)]).toEqual([2, 2.5, 4.5]);
  }
});

test("a converted CenterNet answers in the form that its head reads", async () => {
  const outputs = await run(tinyCenternet(), ["wh", "keypoints"], 64);
  expect(outputs.map(({ dims }) => [...dims])).toEqual([
    [1, 4, 16, 16],
    [1, 80, 16, 16],
  ]);
  const [wh, heat] = outputs.map(({ dims, at }) => {
    const [, channels = 0] = dims;
    const data = new Float32Array(channels * 256);
    for (let index = 0; index < data.length; index++)
      data[index] = at(Math.floor(index / 256), Math.floor(index / 16) % 16, index % 16) ?? 0;
    return { name: "", dims, data };
  });
  const options = { inputSize: 64, classCount: 80, wanted: [0], threshold: 0.001 };
  const found = decodeCenternet(wh && heat ? [wh, heat] : [], options);
  expect(found[0]).toMatchObject({ classIndex: 0, box: [-4, -8, 4, 8] });
});
