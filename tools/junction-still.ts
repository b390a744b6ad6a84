/**
 * Writes a picture of the simulated junction, to look at it:
 * `bun tools/junction-still.ts --seed 7 --at 12s [--act tailgating] [--boxes] --out still.png` (or `.jpg`).
 */
import { parseArgs } from "node:util";
import { crc32, deflateSync } from "node:zlib";
import { isActChoice } from "../actors/camera/junction/director.ts";
import { stroke } from "../actors/camera/junction/raster.ts";
import { createRenderer } from "../actors/camera/junction/render.ts";
import { createScene, pictureHeight, pictureWidth } from "../actors/camera/junction/scene.ts";
import { truthOf } from "../actors/camera/junction/truth.ts";

const chunk = (type: string, data: Uint8Array): Uint8Array => {
  const out = new Uint8Array(12 + data.length);
  const fields = new DataView(out.buffer);
  fields.setUint32(0, data.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(data, 8);
  fields.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
};

/** PNG of 8-bit RGB, no filter, one stream. */
const encodePng = (pixels: Uint8Array, width: number, height: number): Uint8Array => {
  const header = new Uint8Array(13);
  const fields = new DataView(header.buffer);
  fields.setUint32(0, width);
  fields.setUint32(4, height);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = new Uint8Array(height * (1 + width * 3));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width * 3, (y + 1) * width * 3), y * (1 + width * 3) + 1);
  const signature = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
  const parts = [signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", new Uint8Array())];
  return Buffer.concat(parts);
};

const encode = async (path: string, pixels: Uint8Array, width: number, height: number): Promise<Uint8Array> => {
  if (!/\.jpe?g$/i.test(path)) return encodePng(pixels, width, height);
  const { compressSync, bufferSize, FORMAT_RGB, SAMP_420 } = await import("@julusian/jpeg-turbo");
  const options = { format: FORMAT_RGB, width, height, subsampling: SAMP_420, quality: 85 } as const;
  const out = Buffer.alloc(bufferSize(options));
  return compressSync(Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength), out, options);
};

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "7" },
    at: { type: "string", default: "12s" },
    act: { type: "string", default: "mixture" },
    boxes: { type: "boolean", default: false },
    out: { type: "string", default: "still.png" },
  },
});
const act = values.act;
if (!isActChoice(act)) throw new Error(`--act takes an act, none or mixture, not ${act}`);
const scene = createScene({ seed: Number(values.seed), act });
scene.advanceTo(Number.parseFloat(values.at) * (/ms$/.test(values.at) ? 1 : 1_000));
const pixels = new Uint8Array(pictureWidth * pictureHeight * 3);
createRenderer(scene).draw(pixels);
const canvas = { width: pictureWidth, height: pictureHeight, pixels };
const truth = truthOf(scene.view, scene.objects());
if (values.boxes) {
  for (const { bbox, confidence } of truth) {
    const [x1, y1, x2, y2] = bbox;
    for (const line of [
      [x1, y1, x2, y1],
      [x2, y1, x2, y2],
      [x2, y2, x1, y2],
      [x1, y2, x1, y1],
    ] as const) {
      stroke(canvas, line, 1.2, [255, 255 * confidence, 0]);
    }
  }
}
await Bun.write(values.out, await encode(values.out, pixels, pictureWidth, pictureHeight));
process.stdout.write(`${values.out}: ${scene.objects().length} road users, ${truth.length} in the picture\n`);
