/** JPEG from RGB pixels. The only file that knows the codec library. */
import { bufferSize, compressSync, FORMAT_RGB, SAMP_420 } from "@julusian/jpeg-turbo";

export type CropLimits = {
  /** 1 to 100. The first quality tried. */
  readonly quality: number;
  /** The picture is made worse, then smaller, until it fits. */
  readonly maxBytes: number;
  /** The longer side is brought down to this before anything else. */
  readonly sideMax?: number;
};

/** A picture, or a part of one where it lies: its first pixel, and pixels from one row to the next. */
type Pixels = {
  readonly data: Uint8Array;
  readonly start: number;
  readonly stride: number;
  readonly width: number;
  readonly height: number;
};

/** Tried after the asked quality, before the picture is made smaller. */
const fallbackQualities = [75, 60, 45, 30];
const shrink = 0.7;
const sideMin = 16;

/** What the library writes into: as large as the largest picture yet could become, far more than most do. */
let room = Buffer.alloc(0);

const roomFor = (width: number, height: number): Buffer => {
  const bytes = bufferSize({ width, height, subsampling: SAMP_420 });
  if (room.byteLength < bytes) room = Buffer.alloc(bytes);
  return room;
};

/** The library wants the last row as long as the others; the end of the picture may be nearer than that. */
const whole = (pixels: Pixels): Pixels => {
  const { data, start, stride, width, height } = pixels;
  if ((start + stride * height) * 3 <= data.byteLength) return pixels;
  const copy = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = (start + row * stride) * 3;
    copy.set(data.subarray(from, from + width * 3), row * width * 3);
  }
  return { data: copy, start: 0, stride: width, width, height };
};

const encodePixels = (pixels: Pixels, quality: number): Uint8Array => {
  const { data, start, stride, width, height } = whole(pixels);
  const raw = Buffer.from(data.buffer, data.byteOffset + start * 3, stride * height * 3);
  const options = { format: FORMAT_RGB, width, height, stride, quality, subsampling: SAMP_420 };
  // What is kept is copied out of the room.
  return new Uint8Array(compressSync(raw, roomFor(width, height), options));
};

/** A baseline JPEG of a whole picture; the bytes are the caller's own. */
export const encodeJpeg = (picture: Uint8Array, width: number, height: number, quality: number): Uint8Array => {
  const bytes = width * height * 3;
  if (picture.byteLength < bytes) throw new Error(`a ${width}x${height} picture has ${bytes} bytes, got ${picture.byteLength}`);
  return encodePixels({ data: picture, start: 0, stride: width, width, height }, quality);
};

/** The part of the picture inside the box and its margin, clipped and truncated to whole pixels; null when nothing is left. */
const crop = (picture: Uint8Array, width: number, height: number, box: readonly number[], marginPx: number): Pixels | null => {
  const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = box;
  const left = Math.trunc(Math.max(0, x1 - marginPx));
  const top = Math.trunc(Math.max(0, y1 - marginPx));
  const cropWidth = Math.trunc(Math.min(width, x2 + marginPx)) - left;
  const cropHeight = Math.trunc(Math.min(height, y2 + marginPx)) - top;
  if (!(cropWidth > 0 && cropHeight > 0)) return null;
  return { data: picture, start: top * width + left, stride: width, width: cropWidth, height: cropHeight };
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
        const start = source.start + row * source.stride;
        for (let at = (start + fromColumn) * 3; at < (start + toColumn) * 3; at++) {
          sums[at % 3] = (sums[at % 3] ?? 0) + (source.data[at] ?? 0);
        }
      }
      const count = (toRow - fromRow) * (toColumn - fromColumn);
      for (let channel = 0; channel < 3; channel++)
        data[(y * width + x) * 3 + channel] = Math.round((sums[channel] ?? 0) / count);
    }
  }
  return { data, start: 0, stride: width, width, height };
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
  const cut = crop(picture, width, height, box, marginPx);
  if (!cut) return null;
  const longer = Math.max(cut.width, cut.height);
  let pixels = sideMax !== undefined && longer > sideMax ? scaleDown(cut, sideMax / longer) : cut;
  const qualities = [quality, ...fallbackQualities.filter((lower) => lower < quality)];
  for (;;) {
    for (const attempt of qualities) {
      const jpeg = encodePixels(pixels, attempt);
      if (jpeg.byteLength <= maxBytes) return jpeg;
    }
    if (Math.max(pixels.width, pixels.height) <= sideMin) return null;
    pixels = scaleDown(pixels, shrink);
  }
};
