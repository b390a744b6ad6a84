/**
 * ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022): sure detections
 * are matched first, then unsure ones are given to the tracks still without a match, so that a half-hidden object keeps its id.
 * What differs, because cameras run at 2 fps: real time in the filter, the affinity of `affinity.ts`, confirmation by time as
 * well as by hits, and one assignment for tentative and confirmed tracks together (a lost track's wide gate would else take
 * the detection of a tentative neighbour that fits exactly).
 */
import type { Detection, TrackedObject } from "../../protocols/frame.ts";
import type { Box } from "../../protocols/ids.ts";
import { isMotorVehicle } from "../../protocols/road-user.ts";
import { ALONE_COST, affinityCost, iou, overlapCost, type Seen, seenOf } from "./affinity.ts";
import { assign, type Pair } from "./assignment.ts";
import { type BoxFilter, boxOf, correct, holdSides, predict, sizeOf, startFilter } from "./kalman.ts";

export type TrackingOptions = {
  /** Detections from this score on are sure; below it they only continue tracks. */
  readonly highScore: number;
  readonly lowScore: number;
  /** Of an unsure detection with the predicted box; ByteTrack's second threshold. */
  readonly lowScoreMinIou: number;
  /** Frames that a confirmed track may go unseen. */
  readonly maxAgeFrames: number;
  /** And media time: at 2 fps, 30 frames would be 15 s of straight-line guessing. */
  readonly maxLostMs: number;
  /** A track that was standing is still where it was, hidden by a bus perhaps; nothing is guessed. */
  readonly maxLostStandingMs: number;
  readonly minHits: number;
  readonly maxTracks: number;
};

export const trackingDefaults: TrackingOptions = {
  // A nano detector gives real objects 0.3 to 0.5 more often than the paper's detectors do (its thresholds: 0.6, 0.1).
  highScore: 0.4,
  lowScore: 0.1,
  lowScoreMinIou: 0.5,
  maxAgeFrames: 30,
  maxLostMs: 3000,
  maxLostStandingMs: 15_000,
  minHits: 3,
  maxTracks: 500,
};

/**
 * Hits guard against a detector's one-frame errors. Neighbouring frames of a fast stream err alike, so there `minHits` are
 * asked; two hits this far apart are as good as three close ones. At 2 fps a newcomer thus waits one frame, not two.
 */
const CONFIRM_SPAN_MS = 400;
/** Where the next frame is further off than this, waiting for it would hide the object for longer than a false box hurts. */
const CONFIRM_AT_ONCE_GAP_MS = 1000;
/** A tentative track may miss so many frames: one miss must not throw away what was seen. */
const TENTATIVE_MISSES_MAX = 1;
/** One van is often reported both as car and as truck; boxes that agree so well are one object. */
const SAME_OBJECT_IOU = 0.7;

type Track = {
  readonly id: number;
  readonly kind: string;
  readonly filter: BoxFilter;
  readonly classWeights: Map<string, number>;
  readonly firstSeenMs: number;
  lastSeenMs: number;
  hits: number;
  misses: number;
  confirmed: boolean;
  predicted: Box;
  /** Of the predicted box. */
  size: number;
};

/** Tracks of one camera; changed in place by `trackFrame`. */
export type Tracks = {
  readonly options: TrackingOptions;
  live: Track[];
  nextId: number;
  segment: number | null;
  mediaTimeMs: number;
};

export type FrameToTrack = {
  readonly segment: number;
  readonly mediaTimeMs: number;
  readonly detections: readonly Detection[];
};

export type TrackedFrame = {
  /** Confirmed tracks seen in this frame, by id. */
  readonly objects: TrackedObject[];
  /** Detections that found the track table full. */
  readonly overLimit: number;
  /** Detections whose box or score is not a number. */
  readonly malformed: number;
};

export const startTracks = (options: Partial<TrackingOptions> = {}): Tracks => ({
  options: { ...trackingDefaults, ...options },
  live: [],
  nextId: 1,
  segment: null,
  mediaTimeMs: 0,
});

/** Forgets all tracks; ids go on counting. */
const resetTracks = (tracks: Tracks): void => {
  tracks.live = [];
  tracks.segment = null;
};

/** Car, bus and truck may swap within one track; any other class is a kind of its own. */
const kindOf = (className: string): string => (isMotorVehicle(className) ? "motor vehicle" : className);

const isWellFormed = ({ bbox, confidence }: Detection): boolean =>
  Number.isFinite(confidence) && bbox.every(Number.isFinite) && bbox[2] > bbox[0] && bbox[3] > bbox[1];

export const trackFrame = (tracks: Tracks, frame: FrameToTrack): TrackedFrame => {
  const { options } = tracks;
  const isFirst = frame.segment !== tracks.segment;
  if (isFirst) resetTracks(tracks);
  const gapMs = isFirst ? 0 : Math.max(0, frame.mediaTimeMs - tracks.mediaTimeMs);
  tracks.segment = frame.segment;
  tracks.mediaTimeMs = isFirst ? frame.mediaTimeMs : Math.max(tracks.mediaTimeMs, frame.mediaTimeMs);
  const nowMs = tracks.mediaTimeMs;

  const wellFormed = frame.detections.filter(isWellFormed);
  const high = withoutDoubles(wellFormed.filter(({ confidence }) => confidence >= options.highScore));
  const low = wellFormed.filter(({ confidence }) => confidence < options.highScore && confidence >= options.lowScore);

  for (const track of tracks.live) {
    predict(track.filter, gapMs / 1000);
    track.predicted = boxOf(track.filter);
    track.size = sizeOf(track.filter.width.value, track.filter.height.value);
  }

  const seen = new Map<Track, Detection>();
  const usedHigh = match(tracks.live, high, seen, affinityCost);
  const unseen = tracks.live.filter((track) => track.confirmed && track.misses === 0 && !seen.has(track));
  match(unseen, low, seen, ({ predicted }, { bbox }) => overlapCost(predicted, bbox, options.lowScoreMinIou));

  for (const track of tracks.live) {
    const detection = seen.get(track);
    if (detection) see(track, detection, nowMs);
    else miss(track);
  }
  tracks.live = tracks.live.filter((track) => isKept(track, nowMs, options));

  const newcomers = high.filter((_, index) => !usedHigh.has(index));
  const overLimit = admit(tracks, newcomers, nowMs, seen);
  for (const track of tracks.live) {
    track.confirmed ||= isFirst || gapMs > CONFIRM_AT_ONCE_GAP_MS || isSure(track, options);
  }
  const objects: TrackedObject[] = [];
  for (const track of tracks.live) {
    const detection = track.confirmed ? seen.get(track) : undefined;
    if (detection) objects.push(describe(track, detection, nowMs));
  }
  return { objects, overLimit, malformed: frame.detections.length - wellFormed.length };
};

/** Assigns detections to tracks of their kind, notes them in `seen`, and answers which detections were used. */
const match = (
  tracks: readonly Track[],
  detections: readonly Detection[],
  seen: Map<Track, Detection>,
  costOf: (track: Track, seen: Seen) => number | null,
): Set<number> => {
  const pairs: Pair[] = [];
  const boxes = detections.map(({ class: className, bbox }, column) => ({ column, kind: kindOf(className), box: seenOf(bbox) }));
  tracks.forEach((track, row) => {
    for (const { column, kind, box } of boxes) {
      if (kind !== track.kind) continue;
      const cost = costOf(track, box);
      if (cost !== null) pairs.push({ row, column, cost });
    }
  });
  const used = new Set<number>();
  assign(tracks.length, detections.length, pairs, ALONE_COST).forEach((column, row) => {
    const track = tracks[row];
    const detection = detections[column];
    if (!track || !detection) return;
    seen.set(track, detection);
    used.add(column);
  });
  return used;
};

/** Best first; drops a box that a better one of another class of the same kind covers. Doubles of one class are the detector's to suppress. */
const withoutDoubles = (detections: readonly Detection[]): Detection[] => {
  const best: Detection[] = [];
  for (const detection of detections.toSorted((a, b) => b.confidence - a.confidence)) {
    const kind = kindOf(detection.class);
    const isDouble =
      kind !== detection.class &&
      best.some(
        (other) =>
          other.class !== detection.class && kindOf(other.class) === kind && iou(other.bbox, detection.bbox) >= SAME_OBJECT_IOU,
      );
    if (!isDouble) best.push(detection);
  }
  return best;
};

const see = (track: Track, detection: Detection, nowMs: number): void => {
  correct(track.filter, detection.bbox);
  track.classWeights.set(detection.class, (track.classWeights.get(detection.class) ?? 0) + detection.confidence);
  track.lastSeenMs = nowMs;
  track.hits += 1;
  track.misses = 0;
};

const miss = (track: Track): void => {
  track.misses += 1;
  holdSides(track.filter);
};

const isKept = (track: Track, nowMs: number, options: TrackingOptions): boolean => {
  if (track.misses === 0) return true;
  const lostMs = nowMs - track.lastSeenMs;
  if (lostMs > (isStanding(track, lostMs) ? options.maxLostStandingMs : options.maxLostMs)) return false;
  return track.misses <= (track.confirmed ? options.maxAgeFrames : TENTATIVE_MISSES_MAX);
};

/** Since it was last seen, it would have moved by less than half its size. */
const isStanding = ({ filter }: Track, lostMs: number): boolean =>
  (Math.hypot(filter.x.rate, filter.y.rate) * lostMs) / 1000 < sizeOf(filter.width.value, filter.height.value) / 2;

const isSure = (track: Track, options: TrackingOptions): boolean =>
  track.hits >= options.minHits || (track.hits >= 2 && track.lastSeenMs - track.firstSeenMs >= CONFIRM_SPAN_MS);

/** Starts tracks for detections without one, best first, and answers how many found no room. Unseen tracks give way, longest unseen first. */
const admit = (tracks: Tracks, newcomers: readonly Detection[], nowMs: number, seen: Map<Track, Detection>): number => {
  const room = tracks.options.maxTracks - tracks.live.length;
  if (newcomers.length > room) {
    const unseen = tracks.live.filter((track) => track.misses > 0).toSorted((a, b) => b.misses - a.misses || a.id - b.id);
    const leaving = new Set(unseen.slice(0, newcomers.length - room));
    tracks.live = tracks.live.filter((track) => !leaving.has(track));
  }
  const admitted = newcomers.slice(0, Math.max(0, tracks.options.maxTracks - tracks.live.length));
  for (const detection of admitted) {
    const track: Track = {
      id: tracks.nextId++,
      kind: kindOf(detection.class),
      filter: startFilter(detection.bbox),
      classWeights: new Map([[detection.class, detection.confidence]]),
      firstSeenMs: nowMs,
      lastSeenMs: nowMs,
      hits: 1,
      misses: 0,
      confirmed: false,
      predicted: detection.bbox,
      size: sizeOf(detection.bbox[2] - detection.bbox[0], detection.bbox[3] - detection.bbox[1]),
    };
    tracks.live.push(track);
    seen.set(track, detection);
  }
  return newcomers.length - admitted.length;
};

const describe = (track: Track, detection: Detection, nowMs: number): TrackedObject => {
  const object: TrackedObject = {
    class: majorityClass(track.classWeights),
    confidence: detection.confidence,
    bbox: detection.bbox,
    trackId: track.id,
    ageMs: nowMs - track.firstSeenMs,
  };
  if (track.hits > 1) object.velocity = [track.filter.x.rate, track.filter.y.rate];
  return object;
};

/** The class with the most confidence behind it; on a tie the one seen first. */
const majorityClass = (weights: ReadonlyMap<string, number>): string => {
  let majority = "";
  let most = Number.NEGATIVE_INFINITY;
  for (const [className, weight] of weights) {
    if (weight > most) {
      majority = className;
      most = weight;
    }
  }
  return majority;
};
