/**
 * NanoDet (RangiLyu, 2020): for strides 8, 16 and 32 a pair of outputs, class probabilities [1, cells, classes] and
 * box distances [1, cells, 4 × 11]. Each side of a box is a distribution over 0…10 strides (Generalized Focal Loss,
 * Li et al., 2020): its distance from the cell's centre is the expectation of the softmax over its 11 bins.
 */
import type { Candidate } from "../suppress.ts";
import { bestClass, type Head, type Tensor, wrongShape } from "./head.ts";

const strides = [8, 16, 32] as const;
export const nanodetBins = 11;

const expectedDistance = (data: Float32Array, offset: number): number => {
  let highest = Number.NEGATIVE_INFINITY;
  for (let bin = 0; bin < nanodetBins; bin++) highest = Math.max(highest, data[offset + bin] ?? 0);
  let sum = 0;
  let weighted = 0;
  for (let bin = 0; bin < nanodetBins; bin++) {
    const weight = Math.exp((data[offset + bin] ?? 0) - highest);
    sum += weight;
    weighted += bin * weight;
  }
  return weighted / sum;
};

export const decodeNanodet: Head = (outputs, { inputSize, classCount, wanted, threshold }) => {
  const candidates: Candidate[] = [];
  const withWidth = (width: number, cells: number): Tensor => {
    const found = outputs.find(({ dims, data }) => dims.at(-1) === width && data.length === cells * width);
    if (!found) throw wrongShape("NanoDet", outputs, `[1, ${cells}, ${width}] among them at input size ${inputSize}`);
    return found;
  };
  for (const stride of strides) {
    const side = Math.ceil(inputSize / stride);
    const scores = withWidth(classCount, side * side).data;
    const distances = withWidth(4 * nanodetBins, side * side).data;
    for (let cell = 0; cell < side * side; cell++) {
      const { classIndex, score } = bestClass(scores, cell * classCount, 1, wanted);
      if (classIndex < 0 || score < threshold) continue;
      const x = ((cell % side) + 0.5) * stride;
      const y = (Math.floor(cell / side) + 0.5) * stride;
      const sideAt = (index: number) => expectedDistance(distances, (cell * 4 + index) * nanodetBins) * stride;
      candidates.push({ classIndex, confidence: score, box: [x - sideAt(0), y - sideAt(1), x + sideAt(2), y + sideAt(3)] });
    }
  }
  return candidates;
};
