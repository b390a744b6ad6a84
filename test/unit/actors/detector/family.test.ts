import { describe, expect, test } from "bun:test";
import { recognise } from "../../../../actors/detector/family.ts";
import { Fault } from "../../../../runtime/errors.ts";
import { onnxModel, value } from "../../../support/tiny-onnx.ts";

type Dims = readonly (number | null)[];
const model = (input: Dims, outputs: readonly Dims[], metadata?: Readonly<Record<string, string>>) =>
  onnxModel({
    input: value("images", input),
    outputs: outputs.map((dims, index) => value(`out${index}`, dims)),
    ...(metadata ? { metadata } : {}),
  });
const names = { names: "{0: 'person', 1: \"traffic_light\"}" };

describe("a known head", () => {
  test.each<[string, Dims, readonly Dims[], Readonly<Record<string, string>> | undefined, string, number | null, number]>([
    ["YOLOX, which follows its input", [1, 3, 416, 416], [[1, 3549, 85]], undefined, "yolox", null, 80],
    ["YOLOX with open rows", [1, 3, 416, 416], [[1, null, 85]], undefined, "yolox", null, 80],
    ["YOLOv5 of 640", [1, 3, 640, 640], [[1, 25200, 85]], undefined, "yolov5", 640, 80],
    [
      "YOLOv5 with the raw maps behind",
      [1, 3, 320, 320],
      [
        [1, 6300, 85],
        [1, 3, 40, 40, 85],
      ],
      undefined,
      "yolov5",
      320,
      80,
    ],
    ["YOLOv5, all open, by its metadata", [null, 3, null, null], [[null, null, 7]], names, "yolov5", null, 2],
    ["YOLOv8 of 640", [1, 3, 640, 640], [[1, 84, 8400]], undefined, "yolov8", 640, 80],
    ["YOLOv8 with open rows", [null, 3, null, null], [[null, 6, null]], names, "yolov8", null, 2],
    [
      "NanoDet",
      [1, 3, 416, 416],
      [
        [1, 2704, 80],
        [1, 676, 80],
        [1, 169, 80],
        [1, 2704, 44],
        [1, 676, 44],
        [1, 169, 44],
      ],
      undefined,
      "nanodet",
      416,
      80,
    ],
    [
      "CenterNet, which follows its input",
      [1, 3, null, null],
      [
        [1, 4, null, null],
        [1, 80, null, null],
      ],
      undefined,
      "centernet",
      null,
      80,
    ],
  ])("%s", (_name, input, outputs, metadata, family, fixedInputSize, classCount) => {
    const found = recognise(model(input, outputs, metadata), "it");
    expect({ ...found, classes: found.classes.length }).toEqual({
      family: family as typeof found.family,
      fixedInputSize,
      classes: classCount,
    });
  });

  test("names of the metadata come before those of COCO", () => {
    expect(recognise(model([1, 3, 640, 640], [[1, 6, 8400]], names), "it").classes).toEqual(["person", "traffic_light"]);
  });

  test("weights among the inputs, as old exports list them, are no picture", () => {
    const old = model([1, 3, 416, 416], [[1, 3549, 85]]);
    old.graph.initializer = [{ name: "w", dataType: 1, dims: [1] }];
    old.graph.input = [value("w", [1]), ...old.graph.input];
    expect(recognise(old, "it").family).toBe("yolox");
  });
});

describe("what is refused, with what was seen and what is known", () => {
  test.each<[string, ReturnType<typeof model>, RegExp]>([
    [
      "a classifier",
      model([1, 3, 224, 224], [[1, 1000]]),
      /outputs out0 \[1, 1000\], which fit no known head; known are YOLOX, /,
    ],
    ["suppression built in", model([1, 3, 640, 640], [[1, 300, 6]]), /out0 \[1, 300, 6\], which fit no known head/],
    ["three classes without names", model([1, 3, 640, 640], [[1, 7, 8400]]), /knows 3 classes without naming them/],
    ["a wide input", model([1, 3, 384, 640], [[1, 84, 5040]]), /pictures of 640 × 384; expected a square input/],
    [
      "grey pictures",
      model([1, 1, 416, 416], [[1, 3549, 85]]),
      /inputs images \[1, 1, 416, 416\]; expected one of 32-bit floats/,
    ],
    ["a batch of 8", model([8, 3, 416, 416], [[8, 3549, 85]]), /inputs images \[8, 3, 416, 416\]/],
  ])("%s", (_name, refused, expected) => {
    expect(() => recognise(refused, "detector.model x.onnx")).toThrow(expected);
    expect(() => recognise(refused, "detector.model x.onnx")).toThrow(Fault);
  });

  test("an input of 16-bit floats", () => {
    const half = onnxModel({ input: value("images", [1, 3, 640, 640], 10), outputs: [value("out", [1, 84, 8400])] });
    expect(() => recognise(half, "it")).toThrow(/expected one of 32-bit floats/);
  });
});
