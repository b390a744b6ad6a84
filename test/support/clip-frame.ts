/** One frame of a test clip, fitted into a model input as a camera does it. */
import { Decoder, Demuxer, Scaler } from "node-av/api";

export type ClipFrame = {
  readonly imageWidth: number;
  readonly imageHeight: number;
  /** RGB of the whole frame, row by row. */
  readonly picture: Uint8Array;
  /** `inputSize` × `inputSize` RGB with the frame at the top left and grey around it. */
  readonly fit: (inputSize: number) => { readonly input: Uint8Array; readonly inputScale: number };
};

/** Decodes up to frame `index` (from 0). */
export const clipFrame = async (path: string, index: number, sizes: readonly number[]): Promise<ClipFrame> => {
  const demuxer = await Demuxer.open(path);
  const stream = demuxer.video();
  if (!stream) throw new Error(`${path} has no video`);
  const decoder = await Decoder.create(stream, { options: { threads: "1" } });
  using scaler = new Scaler();
  let seen = 0;
  try {
    for await (const frame of decoder.frames(demuxer.packets(stream.index))) {
      if (!frame) break;
      if (seen++ < index) {
        frame.free();
        continue;
      }
      const { width: imageWidth, height: imageHeight } = frame;
      const picture = new Uint8Array(scaler.toBufferSync(frame, { format: "rgb" }));
      const inputs = new Map<number, { readonly input: Uint8Array; readonly inputScale: number }>();
      for (const size of sizes) {
        const inputScale = Math.min(size / imageWidth, size / imageHeight);
        const [width, height] = [Math.round(imageWidth * inputScale), Math.round(imageHeight * inputScale)];
        const pixels = scaler.toBufferSync(frame, { format: "rgb", resize: { width, height } });
        const input = new Uint8Array(size * size * 3).fill(114);
        for (let row = 0; row < height; row++) {
          input.set(pixels.subarray(row * width * 3, (row + 1) * width * 3), row * size * 3);
        }
        inputs.set(size, { input, inputScale });
      }
      frame.free();
      const fit = (inputSize: number) => {
        const found = inputs.get(inputSize);
        if (!found) throw new Error(`the frame was not fitted into ${inputSize}`);
        return found;
      };
      return { imageWidth, imageHeight, picture, fit };
    }
    throw new Error(`${path} has ${seen} frames, asked for number ${index}`);
  } finally {
    decoder.close();
    await demuxer.close();
  }
};
