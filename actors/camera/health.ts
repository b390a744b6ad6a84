/** Whether a source that is open really shows something: stale without frames, frozen when the picture never changes. */

export type HealthLimits = {
  readonly staleMs: number;
  /** Null where a still picture is no fault: files and scenes. */
  readonly frozenMs: number | null;
};

/** `waiting`: open, and no frame yet. */
export type HealthState = "waiting" | "online" | "stale" | "frozen";

export type Health = {
  /** A frame was decoded. */
  readonly frame: (atMs: number) => void;
  /** A frame's picture was looked at. */
  readonly picture: (atMs: number, checksum: number) => void;
  readonly state: (atMs: number) => HealthState;
  /** Time without a frame, from the opening on. */
  readonly silentMs: (atMs: number) => number;
  /** From the first frame to the last. */
  readonly deliveredMs: () => number;
};

/** A slow camera may take its time: never less than 3 periods. */
export const staleMsOf = (fps: number, leastMs = 2000): number => Math.max(leastMs, 3000 / fps);
export const frozenMsDefault = 30_000;

export const createHealth = (openedAtMs: number, limits: HealthLimits): Health => {
  let firstAtMs: number | null = null;
  let lastAtMs = openedAtMs;
  let lookedAtMs = openedAtMs;
  let changedAtMs = openedAtMs;
  let seen: number | null = null;
  return {
    frame(atMs) {
      firstAtMs ??= atMs;
      lastAtMs = atMs;
    },
    picture(atMs, checksum) {
      lookedAtMs = atMs;
      if (checksum !== seen) changedAtMs = atMs;
      seen = checksum;
    },
    state(atMs) {
      if (firstAtMs === null) return "waiting";
      if (atMs - lastAtMs >= limits.staleMs) return "stale";
      // Looks that found the same picture count, not the time that has passed since the last look.
      if (limits.frozenMs !== null && lookedAtMs - changedAtMs >= limits.frozenMs) return "frozen";
      return "online";
    },
    silentMs: (atMs) => atMs - lastAtMs,
    deliveredMs: () => (firstAtMs === null ? 0 : lastAtMs - firstAtMs),
  };
};

const samples = 4096;

/** FNV-1a (Fowler, Noll, Vo) over bytes spread evenly over the picture: equal for equal pictures, and cheap. */
export const pictureChecksum = (picture: Uint8Array, lengthBytes: number): number => {
  // An odd stride does not walk down one column of a picture whose rows have an even length.
  const stride = Math.max(1, Math.floor(lengthBytes / samples)) | 1;
  let hash = 0x811c9dc5;
  for (let at = 0; at < lengthBytes; at += stride) hash = Math.imul(hash ^ (picture[at] ?? 0), 0x01000193);
  return hash >>> 0;
};
