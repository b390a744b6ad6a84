/** Opens a real source and keeps what it says. */
import { createAddressCheck } from "../../actors/camera/address.ts";
import { systemLookups } from "../../actors/camera/lookup.ts";
import { createMediaSource, type MediaSourceOptions } from "../../actors/camera/media-source.ts";
import { openMedia } from "../../actors/camera/node-av.ts";
import type { SourceFrame } from "../../actors/camera/source.ts";
import type { CameraSettings, CameraState } from "../../protocols/camera.ts";
import { systemClock } from "../../runtime/clock.ts";
import { createFramePool, type FramePool, framePoolLayout, type Lease } from "../../runtime/frame-pool.ts";
import { silentLog } from "../../runtime/log.ts";
import { seededRandom } from "../../runtime/random.ts";
import { within } from "./wait.ts";

export type WatchedSource = AsyncDisposable & {
  readonly frames: SourceFrame[];
  readonly states: { readonly state: CameraState; readonly reason: string }[];
  readonly drops: string[];
  readonly pool: FramePool;
  readonly reaches: (state: CameraState) => Promise<string>;
  readonly close: () => Promise<void>;
};

export type WatchOptions = Partial<MediaSourceOptions> & {
  readonly settings?: Partial<CameraSettings>;
  readonly mediaDirs?: readonly string[];
  /** Looks at a frame while its slot is held. */
  readonly look?: (pool: FramePool, lease: Lease, frame: SourceFrame) => void;
};

/** Longer than any of the source's own limits in these tests, on a machine that others use too. */
const reachLimitMs = 20_000;

export const watchSource = (url: string, options: WatchOptions = {}): WatchedSource => {
  const { settings, mediaDirs = [], look, ...rest } = options;
  const pool = createFramePool(framePoolLayout(3, 416));
  const policy = { mediaDirs, allowLoopback: true, allowHosts: [] };
  const watched = { frames: [] as SourceFrame[], drops: [] as string[] };
  const states: { state: CameraState; reason: string }[] = [];
  const check = createAddressCheck(policy, systemLookups).resolve;
  const source = createMediaSource({ open: openMedia, check, ...rest })(
    { id: 1, name: "test", url, fps: 5, loop: false, enabled: true, ...settings },
    { frames: pool, clock: systemClock, random: seededRandom(4), log: silentLog },
    {
      frame(frame, lease) {
        watched.frames.push(frame);
        look?.(pool, lease, frame);
        pool.release(lease);
      },
      state: (state, reason) => void states.push({ state, reason }),
      dropped: (reason) => void watched.drops.push(reason),
    },
  );
  return {
    ...watched,
    states,
    pool,
    reaches(state) {
      const from = states.length;
      return within(
        reachLimitMs,
        `${url} to be ${state}; it was ${states.map((seen) => seen.state).join(", ")}`,
        () => (states.at(-1)?.state === state ? states.at(-1) : states.slice(from).find((seen) => seen.state === state))?.reason,
      );
    },
    close: source.close,
    [Symbol.asyncDispose]: source.close,
  };
};

/** Frames for each second of the media between the first frame and the last: how many were picked, however late they came. */
export const pickedRateOf = ({ frames }: WatchedSource): number =>
  ((frames.length - 1) * 1000) / ((frames.at(-1)?.mediaTimeMs ?? 0) - (frames[0]?.mediaTimeMs ?? 0));
