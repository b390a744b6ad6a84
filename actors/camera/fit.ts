/** How a picture of any size goes into a slot. */

export type Size = { readonly width: number; readonly height: number };

/** The largest size of this shape that is no larger than the original, no wider than `widthMax` and fits into the bytes. */
export const pictureSize = ({ width, height }: Size, bytesMax: number, widthMax: number): Size => {
  const scale = Math.min(1, widthMax / width, Math.sqrt(bytesMax / (3 * width * height)));
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
};

/** How the original is fitted into a square model input, its top left corner at the input's. */
export const letterbox = ({ width, height }: Size, inputSize: number): Size & { readonly scale: number } => {
  const scale = inputSize / Math.max(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)), scale };
};

/** The grey that YOLOX was trained with around its pictures. */
const padding = 114;

/** Fills what the image does not cover, right of it and below it. */
export const pad = (input: Uint8Array, inputSize: number, image: Size): void => {
  const row = inputSize * 3;
  for (let y = 0; y < image.height && image.width < inputSize; y++) input.fill(padding, y * row + image.width * 3, (y + 1) * row);
  input.fill(padding, image.height * row);
};
