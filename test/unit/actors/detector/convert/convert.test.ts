import { describe, expect, test } from "bun:test";
import { convertTfjs } from "../../../../../actors/detector/convert/convert.ts";
import { permute } from "../../../../../actors/detector/convert/ops.ts";
import { readTfjs } from "../../../../../actors/detector/convert/tfjs.ts";
import { recognise } from "../../../../../actors/detector/family.ts";
import { convAttr, type TinyNode, tfjsAttr, tinyCenternet, tinyTfjs } from "../../../../support/tiny-tfjs.ts";

test("a weight's axes change their order", () => {
  const weight = { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) };
  expect([...permute(weight, [1, 0])]).toEqual([1, 4, 2, 5, 3, 6]);
  expect([...permute(weight, [0, 1])]).toEqual([1, 2, 3, 4, 5, 6]);
});

test("weights are read one after the other, 16-bit floats widened", () => {
  const { json, weights } = tinyTfjs(
    [1, 64, 64, 3],
    [],
    [
      { name: "a", shape: [3], values: [0.5, -2, 65504], dtype: "float16" },
      { name: "b", shape: [2], values: [7, -7], dtype: "int32" },
      { name: "c", shape: [], values: [0.25] },
    ],
  );
  const model = readTfjs(json, weights);
  expect([...model.weights].map(([name, { values }]) => [name, ...values])).toEqual([
    ["a", 0.5, -2, 65504],
    ["b", 7, -7],
    ["c", 0.25],
  ]);
});

test("a converted CenterNet is recognised, and follows its input", () => {
  const { json, weights } = tinyCenternet();
  const model = convertTfjs(readTfjs(json, weights), ["wh", "keypoints"]);
  expect(recognise(model, "it")).toMatchObject({ family: "centernet", fixedInputSize: null });
  expect(model.graph.node.map(({ opType }) => opType)).toEqual(["Conv", "Conv", "Sigmoid"]);
});

test("a node that several others read is built once", () => {
  const { json, weights } = tinyTfjs(
    [1, 64, 64, 3],
    [
      { name: "a", op: "Relu", input: ["image"] },
      { name: "b", op: "Add", input: ["a", "a:0"] },
      { name: "c", op: "Mul", input: ["b", "a"] },
    ],
    [],
  );
  expect(convertTfjs(readTfjs(json, weights), ["c"]).graph.node.map(({ opType }) => opType)).toEqual(["Relu", "Add", "Mul"]);
});

describe("what cannot be converted is refused by name", () => {
  const convertOne = (node: TinyNode, inputShape = [1, 64, 64, 3]) => {
    const { json, weights } = tinyTfjs(
      inputShape,
      [node],
      [
        { name: "kernel", shape: [1, 1, 3, 3], values: new Array(9).fill(0) },
        { name: "axis", shape: [], values: [1], dtype: "int32" },
        { name: "axes", shape: [2], values: [1, 2], dtype: "int32" },
        { name: "size", shape: [2], values: [128, 128], dtype: "int32" },
      ],
    );
    return () => convertTfjs(readTfjs(json, weights), [node.name]);
  };

  test.each<[string, TinyNode, RegExp]>([
    [
      "an unknown operation",
      { name: "x", op: "TopKV2", input: ["image"] },
      /cannot convert TopKV2 x: known are Identity, Conv2D/,
    ],
    [
      "an odd padding",
      { name: "x", op: "Conv2D", input: ["image", "kernel"], attr: convAttr(1, [], "EXPLICIT") },
      /Conv2D x: padding EXPLICIT/,
    ],
    [
      "an unknown fusion",
      { name: "x", op: "_FusedConv2D", input: ["image", "kernel"], attr: convAttr(1, ["Elu"]) },
      /fused with Elu/,
    ],
    [
      "a kernel that is computed",
      { name: "x", op: "Conv2D", input: ["image", "image"], attr: convAttr(1) },
      /input 1 is computed/,
    ],
    [
      "joining along the height",
      { name: "x", op: "ConcatV2", input: ["image", "image", "axis"] },
      /along axis 1, expected the channels/,
    ],
    [
      "a mean that drops its axes",
      { name: "x", op: "Mean", input: ["image", "axes"] },
      /mean over height and width that keeps them/,
    ],
    [
      "aligned corners",
      { name: "x", op: "ResizeBilinear", input: ["image", "size"], attr: { align_corners: tfjsAttr.flag(true) } },
      /corners are aligned/,
    ],
    ["a missing node", { name: "x", op: "Relu", input: ["nowhere"] }, /no node nowhere/],
    ["too few inputs", { name: "x", op: "Add", input: ["image"] }, /has 1 inputs, expected more than 1/],
  ])("%s", (_name, node, expected) => expect(convertOne(node)).toThrow(expected));

  test("a model of grey pictures", () => {
    expect(convertOne({ name: "x", op: "Relu", input: ["image"] }, [1, 64, 64, 1])).toThrow(/input is \[1, 64, 64, 1\]/);
  });

  test("files that are no model, or end early", () => {
    const { json, weights } = tinyCenternet();
    expect(() => readTfjs("<html>", weights)).toThrow(/is not JSON/);
    expect(() => readTfjs('{"format":"layers-model"}', weights)).toThrow(/not a TensorFlow\.js graph model/);
    expect(() => readTfjs(json, weights.subarray(0, 100))).toThrow(/the weights end within heat\/weights: 100 bytes/);
  });
});
