/**
 * What a tracker needs at least: each detection continues the track of its class whose last box it overlaps most, best overlap
 * first. No motion, no second look at unsure detections, and a track unseen for three frames is gone.
 */
import { iou } from "../../actors/tracker/affinity.ts";
import type { Detection } from "../../protocols/frame.ts";
import type { Box } from "../../protocols/ids.ts";

const minIou = 0.3;
const missesMax = 3;
const minScore = 0.4;

type GreedyTrack = { readonly id: number; readonly class: string; box: Box; misses: number };

export type Identified = { readonly trackId: number; readonly bbox: Box };

export const greedyTracker = () => {
  let live: GreedyTrack[] = [];
  let nextId = 1;
  return (detections: readonly Detection[]): readonly Identified[] => {
    const sure = detections.filter(({ confidence }) => confidence >= minScore);
    const pairs = live.flatMap((track) =>
      sure.flatMap((detection) => {
        const overlap = track.class === detection.class ? iou(track.box, detection.bbox) : 0;
        return overlap >= minIou ? [{ track, detection, overlap }] : [];
      }),
    );
    pairs.sort((one, other) => other.overlap - one.overlap);
    const trackOf = new Map<Detection, GreedyTrack>();
    const taken = new Set<GreedyTrack>();
    for (const { track, detection } of pairs) {
      if (taken.has(track) || trackOf.has(detection)) continue;
      taken.add(track);
      trackOf.set(detection, track);
      track.box = detection.bbox;
    }
    for (const track of live) track.misses = taken.has(track) ? 0 : track.misses + 1;
    live = live.filter(({ misses }) => misses <= missesMax);
    return sure.map((detection) => {
      const known = trackOf.get(detection);
      const track = known ?? { id: nextId++, class: detection.class, box: detection.bbox, misses: 0 };
      if (!known) live.push(track);
      return { trackId: track.id, bbox: detection.bbox };
    });
  };
};
