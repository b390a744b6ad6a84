/** JPEG from RGB pixels. The only file that knows the codec library. */
import { compressSync, FORMAT_RGB, SAMP_420 } from "@julusian/jpeg-turbo";

export type CropLimits = {
  /** 1 to 100. The first quality tried. */
  readonly quality: number;
  /** The picture is made worse, then smaller, until it fits. */
  readonly maxBytes: number;
  /** The longer side is brought down to this before anything else. */
  readonly sideMax?: number;
};

type Pixels = { readonly data: Uint8Array; readonly width: number; readonly height: number };

/** Tried after the asked quality, before the picture is made smaller. */
const fallbackQualities = [75, 60, 45, 30];
const shrink = 0.7;
const sideMin = 16;

/** A baseline JPEG of a whole picture; the bytes are the caller's own. */
export const encodeJpeg = (picture: Uint8Array, width: number, height: number, quality: number): Uint8Array => {
  const bytes = width * height * 3;
  if (picture.byteLength < bytes) throw new Error(`a ${width}x${height} picture has ${bytes} bytes, got ${picture.byteLength}`);
  const raw = Buffer.from(picture.buffer, picture.byteOffset, bytes);
  // The library hands out a view into a far larger buffer, so what is kept is copied.
  return new Uint8Array(compressSync(raw, { format: FORMAT_RGB, width, height, quality, subsampling: SAMP_420 }));
};

/** The part of the picture inside the box and its margin, clipped and truncated to whole pixels; null when nothing is left. */
const crop = (picture: Uint8Array, width: number, height: number, box: readonly number[], marginPx: number): Pixels | null => {
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = box;
  const left = Math.trunc(Math.max(0, x1 - marginPx));
  const top = Math.trunc(Math.max(0, y1 - marginPx));
  const cropWidth = Math.trunc(Math.min(width, x2 + marginPx)) - left;
  const cropHeight = Math.trunc(Math.min(height, y2 + marginPx)) - top;
  if (!(cropWidth > 0 && cropHeight > 0)) return null;
  const data = new Uint8Array(cropWidth * cropHeight * 3);
  for (let row = 0; row < cropHeight; row++) {
    const from = ((top + row) * width + left) * 3;
    data.set(picture.subarray(from, from + cropWidth * 3), row * cropWidth * 3);
  }
  return { data, width: cropWidth, height: cropHeight };
};

/** Smaller by averaging the source pixels that fall into each target pixel. */
const scaleDown = (source: Pixels, scale: number): Pixels => {
  const width = Math.max(1, Math.round(source.width * scale));
  const height = Math.max(1, Math.round(source.height * scale));
  const data = new Uint8Array(width * height * 3);
  const sums = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    const fromRow = Math.floor((y * source.height) / height);
    const toRow = Math.max(fromRow + 1, Math.floor(((y + 1) * source.height) / height));
    for (let x = 0; x < width; x++) {
      const fromColumn = Math.floor((x * source.width) / width);
      const toColumn = Math.max(fromColumn + 1, Math.floor(((x + 1) * source.width) / width));
      sums.fill(0);
      for (let row = fromRow; row < toRow; row++) {
        for (let at = (row * source.width + fromColumn) * 3; at < (row * source.width + toColumn) * 3; at++) {
          sums[at % 3] = (sums[at % 3] ?? 0) + (source.data[at] ?? 0);
        }
      }
      const count = (toRow - fromRow) * (toColumn - fromColumn);
      for (let channel = 0; channel < 3; channel++)
        data[(y * width + x) * 3 + channel] = Math.round((sums[channel] ?? 0) / count);
    }
  }
  return { data, width, height };
};

/**
 * A JPEG of `box` (pixels of this picture) with a margin around it, at most `maxBytes` long. Null when the box lies
 * outside the picture, or when even a very small picture does not fit.
 */
export const encodeCrop = (
  picture: Uint8Array,
  width: number,
  height: number,
  box: readonly [number, number, number, number],
  marginPx: number,
  { quality, maxBytes, sideMax }: CropLimits,
): Uint8Array | null => {
  const whole = crop(picture, width, height, box, marginPx);
  if (!whole) return null;
  const longer = Math.max(whole.width, whole.height);
  let pixels = sideMax !== undefined && longer > sideMax ? scaleDown(whole, sideMax / longer) : whole;
  const qualities = [quality, ...fallbackQualities.filter((lower) => lower < quality)];
  for (;;) {
    for (const attempt of qualities) {
      const jpeg = encodeJpeg(pixels.data, pixels.width, pixels.height, attempt);
      if (jpeg.byteLength <= maxBytes) return jpeg;
    }
    if (Math.max(pixels.width, pixels.height) <= sideMin) return null;
    pixels = scaleDown(pixels, shrink);
  }
};
