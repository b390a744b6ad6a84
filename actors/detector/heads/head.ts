/** What every head shares: it reads the model's raw outputs and names the boxes above the threshold. */
import { Fault } from "../../../runtime/errors.ts";
import type { Candidate } from "../suppress.ts";

export type Tensor = { readonly name: string; readonly dims: readonly number[]; readonly data: Float32Array };

export type HeadOptions = {
  readonly inputSize: number;
  readonly classCount: number;
  /** Indexes of the classes to look for. */
  readonly wanted: readonly number[];
  readonly threshold: number;
};

/** Pure: the same outputs give the same candidates, in pixels of the model input. */
export type Head = (outputs: readonly Tensor[], options: HeadOptions) => Candidate[];

/** The outputs do not have the shape that the head was recognised by. */
export const wrongShape = (head: string, outputs: readonly Tensor[], expected: string): Fault =>
  new Fault(
    "invalid_field",
    `the model's outputs ${outputs.map(({ name, dims }) => `${name} [${dims.join(", ")}]`).join(", ")} do not fit its ${head} head, which expects ${expected}`,
  );

/** The most likely wanted class of one row of scores that starts at `offset` and steps by `stride`. */
export const bestClass = (
  data: Float32Array,
  offset: number,
  stride: number,
  wanted: readonly number[],
): { readonly classIndex: number; readonly score: number } => {
  let classIndex = -1;
  let score = 0;
  for (const index of wanted) {
    const value = data[offset + index * stride] ?? 0;
    if (value > score) {
      score = value;
      classIndex = index;
    }
  }
  return { classIndex, score };
};

/** Number of cells of the grids with these strides over a square input. */
export const cellCount = (inputSize: number, strides: readonly number[]): number =>
  strides.reduce((sum, stride) => sum + Math.ceil(inputSize / stride) ** 2, 0);
