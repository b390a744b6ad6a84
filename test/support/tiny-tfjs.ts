/** A TensorFlow.js graph model of a few nodes, in the two files that it is published as. */

const base64 = (text: string) => Buffer.from(text).toString("base64");
const ints = (...values: readonly number[]) => ({ list: { i: values.map(String) } });

export type TinyWeight = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly dtype?: "float32" | "int32" | "float16";
};
export type TinyNode = {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, unknown>>;
};

/** Attributes as the graph format writes them. */
export const tfjsAttr = {
  ints: (...values: readonly number[]) => ints(...values),
  text: (text: string) => ({ s: base64(text) }),
  texts: (...texts: readonly string[]) => ({ list: { s: texts.map(base64) } }),
  flag: (b: boolean) => ({ b }),
};

export const convAttr = (stride: number, fused: readonly string[] = [], padding = "SAME") => ({
  strides: ints(1, stride, stride, 1),
  dilations: ints(1, 1, 1, 1),
  padding: { s: base64(padding) },
  data_format: { s: base64("NHWC") },
  fused_ops: tfjsAttr.texts(...fused),
});

export const tinyTfjs = (inputShape: readonly number[], nodes: readonly TinyNode[], weights: readonly TinyWeight[]) => {
  const json = JSON.stringify({
    format: "graph-model",
    signature: { inputs: { image: { name: "image", tensorShape: { dim: inputShape.map((size) => ({ size: String(size) })) } } } },
    modelTopology: {
      node: [{ name: "image", op: "Placeholder" }, ...weights.map(({ name }) => ({ name, op: "Const", attr: {} })), ...nodes],
    },
    weightsManifest: [
      {
        paths: ["weights.bin"],
        weights: weights.map(({ name, shape, dtype = "float32" }) => ({
          name,
          shape,
          dtype: dtype === "int32" ? "int32" : "float32",
          ...(dtype === "float16" ? { quantization: { dtype: "float16", original_dtype: "float32" } } : {}),
        })),
      },
    ],
  });
  const bytes = weights.map(({ values, dtype = "float32" }) => {
    const array =
      dtype === "int32" ? Int32Array.from(values) : dtype === "float16" ? Float16Array.from(values) : Float32Array.from(values);
    return new Uint8Array(array.buffer);
  });
  return { json, weights: new Uint8Array(Buffer.concat(bytes)) };
};

/** A CenterNet of one convolution: every fourth pixel is a cell, three classes would be too few to be COCO's, so 80. */
export const tinyCenternet = () =>
  tinyTfjs(
    [1, 64, 64, 3],
    [
      { name: "wh", op: "_FusedConv2D", input: ["image", "wh/weights", "wh/bias"], attr: convAttr(4, ["BiasAdd"]) },
      { name: "heat", op: "_FusedConv2D", input: ["image", "heat/weights", "heat/bias"], attr: convAttr(4, ["BiasAdd"]) },
      { name: "keypoints", op: "Sigmoid", input: ["heat"] },
    ],
    [
      { name: "wh/weights", shape: [1, 1, 3, 4], values: new Array(12).fill(0), dtype: "float16" },
      { name: "wh/bias", shape: [4], values: [4, 8, 4, 8], dtype: "float16" },
      { name: "heat/weights", shape: [1, 1, 3, 80], values: new Array(240).fill(0), dtype: "float16" },
      { name: "heat/bias", shape: [80], values: new Array(80).fill(-5), dtype: "float16" },
    ],
  );
