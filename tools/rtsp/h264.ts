/** Annex-B H.264 from any clip, for the RTSP server. Made once and kept under `.cache/test/`. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Decoder, Demuxer, Encoder } from "node-av/api";
import { AV_LOG_QUIET, AV_PIX_FMT_YUV420P, FF_ENCODER_LIBX264 } from "node-av/constants";
import { Log } from "node-av/lib";

export type H264Options = {
  readonly width?: number;
  readonly height?: number;
  /** Frames from one key frame to the next. */
  readonly gop?: number;
  readonly framesMax?: number;
};

const repository = resolve(import.meta.dirname, "../..");

const encode = async (input: string, output: string, { width, height, gop = 5, framesMax = 795 }: H264Options): Promise<void> => {
  const demuxer = await Demuxer.open(input);
  const stream = demuxer.video();
  if (!stream) throw new Error(`${input} has no video stream`);
  const rescale = { pixelFormat: AV_PIX_FMT_YUV420P, ...(width && height ? { width, height } : {}) };
  const decoder = await Decoder.create(stream, { threadCount: 1, rescale });
  const encoder = await Encoder.create(FF_ENCODER_LIBX264, {
    decoder,
    gopSize: gop,
    maxBFrames: 0,
    threadCount: 1,
    options: { preset: "veryfast", tune: "zerolatency", "x264-params": `keyint=${gop}:scenecut=0:repeat-headers=1` },
  });
  const file = Bun.file(output).writer();
  let count = 0;
  const limited = async function* () {
    for await (const frame of decoder.frames(demuxer.packets(stream.index))) {
      if (!frame) continue;
      if (count++ >= framesMax) {
        frame.free();
        break;
      }
      frame.timeBase = stream.timeBase; // a rescaled frame comes without
      yield frame;
    }
    yield null;
  };
  for await (const packet of encoder.packets(limited())) {
    if (packet?.data) file.write(new Uint8Array(packet.data));
    packet?.free();
  }
  await file.end();
  encoder.close();
  decoder.close();
  await demuxer.close();
};

/** The path of the clip as H.264; encodes it on first use. */
export const h264Clip = async (input: string, options: H264Options = {}): Promise<string> => {
  const { width = 0, height = 0, gop = 5, framesMax = 795 } = options;
  const name = (input.split(/[\\/]/).at(-1) ?? "clip").replace(/\W+/g, "-");
  const path = resolve(repository, ".cache/test", `${name}-${width}x${height}-g${gop}-n${framesMax}.h264`);
  if (existsSync(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.part`;
  Log.setLevel(AV_LOG_QUIET);
  try {
    await encode(input, partial, options);
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  return path;
};
