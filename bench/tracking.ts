/**
 * What the tracker costs a frame, and how well it keeps its ids. Goal: at 2 frames a second, ids that hold where boxes of
 * neighbouring frames no longer overlap. Not asked: the detector's own errors, which are made up here and the same for both.
 */
import { startTracks, trackFrame } from "../actors/tracker/bytetrack.ts";
import type { Bench } from "./bench.ts";
import { type Contest, type Contestant, type Outcome, timeOf, type Work } from "./harness.ts";
import { crowdFrames } from "./tracking/crowd.ts";
import { type FilmFrame, filmJunction } from "./tracking/film.ts";
import { greedyTracker } from "./tracking/greedy.ts";
import { type Present, qualityMeter } from "./tracking/quality.ts";

const framesKept = 64;
/** Of each junction. */
const secondsUsual = 120;

/** Answers each frame of a film with the tracks in it. */
type Follow = (frame: Omit<FilmFrame, "present">) => readonly Present[];

const byteTrack = (): Follow => {
  const tracks = startTracks();
  return (frame) => trackFrame(tracks, { segment: 0, ...frame }).objects.map(({ trackId: id, bbox }) => ({ id, bbox }));
};
const greedy = (): Follow => {
  const follow = greedyTracker();
  return ({ detections }) => follow(detections).map(({ trackId: id, bbox }) => ({ id, bbox }));
};

/** A film played from its beginning in each run. */
const following =
  (film: readonly Omit<FilmFrame, "present">[], start: () => Follow): Work =>
  (operations) => {
    let follow = start();
    let hash = 0;
    for (let operation = 0; operation < operations; operation++) {
      const at = operation % film.length;
      if (at === 0) follow = start();
      const frame = film[at];
      for (const { id } of frame ? follow(frame) : []) hash = (Math.imul(hash, 31) + id) | 0;
    }
    return hash >>> 0;
  };

const cost = (count: number, fps: number): Bench["contests"][number] => ({
  name: `a frame of ${count} objects at ${fps} fps`,
  open: (): Contest => {
    const film = crowdFrames(count, framesKept, fps).map((detections, frame) => ({
      mediaTimeMs: (frame * 1_000) / fps,
      detections,
    }));
    return {
      unit: "ns",
      size: Math.max(framesKept, Math.round(20_000 / count)),
      isPure: true,
      subject: { name: "tracker", run: timeOf(following(film, byteTrack)) },
      versus: [{ name: "best overlap first", run: timeOf(following(film, greedy)) }],
    };
  },
});

/** IDF1 of each seed in percent; a share of the seconds and of the seeds where little is asked. */
const judged = (name: string, start: () => Follow, fps: number): Contestant => ({
  name,
  run(seconds): Outcome {
    const seeds = Math.max(1, Math.round((seconds * 10) / secondsUsual));
    const sums = { "MOTA %": 0, "id switches": 0, missed: 0, false: 0, "objects in all frames": 0 };
    const values = Array.from({ length: seeds }, (_, index) => {
      const follow = start();
      const meter = qualityMeter();
      for (const { present, ...frame } of filmJunction(index + 1, seconds, fps)) meter.frame(present, follow(frame));
      const quality = meter.quality();
      sums["MOTA %"] += (100 * quality.mota) / seeds;
      sums["id switches"] += quality.switches;
      sums.missed += quality.missed;
      sums.false += quality.false;
      sums["objects in all frames"] += quality.present;
      return 100 * quality.idf1;
    });
    return { values, hash: Math.round(1_000 * values.reduce((sum, value) => sum + value, 0)), beside: sums };
  },
});

const quality = (fps: number): Bench["contests"][number] => ({
  name: `IDF1 on the simulated junction at ${fps} fps`,
  open: (): Contest => ({
    unit: "%",
    size: secondsUsual,
    rounds: 1,
    warmUps: 0,
    subject: judged("tracker", byteTrack, fps),
    versus: [judged("best overlap first", greedy, fps)],
  }),
});

export const tracking = (): Bench => ({
  name: "tracking",
  notes: [
    `Cost: objects that move on straight ways over a picture of 1,920 × 1,080. Quality: ${secondsUsual} s each of ten junctions with their truth, seen by`,
    "a detector that misses 4 to 40 % by how much of an object shows, whose boxes tremble by 3 % of a side, that takes cars for trucks",
    "and sees something where nothing is in every third frame. The other tracker joins boxes of neighbouring frames by overlap alone.",
  ],
  contests: [...[10, 30, 100, 300].flatMap((count) => [cost(count, 2), cost(count, 10)]), quality(2), quality(5), quality(10)],
});
