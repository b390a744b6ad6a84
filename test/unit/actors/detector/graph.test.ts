import { describe, expect, test } from "bun:test";
import { dimensionsOf, families } from "../../../../actors/detector/family.ts";
import { checkInputSize, frameInput, takeFrames } from "../../../../actors/detector/graph.ts";
import { node, onnxModel, value } from "../../../support/tiny-onnx.ts";

const model = () =>
  onnxModel({
    input: value("images", [1, 3, 416, 416]),
    outputs: [value("output", [1, 3549, 85])],
    nodes: [node("Identity", ["images"], "output")],
  });

describe("the edited graph", () => {
  test("takes bytes of the asked size, and no longer claims the shapes of the old one", () => {
    const edited = model();
    edited.graph.valueInfo = [value("inside", [1, 24, 208, 208])];
    takeFrames(edited, families.yolox.feed, 320, "it");
    expect(edited.graph.input.map(({ name }) => name)).toEqual([frameInput]);
    const [input] = edited.graph.input;
    expect(input && dimensionsOf(input)).toEqual([1, 320, 320, 3]);
    expect(input?.type?.tensorType?.elemType).toBe(2);
    expect(edited.graph.valueInfo).toEqual([]);
    expect(edited.graph.output[0]?.type?.tensorType?.shape).toBeUndefined();
  });

  test.each([
    ["yolox", ["Transpose", "Gather", "Cast"]],
    ["nanodet", ["Transpose", "Gather", "Cast", "Sub", "Div"]],
    ["centernet", ["Transpose", "Cast"]],
    ["yolov8", ["Transpose", "Cast", "Sub", "Div"]],
  ] as const)("%s is fed through %p, ending in the model's own input", (family, expected) => {
    const edited = model();
    takeFrames(edited, families[family].feed, 416, "it");
    const added = edited.graph.node.slice(0, -1);
    expect(added.map(({ opType }) => opType)).toEqual([...expected]);
    expect(added[0]?.input).toEqual([frameInput]);
    expect(added.at(-1)?.output).toEqual(["images"]);
    expect(added.slice(1).map(({ input }) => input[0])).toEqual(added.slice(0, -1).map(({ output }) => output[0]));
  });
});

test.each([100, 0, -32, 4096, 416.5])("an input size of %p is refused with its bounds", (size) => {
  expect(() => checkInputSize(size)).toThrow(`detector.inputSize is ${size}; expected a multiple of 32 from 32 to 2048`);
});

test.each([32, 256, 320, 416, 640, 2048])("an input size of %p is taken", (size) => checkInputSize(size));
