/**
 * YOLOX (Ge et al., 2021), anchor-free, exported without decoding: one output [1, cells, 5 + classes] with rows
 * x, y, w, h, objectness, class scores; cells of the grids with strides 8, 16 and 32 one after the other, row by row.
 * Centre = (offset + cell) × stride, size = exp(value) × stride; objectness and scores are probabilities already.
 */
import type { Candidate } from "../suppress.ts";
import { bestClass, cellCount, type Head, wrongShape } from "./head.ts";

const strides = [8, 16, 32] as const;

export const decodeYolox: Head = (outputs, { inputSize, classCount, wanted, threshold }) => {
  const [output] = outputs;
  const width = 5 + classCount;
  const cells = cellCount(inputSize, strides);
  if (!output || output.dims.at(-1) !== width || output.data.length !== cells * width) {
    throw wrongShape("YOLOX", outputs, `[1, ${cells}, ${width}] at input size ${inputSize}`);
  }
  const { data } = output;
  const candidates: Candidate[] = [];
  let at = 0;
  for (const stride of strides) {
    const side = Math.ceil(inputSize / stride);
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++, at += width) {
        // A score is objectness × class, so objectness alone rules most cells out.
        const objectness = data[at + 4] ?? 0;
        if (objectness < threshold) continue;
        const { classIndex, score } = bestClass(data, at + 5, 1, wanted);
        const confidence = objectness * score;
        if (classIndex < 0 || confidence < threshold) continue;
        const x = ((data[at] ?? 0) + column) * stride;
        const y = ((data[at + 1] ?? 0) + row) * stride;
        const halfWidth = (Math.exp(data[at + 2] ?? 0) * stride) / 2;
        const halfHeight = (Math.exp(data[at + 3] ?? 0) * stride) / 2;
        candidates.push({ classIndex, confidence, box: [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight] });
      }
    }
  }
  return candidates;
};
