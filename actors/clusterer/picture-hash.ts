/**
 * Difference hash of the part of a picture that becomes evidence (Krawetz 2013, "Kind of Like That"): the box is averaged down
 * to 9 × 8 cells of brightness, and each bit says whether a cell is brighter than its right neighbour.
 */
import type { Box } from "../../protocols/ids.ts";

const columns = 9;
const rows = 8;
/** Points looked at in a cell, along each side: what a hash costs does not depend on the size of the box. */
const pointsPerSide = 6;
/** Of 255. Even ground trembles by less, and would give bits by chance. */
const brighterBy = 3;

const blank = "0".repeat(2 * rows);

/** Of RGB pixels; null when the box lies outside of the picture, or nothing is to be seen: all such pictures are alike. */
export const pictureHash = (pixels: Uint8Array, width: number, height: number, box: Box, marginPx: number): string | null => {
  const left = Math.max(0, Math.trunc(box[0] - marginPx));
  const top = Math.max(0, Math.trunc(box[1] - marginPx));
  const across = Math.min(width, Math.trunc(box[2] + marginPx)) - left;
  const down = Math.min(height, Math.trunc(box[3] + marginPx)) - top;
  if (!(across > 0 && down > 0) || pixels.length < width * height * 3) return null;

  const brightness = (column: number, row: number): number => {
    let sum = 0;
    for (let j = 0; j < pointsPerSide; j++) {
      const y = top + Math.floor(((row + (j + 0.5) / pointsPerSide) * down) / rows);
      for (let i = 0; i < pointsPerSide; i++) {
        const x = left + Math.floor(((column + (i + 0.5) / pointsPerSide) * across) / columns);
        const at = (y * width + x) * 3;
        // Rec. 601 luma, times 1000.
        sum += 299 * (pixels[at] ?? 0) + 587 * (pixels[at + 1] ?? 0) + 114 * (pixels[at + 2] ?? 0);
      }
    }
    return sum / (1000 * pointsPerSide ** 2);
  };

  let hash = "";
  for (let row = 0; row < rows; row++) {
    let bits = 0;
    let before = brightness(0, row);
    for (let column = 1; column < columns; column++) {
      const next = brightness(column, row);
      bits = (bits << 1) | (before > next + brighterBy ? 1 : 0);
      before = next;
    }
    hash += bits.toString(16).padStart(2, "0");
  }
  return hash === blank ? null : hash;
};
