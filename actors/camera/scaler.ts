/** From a decoded frame into a slot: the picture in RGB, at most as large as the slot, and the letterboxed model input. */
import { AV_PIX_FMT_RGB24, type AVPixelFormat, SWS_BILINEAR } from "node-av/constants";
import { type Frame, SoftwareScaleContext } from "node-av/lib";
import { type FramePool, type Lease, pictureWidthMax } from "../../runtime/frame-pool.ts";
import { letterbox, pad, pictureSize, type Size } from "./fit.ts";

/** One conversion; the native context is made again when the source changes its size or format. */
const createStep = () => {
  let context: SoftwareScaleContext | null = null;
  let madeFor = "";
  return {
    run(frame: Frame, planes: Buffer[], strides: number[], to: Size, out: Buffer, outStride: number): void {
      const wanted = `${frame.width}x${frame.height} ${frame.format} ${to.width}x${to.height}`;
      if (!context || wanted !== madeFor) {
        context?.freeContext();
        context = new SoftwareScaleContext();
        // A video frame's format is a pixel format; the type also covers audio.
        const format = frame.format as AVPixelFormat;
        context.getContext(frame.width, frame.height, format, to.width, to.height, AV_PIX_FMT_RGB24, SWS_BILINEAR);
        madeFor = wanted;
      }
      const rows = context.scaleSync(planes, strides, 0, frame.height, [out], [outStride]);
      if (rows !== to.height) throw new Error(`the scaler wrote ${rows} of ${to.height} rows`);
    },
    close() {
      context?.freeContext();
      context = null;
    },
  };
};

export const createScaler = () => {
  const picture = createStep();
  const input = createStep();
  const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    write(frame: Frame, frames: FramePool, lease: Lease): void {
      const planes = frame.data;
      if (!planes || !(frame.width > 0 && frame.height > 0)) throw new Error("the frame has no pixels");
      const { inputSize, pictureBytes } = frames.layout;
      const strides = frame.linesize;
      const shown = pictureSize(frame, pictureBytes, pictureWidthMax);
      picture.run(frame, planes, strides, shown, bufferOf(frames.picture(lease)), shown.width * 3);
      const image = letterbox(frame, inputSize);
      const inputArea = frames.input(lease);
      input.run(frame, planes, strides, image, bufferOf(inputArea), inputSize * 3);
      pad(inputArea, inputSize, image);
      frames.setHeader(lease, { pictureWidth: shown.width, pictureHeight: shown.height, inputScale: image.scale });
    },
    close() {
      picture.close();
      input.close();
    },
  };
};
