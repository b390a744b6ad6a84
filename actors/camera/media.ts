/** The port to whatever opens and decodes media: `node-av.ts` in earnest, a script in tests. */
import type { Clock } from "../../runtime/clock.ts";
import type { FramePool, Lease } from "../../runtime/frame-pool.ts";

export type MediaInfo = {
  readonly codec: string;
  /** 0 while unknown. */
  readonly width: number;
  readonly height: number;
  readonly fps?: number;
  /** It ends by itself: a file, or a recording served over HTTP. */
  readonly isRecording: boolean;
  /** It delivers faster than it should be shown, so it is played by its own timestamps. */
  readonly isPaced: boolean;
};

export type MediaFrame = {
  readonly ptsMs: number | null;
  readonly width: number;
  readonly height: number;
  /** When the packet that became this frame arrived: wall clock, monotonic clock. */
  readonly arrivedAtMs: number;
  readonly arrivedMs: number;
  /** It was not wanted and has not been decoded: there is nothing to write. */
  readonly isSkipped?: true;
};

export type Media = {
  readonly info: MediaInfo;
  /**
   * The next frame, null at the end. Throws a `Fault` when the source fails. `isWanted` is asked when a frame arrives, with the
   * monotonic clock: one that is not wanted may come skipped. Without it every frame is decoded.
   */
  readonly next: (isWanted?: (arrivedMs: number) => boolean) => Promise<MediaFrame | null>;
  /** Scales the frame that `next` gave last into the slot: the picture, the model input and the header. */
  readonly write: (frames: FramePool, lease: Lease) => void;
  /** Makes a pending `next` return soon. */
  readonly interrupt: () => void;
  /** Waits for a pending `next`, then frees everything. */
  readonly close: () => Promise<void>;
};

export type MediaOptions = {
  readonly clock: Clock;
  /** Aborts the opening. */
  readonly signal: AbortSignal;
  /** No packet for so long ends a network source. */
  readonly timeoutMs: number;
  readonly undecodable: () => void;
};

/** What may be opened, after the rules of `address.ts`. */
export type MediaAddress = { readonly kind: "file" | "rtsp" | "rtmp" | "http"; readonly target: string };

/** Rejects with a `Fault` whose text says why the source cannot be opened. */
export type OpenMedia = (address: MediaAddress, options: MediaOptions) => Promise<Media>;
