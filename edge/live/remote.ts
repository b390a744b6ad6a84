/**
 * What other processes see, for viewers of this one: detection results as the topic has them, and what follows from their
 * coming and staying away. Pictures stay where the camera is. What is watched in this process reaches viewers without the topic.
 */
import type { CameraStatus } from "../../protocols/camera.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { DetectionResult, LiveDetection } from "../../protocols/detection.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus, BusRecord, Consumer } from "../../runtime/bus.ts";
import { whenUp } from "../../runtime/bus-outage.ts";
import { type Cancel, type Clock, every } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { CameraRegistry } from "../cameras.ts";
import type { LiveHub } from "./hub.ts";

export type RemotePorts = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly hub: Pick<LiveHub, "detection" | "status">;
  readonly cameras: Pick<CameraRegistry, "noteFrame" | "noteStatus">;
  /** Watched in this process. */
  readonly isHere: (cameraId: number) => boolean;
  /** Time without a result after which a camera is stale. */
  readonly staleMs: number;
};

const topic = topics.detections;
const retryMs = 5_000;
const lookMs = 1_000;
/** A result of an earlier owner is passed over while the later one is heard. */
const epochHoldsMs = 10_000;
/** After so long a camera that is not heard of is no longer this page's matter. */
const forgetMs = 10 * 60_000;
const camerasMax = 10_000;

type Heard = { ownerEpoch: number; atMs: number; capturedAt: number; isStale: boolean };

const liveOf = ({ type: _type, schemaVersion, traceId, ownerEpoch, seq, groupImages, imagesOmitted, ...seen }: DetectionResult) =>
  ({ ...seen, type: "detection_result" }) satisfies LiveDetection;

export const createRemoteEyes = (ports: RemotePorts) => {
  const { bus, clock, log, metrics, hub, cameras, isHere, staleMs } = ports;
  const codec = createCodec(topic.messages);
  const heard = new Map<number, Heard>();
  let consumer: Consumer | null = null;
  let cancelRetry: Cancel = () => {};
  let cancelLook: Cancel = () => {};
  let isStopped = false;

  const tell = (status: Omit<CameraStatus, "type">) => {
    const message: CameraStatus = { type: "camera_status", ...status };
    cameras.noteStatus(message);
    hub.status(message);
  };

  const take = (record: BusRecord) => {
    const cameraId = Number(record.key);
    if (isHere(cameraId)) return void heard.delete(cameraId);
    const read = codec.read(record.type, record.bytes);
    if (!read.ok) return metrics.dropped.inc({ actor: "live", type: topic.name, reason: read.failure.code });
    const result = read.message as DetectionResult; // the codec knows no other message
    const nowMs = clock.monotonicMs();
    const before = heard.get(cameraId);
    if (before && result.ownerEpoch < before.ownerEpoch && nowMs - before.atMs < epochHoldsMs)
      return metrics.dropped.inc({ actor: "live", type: topic.name, reason: "earlier_owner" });
    heard.delete(cameraId); // so that the one heard last stands last
    heard.set(cameraId, { ownerEpoch: result.ownerEpoch, atMs: nowMs, capturedAt: result.capturedAt, isStale: false });
    if (heard.size > camerasMax) heard.delete(heard.keys().next().value ?? 0);
    if (!before || before.isStale) tell({ cameraId, status: 1, message: "Online", state: "online" });
    metrics.captureToDetection.observe(Math.max(0, clock.nowMs() - result.capturedAt) / 1000);
    cameras.noteFrame(cameraId, result.capturedAt);
    hub.detection(liveOf(result), null);
  };

  const look = () => {
    const nowMs = clock.monotonicMs();
    for (const [cameraId, each] of heard) {
      const silentMs = nowMs - each.atMs;
      if (isHere(cameraId) || silentMs > forgetMs) heard.delete(cameraId);
      else if (silentMs > staleMs && !each.isStale) {
        each.isStale = true;
        tell({ cameraId, status: 0, message: `Stale since ${new Date(each.capturedAt).toISOString()}`, state: "stale" });
      }
    }
  };

  const follow = async (): Promise<void> => {
    try {
      consumer = await bus.follow(topic.name, "end", take);
    } catch (thrown) {
      if (isStopped) return;
      if (bus.health().status === "up")
        log.warn("request.failed", { topic: topic.name, reason: reasonOf(thrown), retryInMs: retryMs });
      cancelRetry = whenUp(bus, clock, retryMs, () => void follow());
    }
  };

  return {
    async start() {
      cancelLook = every(clock, lookMs, look);
      await follow();
    },
    async stop() {
      isStopped = true;
      cancelRetry();
      cancelLook();
      await consumer?.stop();
    },
  };
};
