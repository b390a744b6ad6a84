/** The engine finds the same with the wanted classes alone as with all of them. */
import { expect, test } from "bun:test";
import { cocoClasses, defaultAllowedClasses } from "../../../actors/detector/classes.ts";
import { families } from "../../../actors/detector/family.ts";
import { floatTensor, int64Tensor, takeFrames } from "../../../actors/detector/graph.ts";
import { prepareModel } from "../../../actors/detector/model.ts";
import { attributeType, decodeOnnx, encodeOnnx, type OnnxModel } from "../../../actors/detector/onnx.proto.ts";
import { readingPlan } from "../../../actors/detector/postprocess.ts";
import { openSession } from "../../../actors/detector/session.ts";
import { keepWantedClasses } from "../../../actors/detector/wanted-classes.ts";
import type { Detection } from "../../../protocols/frame.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { node, onnxModel, tinyYoloxCells, value } from "../../support/tiny-onnx.ts";

const inputSize = 32;
const strides = [8, 16, 32];
const all = cocoClasses.length;
const reading = { confidenceThreshold: 0.2, iouThreshold: 0.5, detectionsMax: 200 };
const ints = (name: string, ...values: number[]) => ({ name, type: attributeType.ints, ints: values });
const axis = (of: number) => ({ name: "axis", type: attributeType.int, i: of });

/** A YOLOX head over the mean colours of each cell, with weights of chance. */
const chanceYolox = (seed: number): OnnxModel => {
  const random = seededRandom(seed);
  const chance = (name: string, dims: readonly number[], spread: number) =>
    floatTensor(
      name,
      dims,
      Array.from({ length: dims.reduce((product, size) => product * size, 1) }, () => (random.next() - 0.5) * spread),
    );
  const parts = strides.map((stride) => {
    const conv = (name: string) =>
      node("Conv", [`mean/${stride}`, `${name}/${stride}/weight`, `${name}/${stride}/bias`], `${name}/${stride}`);
    return [
      node("AveragePool", ["image"], `mean/${stride}`, [ints("kernel_shape", stride, stride), ints("strides", stride, stride)]),
      conv("box"),
      conv("objectness"),
      conv("classes"),
      node("Sigmoid", [`objectness/${stride}`], `objectness/${stride}/sure`),
      node("Sigmoid", [`classes/${stride}`], `classes/${stride}/sure`),
      node("Concat", [`box/${stride}`, `objectness/${stride}/sure`, `classes/${stride}/sure`], `grid/${stride}`, [axis(1)]),
      node("Reshape", [`grid/${stride}`, `shape/${stride}`], `rows/${stride}`),
    ];
  });
  const weights = strides.flatMap((stride) => [
    int64Tensor(`shape/${stride}`, [3], [1, 5 + all, -1]),
    ...[
      ["box", 4],
      ["objectness", 1],
      ["classes", all],
    ].flatMap(([name, count]) => [
      chance(`${name}/${stride}/weight`, [Number(count), 3, 1, 1], 0.05),
      chance(`${name}/${stride}/bias`, [Number(count)], 1),
    ]),
  ]);
  return onnxModel({
    input: value("image", [1, 3, inputSize, inputSize]),
    outputs: [value("output", [1, tinyYoloxCells, 5 + all])],
    nodes: [
      ...parts.flat(),
      node(
        "Concat",
        strides.map((stride) => `rows/${stride}`),
        "cells",
        [axis(2)],
      ),
      node("Transpose", ["cells"], "output", [ints("perm", 0, 2, 1)]),
    ],
    weights,
  });
};

const frameOf = (seed: number): Uint8Array => {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: inputSize * inputSize * 3 }, () => Math.floor(random.next() * 256));
};
const geometry = { inputScale: 1, imageWidth: inputSize, imageHeight: inputSize };

/** The engine may add up in another order on another machine. */
const rounded = (detections: readonly Detection[] = []) =>
  detections.map(({ class: name, confidence, bbox }) => [name, confidence.toFixed(4), ...bbox.map((side) => side.toFixed(2))]);

test("the detections are the same", async () => {
  const bytes = encodeOnnx(chanceYolox(7));
  const settings = { model: "it", cacheDir: "", inputSize, allowedClasses: defaultAllowedClasses, reading };
  const prepared = prepareModel(bytes, "it", settings);
  expect(prepared.plan.classes).toEqual(cocoClasses.filter((name) => defaultAllowedClasses.includes(name)));

  const whole = decodeOnnx(bytes, "it");
  takeFrames(whole, families.yolox.feed, inputSize, "it");
  const wholePlan = readingPlan({ family: "yolox", classes: cocoClasses }, inputSize, defaultAllowedClasses, reading);
  const sessions = [
    await openSession(encodeOnnx(whole), wholePlan, ["cpu"]),
    await openSession(prepared.bytes, prepared.plan, ["cpu"]),
  ];
  let found = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const frame = frameOf(seed);
    const [before, after] = await Promise.all(sessions.map(({ detect }) => detect(frame, geometry)));
    expect(rounded(after)).toEqual(rounded(before));
    found += before?.length ?? 0;
  }
  expect(found).toBeGreaterThan(8);
  for (const { release } of sessions) await release();
});

test.each<[string, (model: OnnxModel) => void]>([
  ["whose output is not transposed", ({ graph }) => void graph.node.pop()],
  [
    "whose scores are used by another node",
    ({ graph }) => void graph.node.push(node("Identity", ["classes/8/sure"], "scores again")),
  ],
  ["with a second output", ({ graph }) => void graph.output.push(value("raw", [1, tinyYoloxCells, 5 + all]))],
  ["that lists its weights among the inputs", ({ graph }) => void graph.input.push(value("classes/16/weight", [all, 3, 1, 1]))],
  [
    "that brings a grid into rows of another width",
    ({ graph }) => {
      graph.initializer = graph.initializer.map((tensor) =>
        tensor.name === "shape/32" ? int64Tensor("shape/32", [3], [1, -1, 1]) : tensor,
      );
    },
  ],
])("a model %s stays as it is", (_, change) => {
  const model = chanceYolox(7);
  change(model);
  const before = encodeOnnx(model);
  expect(keepWantedClasses(model, all, [0, 2])).toBe(false);
  expect(encodeOnnx(model)).toEqual(before);
});
