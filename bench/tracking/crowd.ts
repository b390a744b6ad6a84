/** Road users that cross a picture on straight ways, as many as one likes: for what a frame costs, not for how well it is done. */
import type { TrackedObject } from "../../protocols/frame.ts";
import { type Random, randomInt, seededRandom } from "../../runtime/random.ts";

export const pictureWidth = 1_920;
export const pictureHeight = 1_080;

const classes = ["car", "person", "truck", "bus", "bicycle"] as const;
const speedMaxPx = 120;

type Walker = {
  readonly class: string;
  readonly x: number;
  readonly y: number;
  readonly vx: number;
  readonly vy: number;
  readonly width: number;
  readonly height: number;
};

const walkerOf = (random: Random): Walker => {
  const angle = random.next() * 2 * Math.PI;
  const speed = random.next() * speedMaxPx;
  const width = 24 + random.next() * 60;
  return {
    class: classes[randomInt(random, classes.length)] ?? "car",
    x: random.next() * pictureWidth,
    y: random.next() * pictureHeight,
    vx: Math.cos(angle) * speed,
    vy: Math.sin(angle) * speed,
    width,
    height: width * (0.6 + random.next()),
  };
};

/** Who leaves the picture on one side enters it on the other, as somebody else. */
const wrapped = (position: number, side: number): readonly [at: number, laps: number] => {
  const laps = Math.floor(position / side);
  return [position - laps * side, laps];
};

/** `frames[k]` shows all of them at k / fps seconds. */
export const crowdFrames = (count: number, frames: number, fps: number): readonly (readonly TrackedObject[])[] => {
  const random = seededRandom(count);
  const walkers = Array.from({ length: count }, () => walkerOf(random));
  return Array.from({ length: frames }, (_, frame) =>
    walkers.map((walker, index): TrackedObject => {
      const [x, columns] = wrapped(walker.x + (walker.vx * frame) / fps, pictureWidth);
      const [y, rows] = wrapped(walker.y + (walker.vy * frame) / fps, pictureHeight);
      return {
        class: walker.class,
        confidence: 0.5 + ((index * 7 + frame) % 50) / 100,
        bbox: [x - walker.width / 2, y - walker.height / 2, x + walker.width / 2, y + walker.height / 2],
        trackId: index + count * (Math.abs(columns) + Math.abs(rows)),
        velocity: [walker.vx, walker.vy],
        ageMs: (frame * 1_000) / fps,
      };
    }),
  );
};
