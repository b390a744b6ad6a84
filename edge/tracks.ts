/**
 * Tells programs outside what is tracked on each frame (`kafka.tracksTopic`). They are observations: what the broker does not
 * take soon is let go and counted, and no camera, verdict or viewer waits for it.
 */
import { canonicalClass, cocoClasses } from "../actors/detector/classes.ts";
import { previewsOf } from "../config/cameras.ts";
import type { Config } from "../config/schema.ts";
import { createCodec } from "../protocols/codec.ts";
import type { LiveDetection } from "../protocols/detection.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import { TracksEvent, tracksEvents } from "../protocols/tracks.ts";
import type { Bus } from "../runtime/bus.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { CameraRegistry } from "./cameras.ts";

export type TracksPorts = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly cameras: Pick<CameraRegistry, "settings">;
};

/** One processed frame. `encode` makes its JPEG; it is called at once or not at all. */
export type TellTracks = (detection: LiveDetection, encode: ((quality: number) => Uint8Array) | null) => void;

/** The topic, where the configuration names one and there is something to see. */
export const tracksTopics = ({ bus, kafka, roles }: Config): readonly TopicDefinition<never>[] =>
  bus.driver === "kafka" && kafka.tracksTopic !== null && roles.includes("eyes") ? [tracksEvents] : [];

const underWayMax = { events: 2_000, bytes: 16 * 1_048_576 };
const camerasMax = 10_000;
const streamMax = 80;

type Stream = { frames: number; pictureDueMs: number };

const classIds = new Map(cocoClasses.map((name, index) => [name, index]));
const classIdOf = (name: string): number => classIds.get(canonicalClass(name)) ?? -1;

/** Undefined where nobody is told. */
export const createTellTracks = (config: Config, { bus, clock, metrics, cameras }: TracksPorts): TellTracks | undefined => {
  if (tracksTopics(config).length === 0) return undefined;
  const preview = previewsOf(config);
  const codec = createCodec([TracksEvent]);
  const streams = new Map<number, Stream>();
  let events = 0;
  let bytesUnderWay = 0;
  const letGo = (reason: string) => metrics.dropped.inc({ actor: "tracks", type: TracksEvent.type, reason });

  const streamOf = (cameraId: number): Stream => {
    const known = streams.get(cameraId);
    if (known) return known;
    if (streams.size >= camerasMax) streams.delete(streams.keys().next().value ?? 0);
    const made = { frames: 0, pictureDueMs: clock.monotonicMs() };
    streams.set(cameraId, made);
    return made;
  };

  /** At most `maxFps` a second, as for viewers. */
  const pictureOf = (cameraId: number, stream: Stream, encode: ((quality: number) => Uint8Array) | null): Uint8Array | null => {
    const { bus: isWanted, quality, maxFps } = preview(cameraId);
    const periodMs = 1_000 / maxFps;
    const nowMs = clock.monotonicMs();
    if (!isWanted || !encode || nowMs < stream.pictureDueMs - periodMs / 10) return null;
    stream.pictureDueMs = Math.max(stream.pictureDueMs, nowMs - periodMs) + periodMs;
    try {
      return encode(quality);
    } catch {
      metrics.dropped.inc({ actor: "tracks", type: "picture", reason: "encode" });
      return null;
    }
  };

  return ({ messageId, cameraId, detectedObjects }, encode) => {
    const stream = streamOf(cameraId);
    const frameId = stream.frames++;
    if (events >= underWayMax.events || bytesUnderWay >= underWayMax.bytes) return letGo("bus_away");
    const picture = pictureOf(cameraId, stream, encode);
    const event: TracksEvent = {
      type: "tracks.event",
      stream: (cameras.settings(cameraId)?.name ?? `camera-${cameraId}`).slice(0, streamMax),
      frame_id: frameId,
      tracks: detectedObjects.map(({ trackId, class: name, confidence, bbox }) => ({
        ...{ track_id: trackId, class_id: classIdOf(name), confidence, bbox_xyxy: bbox },
      })),
      ...(picture ? { frame_jpeg: picture } : {}),
    };
    const bytes = codec.encode(event);
    events += 1;
    bytesUnderWay += bytes.length;
    const record = {
      topic: tracksEvents.name,
      key: tracksEvents.keyOf(event),
      id: messageId,
      type: event.type,
      trace: "",
      bytes,
    };
    void bus
      .append([record])
      .catch(() => letGo("bus_away")) // the bus says why in its own log
      .finally(() => {
        events -= 1;
        bytesUnderWay -= bytes.length;
      });
  };
};
