/** Frames of a clip as they stand in the pool: the picture, and the same fitted into the model's input. */
import { Decoder, Demuxer, Scaler } from "node-av/api";

export type ClipFrame = {
  readonly width: number;
  readonly height: number;
  /** RGB, row by row. */
  readonly picture: Uint8Array;
  /** RGB, the picture at the top left and grey around it. */
  readonly input: Uint8Array;
  readonly inputScale: number;
};

const grey = 114;

/** The first `count` frames of the clip at `path`, two a second of a clip of ten. */
export const readClip = async (path: string, count: number, inputSize: number): Promise<readonly ClipFrame[]> => {
  const demuxer = await Demuxer.open(path);
  const stream = demuxer.video();
  if (!stream) throw new Error(`${path} has no video`);
  const decoder = await Decoder.create(stream, { options: { threads: "1" } });
  using scaler = new Scaler();
  const frames: ClipFrame[] = [];
  let seen = 0;
  for await (const frame of decoder.frames(demuxer.packets(stream.index))) {
    if (!frame || frames.length === count) break;
    if (seen++ % 5 === 0) {
      const { width, height } = frame;
      const inputScale = Math.min(inputSize / width, inputSize / height);
      const fitted = { width: Math.round(width * inputScale), height: Math.round(height * inputScale) };
      const pixels = scaler.toBufferSync(frame, { format: "rgb", resize: fitted });
      const input = new Uint8Array(inputSize * inputSize * 3).fill(grey);
      const rowBytes = fitted.width * 3;
      for (let row = 0; row < fitted.height; row++)
        input.set(pixels.subarray(row * rowBytes, (row + 1) * rowBytes), row * inputSize * 3);
      frames.push({ width, height, picture: new Uint8Array(scaler.toBufferSync(frame, { format: "rgb" })), input, inputScale });
    }
    frame.free();
  }
  decoder.close();
  await demuxer.close();
  if (frames.length < count) throw new Error(`${path} has too few frames for ${count}, two a second`);
  return frames;
};
