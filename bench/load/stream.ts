/** The video that the RTSP source sends: `640x360@5/0.6s`. */

export type Stream = {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** Pictures from one key frame to the next. */
  readonly gop: number;
};

/** A key frame each half second is asked for; three pictures are the whole number nearest to it. */
export const streamUsual = "640x360@5/0.6s";

const sides = [64, 4_096] as const;
const isSide = (side: number): boolean => side >= sides[0] && side <= sides[1] && side % 2 === 0;

/** The whole number of pictures nearest to the seconds between key frames. Throws one line for what is wrong. */
export const parseStream = (text: string): Stream => {
  const parts = /^(\d+)x(\d+)@(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)s$/.exec(text)?.slice(1).map(Number);
  const [width = 0, height = 0, fps = 0, keyEachS = 0] = parts ?? [];
  const gop = Math.max(1, Math.round(fps * keyEachS));
  if (isSide(width) && isSide(height) && fps >= 1 && fps <= 60 && keyEachS > 0 && gop <= 600) return { width, height, fps, gop };
  throw new Error(
    `--stream takes even sides from ${sides[0]} to ${sides[1]}, 1 to 60 pictures a second and the seconds between key frames, as in ${streamUsual}, not ${JSON.stringify(text)}`,
  );
};
