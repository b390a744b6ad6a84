/**
 * CenterNet (Zhou et al., 2019) in the form of 610265158/mobilenetv3_centernet, channels first: class heat maps
 * [1, classes, h, w] and, for each cell, the distances [1, 4, h, w] in input pixels from the cell to the left, top,
 * right and bottom side. A cell that is the highest of its 3 × 3 neighbours is an object, so few boxes overlap.
 */
import type { Candidate } from "../suppress.ts";
import { type Head, wrongShape } from "./head.ts";

/** Input pixels per cell. */
const stride = 4;

const isPeak = (map: Float32Array, offset: number, side: number, row: number, column: number): boolean => {
  const value = map[offset + row * side + column] ?? 0;
  for (let y = Math.max(0, row - 1); y <= Math.min(side - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(side - 1, column + 1); x++) {
      if ((map[offset + y * side + x] ?? 0) > value) return false;
    }
  }
  return true;
};

export const decodeCenternet: Head = (outputs, { inputSize, classCount, wanted, threshold }) => {
  const side = inputSize / stride;
  const cells = side * side;
  const withChannels = (channels: number) =>
    outputs.find(({ dims, data }) => dims[1] === channels && data.length === channels * cells)?.data;
  const heat = withChannels(classCount);
  const distances = withChannels(4);
  if (!heat || !distances) {
    throw wrongShape("CenterNet", outputs, `[1, ${classCount}, ${side}, ${side}] and [1, 4, ${side}, ${side}]`);
  }
  const candidates: Candidate[] = [];
  for (const classIndex of wanted) {
    const offset = classIndex * cells;
    for (let cell = 0; cell < cells; cell++) {
      const confidence = heat[offset + cell] ?? 0;
      if (confidence < threshold) continue;
      const row = Math.floor(cell / side);
      const column = cell % side;
      if (!isPeak(heat, offset, side, row, column)) continue;
      const [left, top, right, bottom] = [0, 1, 2, 3].map((index) => distances[index * cells + cell] ?? 0);
      const [x, y] = [column * stride, row * stride];
      candidates.push({
        classIndex,
        confidence,
        box: [x - (left ?? 0), y - (top ?? 0), x + (right ?? 0), y + (bottom ?? 0)],
      });
    }
  }
  return candidates;
};
