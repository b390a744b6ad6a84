/** The eyes' outside: how cameras are opened, and the model behind the detector, which may come later or not at all. */

import { type AddressCheck, createAddressCheck } from "../actors/camera/address.ts";
import { findClip } from "../actors/camera/clip.ts";
import { openJunction } from "../actors/camera/junction.ts";
import { systemLookups } from "../actors/camera/lookup.ts";
import { createMediaSource } from "../actors/camera/media-source.ts";
import { openMedia } from "../actors/camera/node-av.ts";
import { openSourceBy } from "../actors/camera/open.ts";
import { probe } from "../actors/camera/probe.ts";
import { backoffDefaults } from "../actors/camera/reconnect.ts";
import type { OpenSource, ProbeResult } from "../actors/camera/source.ts";
import { resolveModel } from "../actors/detector/model.ts";
import { modelPorts } from "../actors/detector/model-ports.ts";
import { type DetectorPool, defaultWorkers, startDetectorPool } from "../actors/detector/pool.ts";
import { isLoopback } from "../config/rules.ts";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../runtime/clock.ts";
import { reasonOf, StartRefused } from "../runtime/errors.ts";
import { createFramePool, type FramePool, framePoolLayout } from "../runtime/frame-pool.ts";
import type { Log } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { runProcess } from "../runtime/run-process.ts";
import type { Check } from "./ports.ts";

const camerasExpectedMin = 64;
/**
 * Some 325 slots, which serve thousands of cameras, since a slot is held for a moment. The engine takes the pool for a part of its
 * heap and lets garbage grow in proportion to it, so that each slot costs memory although it may never be touched.
 */
const poolMaxBytes = 2 ** 30;
/**
 * Of all simulated cameras together: their frames wait for no worker. So many carry them over a hold-up of some tenths of a second;
 * in a longer one frames are let go before they wait, rather than after.
 */
const simulatedSlotsMax = 128;

const slotsFor = (cameras: Config["cameras"]["list"], workers: number): number => {
  const simulated = cameras.filter(({ url }) => url.startsWith("sim:")).length;
  const ofSimulated = Math.min(2 * simulated, simulatedSlotsMax);
  return Math.max(2 * camerasExpectedMin, 2 * (cameras.length - simulated) + ofSimulated) + 2 * workers;
};
/** Of a process without eyes, which only tries addresses out. */
const slotsWithoutEyes = 2;

export const defaultClip = "file:.cache/media/vtest.avi";

export type Vision = {
  readonly frames: FramePool;
  readonly open: OpenSource;
  readonly addresses: AddressCheck;
  readonly probe: (url: string) => Promise<ProbeResult>;
  /** Null until a model is there. */
  readonly pool: () => DetectorPool | null;
  readonly modelType: () => string;
  readonly check: () => Check;
  /** Looks for model and clip, fetching what is missing; resolves when both are there or given up. Rejects for a configured model that is none. */
  readonly prepare: (cameraUrls: readonly string[]) => Promise<void>;
  readonly close: () => Promise<void>;
};

export const createVision = (
  config: Config,
  clock: Clock,
  log: Log,
  metrics: Metrics,
  hasEyes: boolean,
  onExhausted: (reason: string) => void,
): Vision => {
  const { cameras, detector, server } = config;
  const workers = detector.workers === "auto" ? defaultWorkers() : detector.workers;
  const { inputSize } = detector;
  const wanted = hasEyes ? slotsFor(cameras.list, workers) : slotsWithoutEyes;
  const { pictureBytes, inputBytes } = framePoolLayout(1, inputSize);
  const slots = Math.min(wanted, Math.floor(poolMaxBytes / (pictureBytes + inputBytes)));
  const frames = createFramePool(framePoolLayout(slots, inputSize));
  let pool: DetectorPool | null = null;
  let modelType = "none";
  let trouble = "looking for a model";
  let clipPath: string | null = null;

  const addresses = createAddressCheck(
    {
      mediaDirs: [".cache/media", ".data/media", ...cameras.mediaDirs],
      allowLoopback: isLoopback(server.host),
      allowHosts: cameras.allowHosts,
    },
    systemLookups,
  );
  const resolve = (url: string) => addresses.resolve(url === defaultClip && clipPath !== null ? `file:${clipPath}` : url);
  const media = createMediaSource({
    open: openMedia,
    check: resolve,
    openTimeoutMs: cameras.openTimeoutMs,
    staleMs: cameras.staleMs,
    frozenMs: cameras.frozenMs,
    backoff: { ...backoffDefaults, baseMs: cameras.reconnectMinMs, capMs: cameras.reconnectMaxMs },
  });

  const prepareModel = async () => {
    const reading = {
      confidenceThreshold: detector.confidence,
      iouThreshold: detector.iou,
      detectionsMax: detector.maxDetections,
    };
    const { allowedClasses, executionProviders } = detector;
    const outcome = await resolveModel(
      { model: detector.model, cacheDir: ".cache/models", inputSize: detector.inputSize, allowedClasses, reading },
      { ...modelPorts(clock, log, metrics), progress: progressLog(clock, log, "model.fetching") },
    );
    if ("missing" in outcome) {
      trouble = outcome.missing;
      return;
    }
    const { model } = outcome;
    if (model.plan.inputSize !== inputSize) {
      throw new StartRefused(
        78,
        `${model.path} takes pictures of ${model.plan.inputSize} only; set detector.inputSize: ${model.plan.inputSize}`,
      );
    }
    modelType = model.name;
    pool = await startDetectorPool({ frames, model, clock, log, metrics, onExhausted, workers, executionProviders });
    log.info("detector.ready", { model: model.name, inputSize, ...pool.status() });
  };

  const prepareClip = async () => {
    const found = await findClip(
      {},
      { clock, fetch: (url, init) => fetch(url, init), run: runProcess, progress: progressLog(clock, log, "clip.fetching") },
    );
    if ("missing" in found) return log.warn("clip.missing", { reason: found.missing });
    clipPath = found.path;
    log.info("clip.ready", { path: found.path });
  };

  return {
    frames,
    open: openSourceBy({ "sim:": openJunction, "*": media }),
    addresses,
    probe: (url) => probe(url, { open: openMedia, check: resolve, clock }),
    pool: () => pool,
    modelType: () => modelType,
    check() {
      const status = pool?.status();
      if (!status) return { status: "degraded", detail: trouble };
      const { ready, provider, lastFailure } = status;
      if (ready > 0) return { status: "up", detail: `${modelType} on ${ready} workers, ${provider ?? "cpu"}` };
      // Until its first worker is ready the process does what it does without a model; afterwards that is a failure.
      return lastFailure === null
        ? { status: "degraded", detail: "the model is being loaded" }
        : { status: "down", detail: lastFailure };
    },
    async prepare(cameraUrls) {
      const clip = cameraUrls.includes(defaultClip)
        ? prepareClip().catch((thrown) => log.warn("clip.missing", { reason: reasonOf(thrown) }))
        : null;
      await prepareModel();
      await clip;
    },
    async close() {
      await pool?.close();
    },
  };
};

/** A line every two seconds while something is fetched. */
const progressLog = (clock: Clock, log: Log, event: "model.fetching" | "clip.fetching") => {
  let saidAtMs = Number.NEGATIVE_INFINITY;
  return (receivedBytes: number, totalBytes: number | null) => {
    if (clock.monotonicMs() - saidAtMs < 2_000) return;
    saidAtMs = clock.monotonicMs();
    log.info(event, { receivedBytes, ...(totalBytes === null ? {} : { totalBytes }) });
  };
};
