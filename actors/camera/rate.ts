/** The real frame rate, over the last frames. */

export type RateMeter = {
  /** A frame at `atMs`; frames per second since the oldest one remembered, 0 for the first. */
  readonly tick: (atMs: number) => number;
};

const remembered = 16;

export const createRateMeter = (): RateMeter => {
  const times: number[] = [];
  return {
    tick(atMs) {
      times.push(atMs);
      if (times.length > remembered) times.shift();
      const spanMs = atMs - (times[0] ?? atMs);
      return spanMs > 0 ? ((times.length - 1) * 1000) / spanMs : 0;
    },
  };
};
