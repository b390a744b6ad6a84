/**
 * Detector weights out of the npm registry, for machines that reach nothing else: `@vladmandic/human` (MIT) ships CenterNet on
 * MobileNetV3 for TensorFlow.js. The package client brings it, checks its integrity and unpacks it; the converter does the rest.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../../runtime/errors.ts";
import type { RunProcess } from "../../runtime/run-process.ts";
import { convertTfjs } from "./convert/convert.ts";
import { readTfjs } from "./convert/tfjs.ts";
import { encodeOnnx } from "./onnx.proto.ts";

export type NpmWeights = {
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  /** Paths within the package and the sha256 of their contents; a package of the same version with other weights is refused. */
  readonly json: { readonly path: string; readonly sha256: string };
  readonly weights: { readonly path: string; readonly sha256: string };
  /** Nodes to cut the graph at. */
  readonly outputs: readonly string[];
};

export const npmWeights: NpmWeights = {
  name: "centernet",
  packageName: "@vladmandic/human",
  version: "3.3.6",
  json: {
    path: "models/centernet.json",
    sha256: "bfb942eaacc5becf738d536663bc4580a0ae9e560722306e6d4dd7fe4a09de05",
  },
  weights: {
    path: "models/centernet.bin",
    sha256: "1b635a15009071f506f9f2b3519b31c072c534888989f30d269ffd44734ef7ef",
  },
  // What comes after these nodes picks peaks; the head here does that.
  outputs: ["tower_0/wh", "tower_0/keypoints"],
};

const timeoutMs = 180_000;

const readChecked = async (folder: string, { path, sha256 }: NpmWeights["json"]): Promise<Uint8Array> => {
  const bytes = new Uint8Array(await readFile(join(folder, path)));
  const found = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  if (found === sha256) return bytes;
  throw new Fault("unavailable", `the npm package holds another ${path}: its sha256 is ${found}, expected ${sha256}`);
};

/** Fetches and converts; gives the bytes of an ONNX file. Works in a temporary folder, and removes it. */
export const fetchNpmWeights = async (
  ports: { readonly runProcess: RunProcess },
  source: NpmWeights = npmWeights,
): Promise<Uint8Array> => {
  const folder = await mkdtemp(join(tmpdir(), "vedette-weights-"));
  try {
    // A package file of its own, else the client would add to the project around it.
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "weights", private: true }));
    const wanted = `${source.packageName}@${source.version}`;
    const flags = ["--ignore-scripts", "--no-save", "--cache-dir", join(folder, "cache")];
    const result = await ports.runProcess([process.execPath, "add", ...flags, wanted], { cwd: folder, timeoutMs });
    if (result?.exitCode !== 0) {
      const { exitCode, errors } = result ?? { exitCode: -1, errors: `${process.execPath} is gone` };
      const why = errors.split("\n").find((line) => line.includes("error")) ?? errors.split("\n").at(-1) ?? "";
      throw new Fault("unavailable", `the npm package ${wanted} was not fetched: ${why.trim() || `exit code ${exitCode}`}`);
    }
    const unpacked = join(folder, "node_modules", source.packageName);
    const [json, weights] = await Promise.all([readChecked(unpacked, source.json), readChecked(unpacked, source.weights)]);
    return encodeOnnx(convertTfjs(readTfjs(new TextDecoder().decode(json), weights), source.outputs));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
