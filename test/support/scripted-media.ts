/** Media that does what a test says, for sources on a virtual clock. */
import type { Media, MediaFrame, MediaInfo, MediaOptions, OpenMedia } from "../../actors/camera/media.ts";
import { type Clock, delay } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";

export type MediaScript = {
  readonly info?: Partial<MediaInfo>;
  /** Frames a second, as many as `frames`, then the end; 0 sends none and never ends. */
  readonly fps?: number;
  readonly frames?: number;
  /** The value of every byte of a frame's picture. Default: another one for each frame. */
  readonly picture?: (frame: number) => number;
  /** Neither frames nor end after this frame until interrupted. */
  readonly stallAfter?: number;
  /** Native code that does not obey an interrupt. */
  readonly isDeaf?: boolean;
  readonly isUnscalable?: boolean;
  /** Fails to open with this text; `hang` never answers, not even to an abort. */
  readonly failsWith?: string;
};

export type ScriptedMedia = {
  readonly open: OpenMedia;
  readonly opened: () => number;
  readonly closed: () => number;
};

const never = new Promise<never>(() => {});

const mediaOf = (script: MediaScript, clock: Clock, closed: () => void): Media => {
  const { fps = 10, frames = Number.POSITIVE_INFINITY, picture = (frame) => frame % 256 } = script;
  const info: MediaInfo = { codec: "script", width: 64, height: 32, isRecording: false, isPaced: false, ...script.info };
  const stop = new AbortController();
  let count = 0;
  const next = async (): Promise<MediaFrame | null> => {
    if (stop.signal.aborted || count >= frames) return null;
    if (fps === 0 || count === script.stallAfter) {
      if (script.isDeaf) return never;
      await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
      return null;
    }
    if (!info.isPaced) await delay(clock, 1000 / fps, stop.signal).catch(() => {});
    if (stop.signal.aborted) return null;
    const ptsMs = (count++ * 1000) / fps;
    return { ptsMs, width: 64, height: 32, arrivedAtMs: clock.nowMs(), arrivedMs: clock.monotonicMs() };
  };
  let pending: Promise<unknown> = Promise.resolve();
  return {
    info,
    next() {
      const frame = next();
      pending = frame;
      return frame;
    },
    write(pool, lease) {
      if (script.isUnscalable) throw new Error("no such pixel format");
      pool.picture(lease).fill(picture(count - 1));
      pool.setHeader(lease, { pictureWidth: 64, pictureHeight: 32, inputScale: 1 });
    },
    interrupt: () => stop.abort(),
    async close() {
      await pending;
      closed();
    },
  };
};

/** The first opening follows the first script, and so on; the last script serves for all that follow. */
export const scriptedMedia = (...scripts: MediaScript[]): ScriptedMedia => {
  let opened = 0;
  let closed = 0;
  return {
    opened: () => opened,
    closed: () => closed,
    async open(_address, { clock }: MediaOptions) {
      const script = scripts[Math.min(opened++, scripts.length - 1)] ?? {};
      if (script.failsWith === "hang") return never;
      if (script.failsWith !== undefined) throw new Fault("unavailable", script.failsWith);
      return mediaOf(script, clock, () => closed++);
    },
  };
};
