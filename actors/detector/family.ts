/** Which kind of detector a model is, told by the shapes of its outputs; and what each kind wants to be fed. */
import { Fault } from "../../runtime/errors.ts";
import { cocoClasses } from "./classes.ts";
import { decodeCenternet } from "./heads/centernet.ts";
import { cellCount, type Head } from "./heads/head.ts";
import { decodeNanodet, nanodetBins } from "./heads/nanodet.ts";
import { decodeYolov5, decodeYolov8 } from "./heads/yolo.ts";
import { decodeYolox } from "./heads/yolox.ts";
import { elementType, type OnnxModel, type OnnxValue, toNumber } from "./onnx.proto.ts";

export type Family = "yolox" | "nanodet" | "centernet" | "yolov5" | "yolov8";

/** A model is fed (pixel − mean) ÷ deviation, in this order of channels. */
export type Feed = {
  readonly order: "rgb" | "bgr";
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
};

type FamilySpec = { readonly feed: Feed; readonly head: Head; readonly anyInputSize: boolean };

const zero = [0, 0, 0] as const;
const unit = [1, 1, 1] as const;
const full = [255, 255, 255] as const;

export const families: Readonly<Record<Family, FamilySpec>> = {
  // Exported with fixed sides, but nothing inside depends on them.
  yolox: { feed: { order: "bgr", mean: zero, deviation: unit }, head: decodeYolox, anyInputSize: true },
  nanodet: {
    feed: { order: "bgr", mean: [103.53, 116.28, 123.675], deviation: [57.375, 57.12, 58.395] },
    head: decodeNanodet,
    anyInputSize: false,
  },
  centernet: { feed: { order: "rgb", mean: zero, deviation: unit }, head: decodeCenternet, anyInputSize: false },
  yolov5: { feed: { order: "rgb", mean: zero, deviation: full }, head: decodeYolov5, anyInputSize: false },
  yolov8: { feed: { order: "rgb", mean: zero, deviation: full }, head: decodeYolov8, anyInputSize: false },
};

export type Recognised = {
  readonly family: Family;
  /** The side that the graph is fixed to, or null when it follows the input. */
  readonly fixedInputSize: number | null;
  readonly classes: readonly string[];
};

/** Dimensions of a value; null where the model leaves one open. */
export const dimensionsOf = (value: OnnxValue): readonly (number | null)[] =>
  (value.type?.tensorType?.shape?.dim ?? []).map(({ dimValue }) => {
    const size = dimValue === undefined ? 0 : toNumber(dimValue);
    return size > 0 ? size : null;
  });

const describe = (value: OnnxValue): string =>
  `${value.name} [${dimensionsOf(value)
    .map((size) => size ?? "?")
    .join(", ")}]`;

/** The graph's one real input: old exports list the weights among the inputs too. */
export const imageInputOf = (model: OnnxModel, source: string): OnnxValue => {
  const weights = new Set(model.graph.initializer.map(({ name }) => name));
  const inputs = model.graph.input.filter(({ name }) => !weights.has(name));
  const [input] = inputs;
  const dims = input ? dimensionsOf(input) : [];
  const isImage = dims.length === 4 && dims[1] === 3 && (dims[0] === 1 || dims[0] === null);
  if (!input || inputs.length !== 1 || !isImage || input.type?.tensorType?.elemType !== elementType.float32) {
    throw new Fault(
      "invalid_field",
      `${source} has the inputs ${inputs.map(describe).join(", ")}; expected one of 32-bit floats, [1, 3, height, width]`,
    );
  }
  return input;
};

/** Class names as Ultralytics' exporter stores them: a Python dictionary, `{0: 'person', 1: 'bicycle'}`. */
const classesOf = (model: OnnxModel, count: number, source: string): readonly string[] => {
  const text = model.metadataProps.find(({ key }) => key === "names")?.value ?? "";
  const names: string[] = [];
  for (const [, index, single, double] of text.matchAll(/(\d+)\s*:\s*(?:'([^']*)'|"([^"]*)")/g)) {
    if (Number(index) < count) names[Number(index)] = single ?? double ?? "";
  }
  if (Object.keys(names).length === count) return names;
  if (count === cocoClasses.length) return cocoClasses;
  throw new Fault(
    "invalid_field",
    `${source} knows ${count} classes without naming them; expected a metadata entry "names" or the 80 classes of COCO`,
  );
};

type Shape = { readonly family: Family; readonly classCount: number };

const singleOutput = (dims: readonly (number | null)[], side: number, namesItsClasses: boolean): Shape | null => {
  const [, second, third] = dims;
  if (dims.length !== 3) return null;
  const cells = cellCount(side, [8, 16, 32]);
  const asRows = (boxes: number | null): Shape | null => {
    if (!third || third <= 5) return null;
    if (boxes === cells) return { family: "yolox", classCount: third - 5 };
    return boxes === 3 * cells ? { family: "yolov5", classCount: third - 5 } : null;
  };
  const rows = asRows(second ?? null);
  if (rows) return rows;
  // The narrow one of the two is what is said of one box; the other counts the boxes, and may be open.
  if (second && second > 4 && (!third || third > second)) return { family: "yolov8", classCount: second - 4 };
  return second ? null : asRows(namesItsClasses ? 3 * cells : cells);
};

const severalOutputs = (all: readonly (readonly (number | null)[])[]): Shape | null => {
  const boxes = all.filter((dims) => dims.length === 3 && dims[2] === 4 * nanodetBins);
  const scores = all.filter((dims) => dims.length === 3 && dims[2] !== 4 * nanodetBins);
  const nanodetClasses = scores[0]?.[2];
  if (boxes.length === 3 && scores.length === 3 && nanodetClasses) return { family: "nanodet", classCount: nanodetClasses };
  const maps = all.filter((dims) => dims.length === 4);
  const heat = maps.find((dims) => dims[1] !== 4)?.[1];
  if (all.length === 2 && maps.length === 2 && maps.some((dims) => dims[1] === 4) && heat) {
    return { family: "centernet", classCount: heat };
  }
  return null;
};

/** Refuses what is no detector of a known kind, with what was seen and what is known. */
export const recognise = (model: OnnxModel, source: string): Recognised => {
  const input = imageInputOf(model, source);
  const [, , height = null, width = null] = dimensionsOf(input);
  if (height !== width) {
    throw new Fault("invalid_field", `${source} takes pictures of ${width} × ${height}; expected a square input`);
  }
  const outputs = model.graph.output.map(dimensionsOf);
  const namesItsClasses = model.metadataProps.some(({ key }) => key === "names");
  // Old YOLOv5 exports add the raw maps of each stride behind the joined output.
  const shape = singleOutput(outputs[0] ?? [], height ?? 640, namesItsClasses) ?? severalOutputs(outputs);
  if (!shape) {
    throw new Fault(
      "invalid_field",
      `${source} has the outputs ${model.graph.output.map(describe).join(", ")}, which fit no known head; known are YOLOX, NanoDet, CenterNet, YOLOv5 and YOLOv8 without built-in suppression`,
    );
  }
  const { family, classCount } = shape;
  return {
    family,
    fixedInputSize: families[family].anyInputSize ? null : height,
    classes: classesOf(model, classCount, source),
  };
};
