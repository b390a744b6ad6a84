/**
 * How well tracks follow what is there: MOTA and identity switches by CLEAR MOT (Bernardin and Stiefelhagen, "Evaluating Multiple
 * Object Tracking Performance", 2008), IDF1 by Ristani et al. ("Performance Measures and a Data Set for Multi-Target,
 * Multi-Camera Tracking", 2016). A track and an object are together in a frame where their boxes overlap by half.
 */
import { iou } from "../../actors/tracker/affinity.ts";
import { assign, type Pair } from "../../actors/tracker/assignment.ts";
import type { Box } from "../../protocols/ids.ts";

export type Present = { readonly id: number; readonly bbox: Box };
export type Quality = {
  /** Shares of one; MOTA may be below zero. */
  readonly mota: number;
  readonly idf1: number;
  readonly switches: number;
  readonly missed: number;
  readonly false: number;
  /** Objects, summed over the frames. */
  readonly present: number;
};

const minIou = 0.5;

/** Pairs of the frame, closest first in sum; those that were together in the frame before stay together. */
const matchFrame = (
  objects: readonly Present[],
  tracks: readonly Present[],
  before: ReadonlyMap<number, number>,
): Map<Present, Present> => {
  const pairs: Pair[] = [];
  objects.forEach((object, row) => {
    tracks.forEach((track, column) => {
      const overlap = iou(object.bbox, track.bbox);
      if (overlap >= minIou) pairs.push({ row, column, cost: before.get(object.id) === track.id ? 0 : 2 - overlap });
    });
  });
  const matched = new Map<Present, Present>();
  assign(objects.length, tracks.length, pairs, 1_000).forEach((column, row) => {
    const [object, track] = [objects[row], tracks[column]];
    if (object && track) matched.set(object, track);
  });
  return matched;
};

/** Frames that an object and a track spend together, the best of all ways to give each object one track. */
const identityMatches = (together: ReadonlyMap<number, ReadonlyMap<number, number>>): number => {
  const columns = new Map<number, number>();
  const rows = [...together.values()];
  const pairs: Pair[] = [];
  let most = 0;
  for (const [row, tracks] of rows.entries()) {
    for (const [track, frames] of tracks) {
      const column = columns.get(track) ?? columns.size;
      columns.set(track, column);
      pairs.push({ row, column, cost: frames });
      most = Math.max(most, frames);
    }
  }
  const framesOf = new Map(pairs.map(({ row, column, cost }) => [`${row} ${column}`, cost]));
  // Least cost is most frames; to stay alone costs what no pair does.
  const costs = pairs.map((pair) => ({ ...pair, cost: most - pair.cost }));
  let frames = 0;
  assign(rows.length, columns.size, costs, most).forEach((column, row) => {
    frames += framesOf.get(`${row} ${column}`) ?? 0;
  });
  return frames;
};

export const qualityMeter = () => {
  const last = new Map<number, number>();
  const together = new Map<number, Map<number, number>>();
  let [present, told, missed, wrong, switches] = [0, 0, 0, 0, 0];
  return {
    frame(objects: readonly Present[], tracks: readonly Present[]) {
      const matched = matchFrame(objects, tracks, last);
      present += objects.length;
      told += tracks.length;
      missed += objects.length - matched.size;
      wrong += tracks.length - matched.size;
      for (const [object, track] of matched) {
        const known = last.get(object.id);
        if (known !== undefined && known !== track.id) switches++;
        last.set(object.id, track.id);
      }
      // Identity asks for boxes that overlap, whomever the frame's own match prefers.
      for (const object of objects) {
        for (const track of tracks) {
          if (iou(object.bbox, track.bbox) < minIou) continue;
          const frames = together.get(object.id) ?? new Map<number, number>();
          together.set(object.id, frames.set(track.id, (frames.get(track.id) ?? 0) + 1));
        }
      }
    },
    quality: (): Quality => ({
      mota: 1 - (missed + wrong + switches) / Math.max(1, present),
      idf1: (2 * identityMatches(together)) / Math.max(1, present + told),
      switches,
      missed,
      false: wrong,
      present,
    }),
  };
};
