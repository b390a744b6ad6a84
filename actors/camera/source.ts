/** The port between a camera actor and whatever delivers its frames: a decoder, a simulated scene, a test. */
import type { CameraSettings, CameraState } from "../../protocols/camera.ts";
import type { FrameDelivered } from "../../protocols/frame.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { FramePool, Lease } from "../../runtime/frame-pool.ts";
import type { Log } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";

/** One frame as its source knows it. Times in milliseconds, sizes in pixels of the original frame. */
export type SourceFrame = Omit<FrameDelivered, "type">;

/** `frozen`: the picture has not changed for so long that it is not judged again. */
export type SourceDrop = "no_slot" | "late" | "undecodable" | "frozen";

export type SourceEvents = {
  /** A frame stands in the slot. The receiver becomes the holder of the lease. */
  readonly frame: (frame: SourceFrame, lease: Lease) => void;
  readonly state: (state: CameraState, reason: string, latencyMs?: number) => void;
  readonly dropped: (reason: SourceDrop) => void;
};

export type SourcePorts = {
  readonly frames: FramePool;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

export type Source = {
  /** No event comes after this resolves; every slot is given back. */
  readonly close: () => Promise<void>;
};

/** Opens a source and keeps it open: reconnecting, with backoff, is the source's own work. Never throws; trouble is a state. */
export type OpenSource = (settings: CameraSettings, ports: SourcePorts, events: SourceEvents) => Source;

export type ProbeResult = {
  readonly ok: boolean;
  readonly codec?: string;
  readonly width?: number;
  readonly height?: number;
  readonly fps?: number;
  readonly latencyMs: number;
  readonly error?: string;
};
