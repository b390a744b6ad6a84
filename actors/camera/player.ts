/**
 * Plays media that is open: keeps its clock, picks the frames that are due, waits for their time where the media must be
 * paced, and writes them into slots. A slot is held only while a frame is scaled, never across a wait.
 */
import type { CameraSettings } from "../../protocols/camera.ts";
import { delay } from "../../runtime/clock.ts";
import type { Lease } from "../../runtime/frame-pool.ts";
import { type Health, pictureChecksum } from "./health.ts";
import type { Media, MediaFrame } from "./media.ts";
import { createMediaClock, type MediaTime } from "./media-clock.ts";
import { createDueSchedule, createPlayback } from "./schedule.ts";
import type { SourceDrop, SourceEvents, SourcePorts } from "./source.ts";

export type Player = {
  /** Resolves with the number of decoded frames when the media ends; rejects when it fails or `signal` aborts. */
  readonly play: (media: Media, health: Health, heard: () => void, signal: AbortSignal) => Promise<number>;
};

/** Lives as long as its source, so that rate and segments go on over loops and reconnects. */
export const createPlayer = (
  settings: CameraSettings,
  { clock, frames }: SourcePorts,
  events: Pick<SourceEvents, "frame" | "dropped">,
): Player => {
  const due = createDueSchedule(settings.fps);
  const playback = createPlayback();
  const mediaClock = createMediaClock();
  let last: MediaTime | null = null;
  let stepMs = 0;
  let playedMs = 0;

  /** Playing time of a paced source over all its segments: loops and resets do not bend it. */
  const advance = (time: MediaTime): number => {
    if (last !== null && time.segment === last.segment) stepMs = time.mediaTimeMs - last.mediaTimeMs;
    if (last !== null) playedMs += stepMs;
    last = time;
    return playedMs;
  };

  /** Why the frame in the slot is not to be sent on, or null. */
  const objection = (media: Media, health: Health, lease: Lease): SourceDrop | null => {
    try {
      media.write(frames, lease);
    } catch {
      return "undecodable"; // the scaler does not take this pixel format or size
    }
    const now = clock.monotonicMs();
    if (!media.info.isRecording) {
      const { pictureWidth, pictureHeight } = frames.header(lease);
      health.picture(now, pictureChecksum(frames.picture(lease), pictureWidth * pictureHeight * 3));
    }
    return health.state(now) === "frozen" ? "frozen" : null; // an old picture is not judged again and again
  };

  const deliver = (media: Media, health: Health, frame: MediaFrame, time: MediaTime, capturedAt: number): void => {
    const lease = frames.acquire();
    const reason = lease ? objection(media, health, lease) : "no_slot";
    if (lease && reason === null) {
      events.frame({ ...time, capturedAt, imageWidth: frame.width, imageHeight: frame.height }, lease);
      return;
    }
    if (lease) frames.release(lease);
    if (reason !== null) events.dropped(reason);
  };

  return {
    async play(media, health, heard, signal) {
      mediaClock.restart();
      for (let decoded = 0; ; decoded++) {
        const { isPaced } = media.info;
        const frame = await (isPaced ? media.next() : media.next(due.wouldBeDue));
        if (frame === null) return decoded;
        signal.throwIfAborted();
        const time = mediaClock.read(frame.ptsMs, frame.arrivedMs);
        const shownMs = isPaced ? advance(time) : frame.arrivedMs;
        const isDue = frame.isSkipped !== true && due.isDue(shownMs);
        if (isPaced && isDue) {
          const waitMs = playback.waitMs(shownMs, clock.monotonicMs());
          if (waitMs > 0) await delay(clock, waitMs, signal);
        }
        health.frame(clock.monotonicMs());
        heard();
        if (isDue) deliver(media, health, frame, time, isPaced ? clock.nowMs() : frame.arrivedAtMs);
      }
    },
  };
};
