/**
 * How road users move on the ground. Of each track a short history of box centres is kept in picture coordinates, so that a
 * better estimate of the camera improves the past as well; ground coordinates are made when they are asked for.
 */
import type { TrackedObject } from "../../protocols/frame.ts";
import type { Box } from "../../protocols/ids.ts";
import { isVehicle } from "../../protocols/road-user.ts";
import { type BodySize, type GroundPoint, isCut, type Sight, usualSize } from "./ground.ts";

type Sample = { readonly ms: number; readonly u: number; readonly v: number };

export type History = {
  class: string;
  lastMs: number;
  /** Oldest first; at least SAMPLE_GAP_MS apart but for the newest. */
  readonly samples: Sample[];
  /** From here it has not moved away since. */
  anchor: Sample;
  /** Radians on the ground; null until it has moved. */
  heading: number | null;
  /** The greatest distance that lay between the ends of its history, metres. */
  travelledM: number;
  /** Below SLOW_SPEED since then; null while faster. */
  slowSinceMs: number | null;
  /** Slow, but not standing, since then. */
  creepsSinceMs: number | null;
};

export type Histories = Map<number, History>;

/** A road user at the moment of a frame, on the ground. Metres, seconds, radians. */
export type Body = {
  readonly trackId: number;
  readonly class: string;
  readonly bbox: Box;
  readonly size: BodySize;
  readonly x: number;
  readonly y: number;
  readonly vx: number;
  readonly vy: number;
  readonly speed: number;
  readonly heading: number | null;
  readonly standingMs: number;
  readonly slowMs: number;
  readonly creepsMs: number;
  readonly travelledM: number;
  /** Goes straight on, so that where it will be in a second can be told; turning, swerving or mixed-up tracks do not. */
  readonly steady: boolean;
  /** The picture's edge may cut its box, so its place is uncertain. */
  readonly cut: boolean;
};

const SAMPLE_GAP_MS = 100;
/** Long enough for a heading at walking speed. */
const HISTORY_MS = 4000;
const SAMPLES_MAX = HISTORY_MS / SAMPLE_GAP_MS + 2;
const HISTORIES_MAX = 500;
/** The tracker gives a lost track up after 15 s at most. */
const FORGET_AFTER_MS = 16_000;
/** Speed is taken over so much time: two frames at 2 fps; long enough at high rates for boxes that tremble. */
const SPEED_SPAN_MS = 700;
/** An object seen again after longer has no known speed. */
const SPEED_GAP_MAX_MS = 2500;
/** A newcomer's past is made of its speed, so it must be short. */
const BACKDATE_MAX_MS = 500;
/** A heading needs so much way: less may be the trembling of a box. */
const HEADING_WAY_M = 1.5;
/** Metres per second: a slow bicycle. Traffic below it creeps or stands. */
export const SLOW_SPEED = 3;
/** A stroll. Below it and not standing, traffic creeps; a queue that drives off is faster within two seconds. */
const CREEP_SPEED = 2;
const STRETCH_MS = 350;
/** Metres per second squared. No car brakes harder; a greater change of speed is a mixed-up track. */
const JOLT_MAX = 9;
const STEADY_SPEED_MIN = 1.5;
/** Radians from one stretch to the next; a junction's turn is 16° in half a second. */
const STEADY_TURN = 0.17;
/** Who has stood so long does not creep. */
const STANDS_MS = 2000;
/** An object stands while its centre stays within this share of its longer side. */
const STAND_SHARE = 0.15;

/** `Math.hypot` takes care of overflow, at several times the price. */
const length = (x: number, y: number): number => Math.sqrt(x * x + y * y);

/** Takes the frame's objects in, and forgets those that are gone. */
export const noteObjects = (histories: Histories, objects: readonly TrackedObject[], ms: number): void => {
  for (const object of objects) {
    const { trackId, class: className, bbox } = object;
    const sample: Sample = { ms, u: (bbox[0] + bbox[2]) / 2, v: (bbox[1] + bbox[3]) / 2 };
    const known = histories.get(trackId);
    if (!known) {
      if (histories.size >= HISTORIES_MAX && !dropOldest(histories, ms)) continue;
      histories.set(trackId, {
        class: className,
        lastMs: ms,
        samples: [...before(object, sample), sample],
        anchor: sample,
        heading: null,
        travelledM: 0,
        slowSinceMs: null,
        creepsSinceMs: null,
      });
      continue;
    }
    known.class = className;
    known.lastMs = ms;
    const last = known.samples.at(-2);
    // The newest sample is replaced while it stands too close to the one before it.
    if (last && (known.samples.at(-1)?.ms ?? 0) - last.ms < SAMPLE_GAP_MS) known.samples.pop();
    known.samples.push(sample);
    while (known.samples.length > SAMPLES_MAX || ms - (known.samples[0]?.ms ?? ms) > HISTORY_MS) known.samples.shift();
    const reach = STAND_SHARE * Math.max(bbox[2] - bbox[0], bbox[3] - bbox[1]);
    if (length(sample.u - known.anchor.u, sample.v - known.anchor.v) > reach) known.anchor = sample;
  }
  for (const [trackId, { lastMs }] of histories) {
    if (ms - lastMs > FORGET_AFTER_MS) histories.delete(trackId);
  }
};

/** Makes room by forgetting the one that is longest out of sight; false when all are in sight. */
const dropOldest = (histories: Histories, ms: number): boolean => {
  let oldest: number | null = null;
  let oldestMs = ms;
  for (const [trackId, { lastMs }] of histories) {
    if (lastMs >= oldestMs) continue;
    oldest = trackId;
    oldestMs = lastMs;
  }
  return oldest !== null && histories.delete(oldest);
};

/** Where the tracker saw a newcomer before it was sure of it. */
const before = ({ velocity, ageMs }: TrackedObject, { ms, u, v }: Sample): Sample[] => {
  if (!velocity || ageMs <= 0) return [];
  const agoMs = Math.min(ageMs, BACKDATE_MAX_MS);
  return [{ ms: ms - agoMs, u: u - (velocity[0] * agoMs) / 1000, v: v - (velocity[1] * agoMs) / 1000 }];
};

/** Everyone in the frame, as they stand and move on the ground. */
export const bodiesOf = (
  histories: Histories,
  objects: readonly TrackedObject[],
  { ground, imageWidth, imageHeight }: Sight,
): Body[] => {
  const bodies: Body[] = [];
  for (const object of objects) {
    const history = histories.get(object.trackId);
    if (!history) continue;
    const size = usualSize(object.class);
    const path = history.samples.map(({ ms, u, v }): PathPoint => {
      const { x, y } = ground.place(u, v, size.heightM / 2);
      return { ms, x, y };
    });
    const here = path.at(-1);
    if (!here) continue;
    const velocity = velocityOf(path);
    const { vx, vy } = velocity ?? { vx: 0, vy: 0 };
    const start = path[0] ?? here;
    history.travelledM = Math.max(history.travelledM, length(here.x - start.x, here.y - start.y));
    history.heading = headingOf(path) ?? history.heading;
    const speed = length(vx, vy);
    history.slowSinceMs = velocity && speed < SLOW_SPEED ? (history.slowSinceMs ?? here.ms) : null;
    const creeps = velocity && speed < CREEP_SPEED && here.ms - history.anchor.ms < STANDS_MS;
    history.creepsSinceMs = creeps ? (history.creepsSinceMs ?? here.ms) : null;
    bodies.push({
      trackId: object.trackId,
      class: object.class,
      bbox: object.bbox,
      size,
      x: here.x,
      y: here.y,
      vx,
      vy,
      speed,
      heading: history.heading,
      standingMs: here.ms - history.anchor.ms,
      slowMs: history.slowSinceMs === null ? 0 : here.ms - history.slowSinceMs,
      creepsMs: history.creepsSinceMs === null ? 0 : here.ms - history.creepsSinceMs,
      travelledM: history.travelledM,
      steady: isSteady(path),
      cut: isCut(object.bbox, imageWidth, imageHeight),
    });
  }
  return bodies;
};

/** Where vehicles stand that are hidden in this frame: seen standing, and not seen to leave. */
export const hiddenStanding = (histories: Histories, { ground, ms }: Sight): GroundPoint[] => {
  const points: GroundPoint[] = [];
  for (const history of histories.values()) {
    const last = history.samples.at(-1);
    if (!last || history.lastMs === ms || !isVehicle(history.class) || history.lastMs - history.anchor.ms < STANDS_MS) continue;
    points.push(ground.place(last.u, last.v, usualSize(history.class).heightM / 2));
  }
  return points;
};

type PathPoint = GroundPoint & { readonly ms: number };

type Velocity = { readonly vx: number; readonly vy: number };

/** Least-squares slope over the last SPEED_SPAN_MS, or between the last two points where frames are further apart; null when unknown. */
const velocityOf = (path: readonly PathPoint[]): Velocity | null => {
  const last = path.at(-1);
  const before = path.at(-2);
  if (!last || !before || last.ms - before.ms > SPEED_GAP_MAX_MS) return null;
  const fromMs = Math.min(before.ms, last.ms - SPEED_SPAN_MS);
  const recent = path.filter(({ ms }) => ms >= fromMs);
  let [meanS, meanX, meanY] = [0, 0, 0];
  for (const { ms, x, y } of recent) {
    meanS += (ms - last.ms) / 1000 / recent.length;
    meanX += x / recent.length;
    meanY += y / recent.length;
  }
  let [spread, slopeX, slopeY] = [0, 0, 0];
  for (const { ms, x, y } of recent) {
    const s = (ms - last.ms) / 1000 - meanS;
    spread += s * s;
    slopeX += s * (x - meanX);
    slopeY += s * (y - meanY);
  }
  return spread > 0 ? { vx: slopeX / spread, vy: slopeY / spread } : null;
};

/** Compares the last two stretches of the way, each at least STRETCH_MS long. */
const isSteady = (path: readonly PathPoint[]): boolean => {
  const end = path.at(-1);
  const middle = end && path.findLast(({ ms }) => end.ms - ms >= STRETCH_MS);
  const start = middle && path.findLast(({ ms }) => middle.ms - ms >= STRETCH_MS);
  if (!start || end.ms - start.ms > SPEED_GAP_MAX_MS) return false;
  const first = { seconds: (middle.ms - start.ms) / 1000, x: middle.x - start.x, y: middle.y - start.y };
  const second = { seconds: (end.ms - middle.ms) / 1000, x: end.x - middle.x, y: end.y - middle.y };
  const speedBefore = length(first.x, first.y) / first.seconds;
  const speedAfter = length(second.x, second.y) / second.seconds;
  if (Math.abs(speedAfter - speedBefore) > JOLT_MAX * second.seconds) return false;
  // At a walking pace the direction between two boxes is mostly noise, and a collision course no danger.
  if (Math.min(speedBefore, speedAfter) < STEADY_SPEED_MIN) return speedBefore + speedAfter < STEADY_SPEED_MIN;
  const cross = first.x * second.y - first.y * second.x;
  const dot = first.x * second.x + first.y * second.y;
  return Math.abs(Math.atan2(cross, dot)) < STEADY_TURN;
};

/** The direction from the last point that is HEADING_WAY_M away; null when the whole path stays nearer. */
const headingOf = (path: readonly PathPoint[]): number | null => {
  const last = path.at(-1);
  if (!last) return null;
  for (let index = path.length - 2; index >= 0; index--) {
    const point = path[index];
    if (point && length(last.x - point.x, last.y - point.y) >= HEADING_WAY_M) {
      return Math.atan2(last.y - point.y, last.x - point.x);
    }
  }
  return null;
};
