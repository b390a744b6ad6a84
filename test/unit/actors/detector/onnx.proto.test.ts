import { expect, test } from "bun:test";
import { decodeOnnx, encodeOnnx, toNumber } from "../../../../actors/detector/onnx.proto.ts";
import { onnxModel, tinyYolox, value } from "../../../support/tiny-onnx.ts";

test("a model comes back as it was written, zeros included", () => {
  const bytes = tinyYolox();
  const model = decodeOnnx(bytes, "it");
  expect(toNumber(model.irVersion)).toBe(8);
  const keepdims = model.graph.node[0]?.attribute[0];
  expect(Object.hasOwn(keepdims ?? {}, "i")).toBe(true); // readers ask whether a value was set
  expect(encodeOnnx(model)).toEqual(bytes);
});

test("fields that the subset does not name are kept", () => {
  const bytes = tinyYolox();
  // Field 5 of a model, `model_version`: 77.
  const extended = new Uint8Array([...bytes, 0x28, 77]);
  const again = encodeOnnx(decodeOnnx(extended, "it"));
  expect(again.length).toBe(extended.length);
  expect(Buffer.from(again).includes(Buffer.from([0x28, 77]))).toBe(true);
});

test.each<[string, Uint8Array]>([
  ["a text file", new TextEncoder().encode("yolox_nano.onnx is not here, see README\n")],
  ["an empty file", new Uint8Array()],
  ["half a model", tinyYolox().subarray(0, 4_000)],
  ["a model without a graph", new Uint8Array([8, 8])],
  ["zeros", new Uint8Array(64)],
])("%s is refused by name, with what to do", (_what, bytes) => {
  expect(() => decodeOnnx(bytes, "detector.model /x/y.onnx")).toThrow(
    /^detector\.model \/x\/y\.onnx is not an ONNX model: .*\.onnx file$/,
  );
});

test("weights in a second file are refused", () => {
  const model = onnxModel({
    input: value("image", [1, 3, 32, 32]),
    outputs: [value("output", [1, 21, 85])],
    weights: [{ name: "w", dataType: 1, dims: [1], dataLocation: 1 }],
  });
  expect(() => decodeOnnx(encodeOnnx(model), "it")).toThrow(/keeps its weights in a second file/);
});
