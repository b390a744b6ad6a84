/**
 * Which way traffic goes at each place of the picture, learned from the traffic. A track teaches when it has ended, so that
 * nobody is judged by their own trace. Cells are of the picture, so that a better estimate of the camera does not move them.
 */
import type { GroundPoint, Sight } from "./ground.ts";
import type { Body } from "./kinematics.ts";

/** Fine enough that opposite lanes fall into different cells where a lane is 16 px wide in a picture of 960. */
const COLUMNS = 64;
const ROWS = 72;
const DIRECTIONS = 8;
const TRAIL_MAX = 240;
const TRACK_ENDS_MS = 3000;
/** Slower vehicles turn, park or tremble. */
const FLOW_SPEED_MIN = 1.5;
/** The road of today may not be that of yesterday: what was learned counts half after so long. */
const HALVE_AFTER_MS = 30 * 60_000;

/** Tracks that crossed so many cells tell whether the flow still holds; of so many, half flagged means that it does not. */
const WAY_LEAST = 5;
const RECENT = 12;

type Step = { readonly cell: number; readonly direction: number; readonly ms: number };
type Trail = { readonly steps: Step[]; last: { readonly u: number; readonly v: number }; seenMs: number; flagged: boolean };

export type Flow = {
  /** Tracks that passed, by cell and direction; 255 at most. */
  readonly counts: Uint8Array;
  readonly trails: Map<number, Trail>;
  halvedMs: number | null;
  /** Of the last tracks that went some way, whether each was flagged. */
  readonly recent: boolean[];
};

export const startFlow = (): Flow => ({
  counts: new Uint8Array(COLUMNS * ROWS * DIRECTIONS),
  trails: new Map(),
  halvedMs: null,
  recent: [],
});

/** The clock of the media starts anew: the tracks of before are over. */
export const restartFlow = (flow: Flow): void => {
  for (const trackId of flow.trails.keys()) endTrail(flow, trackId);
  flow.halvedMs = null;
};

/** Follows the vehicles of a frame, and learns from the tracks that have ended. */
export const followFlow = (flow: Flow, vehicles: readonly Body[], sight: Sight): void => {
  for (const vehicle of vehicles) extend(flow.trails, vehicle, sight);
  for (const [trackId, { seenMs }] of flow.trails) if (sight.ms - seenMs > TRACK_ENDS_MS) endTrail(flow, trackId);
  flow.halvedMs ??= sight.ms;
  if (sight.ms - flow.halvedMs < HALVE_AFTER_MS) return;
  flow.halvedMs = sight.ms;
  for (let cell = 0; cell < COLUMNS * ROWS; cell++) halve(flow.counts, cell);
};

const extend = (trails: Map<number, Trail>, vehicle: Body, sight: Sight): void => {
  const { u, v } = gridPoint(vehicle, sight);
  const trail = trails.get(vehicle.trackId);
  if (!trail) {
    trails.set(vehicle.trackId, { steps: [], last: { u, v }, seenMs: sight.ms, flagged: false });
    return;
  }
  if (vehicle.heading !== null && vehicle.speed >= FLOW_SPEED_MIN) {
    const direction = directionOf(vehicle.heading);
    const parts = Math.min(24, Math.max(1, Math.ceil(Math.sqrt((u - trail.last.u) ** 2 + (v - trail.last.v) ** 2))));
    for (let part = 1; part <= parts && trail.steps.length < TRAIL_MAX; part++) {
      const cell = cellAt(trail.last.u + ((u - trail.last.u) * part) / parts, trail.last.v + ((v - trail.last.v) * part) / parts);
      if (cell >= 0 && cell !== trail.steps.at(-1)?.cell) trail.steps.push({ cell, direction, ms: sight.ms });
    }
  }
  trail.last = { u, v };
  trail.seenMs = sight.ms;
};

const endTrail = ({ counts, trails, recent }: Flow, trackId: number): void => {
  const trail = trails.get(trackId);
  trails.delete(trackId);
  if (!trail) return;
  if (trail.steps.length >= WAY_LEAST) recent.push(trail.flagged);
  if (recent.length > RECENT) recent.shift();
  if (trail.flagged) return;
  for (const { cell, direction } of trail.steps) {
    const at = cell * DIRECTIONS + direction;
    if (counts[at] === 255) halve(counts, cell);
    counts[at] = (counts[at] ?? 0) + 1;
  }
};

/** Half of the traffic goes against what is known: not the drivers are wrong but the picture, because the camera was turned. */
export const isOutdated = ({ recent }: Flow): boolean => recent.filter((flagged) => flagged).length >= RECENT / 2;

/** Keeps the shares of a cell's directions. */
const halve = (counts: Uint8Array, cell: number): void => {
  for (let at = cell * DIRECTIONS; at < (cell + 1) * DIRECTIONS; at++) counts[at] = (counts[at] ?? 0) >> 1;
};

const gridPoint = (
  point: GroundPoint,
  { ground, imageWidth, imageHeight }: Sight,
): { readonly u: number; readonly v: number } => {
  const [u, v] = ground.toPicture(point);
  return { u: (u / imageWidth) * COLUMNS, v: (v / imageHeight) * ROWS };
};

const cellAt = (u: number, v: number): number =>
  u >= 0 && v >= 0 && u < COLUMNS && v < ROWS ? Math.floor(v) * COLUMNS + Math.floor(u) : -1;

/** The cell of a place on the ground; -1 outside the picture. */
export const cellOf = (point: GroundPoint, sight: Sight): number => {
  const { u, v } = gridPoint(point, sight);
  return cellAt(u, v);
};

const directionOf = (heading: number): number =>
  ((Math.round((heading / (2 * Math.PI)) * DIRECTIONS) % DIRECTIONS) + DIRECTIONS) % DIRECTIONS;

export type Passages = {
  readonly all: number;
  /** In about the same direction, and in about the opposite one. */
  readonly same: number;
  readonly opposite: number;
};

const nothing: Passages = { all: 0, same: 0, opposite: 0 };

/** Of the tracks that went through a cell, how many went along with `heading` and how many against it. */
export const passagesIn = (flow: Flow, cell: number, heading: number): Passages =>
  cell < 0 ? nothing : passages(flow.counts, cell, directionOf(heading));

const passages = (counts: Uint8Array, cell: number, direction: number): Passages => {
  const first = cell * DIRECTIONS;
  let all = 0;
  for (let each = 0; each < DIRECTIONS; each++) all += counts[first + each] ?? 0;
  // Most of a picture is no road.
  if (all === 0) return nothing;
  let [same, opposite] = [0, 0];
  for (let turn = -1; turn <= 1; turn++) {
    same += counts[first + ((direction + turn + DIRECTIONS) % DIRECTIONS)] ?? 0;
    opposite += counts[first + ((direction + turn + DIRECTIONS / 2) % DIRECTIONS)] ?? 0;
  }
  return { all, same, opposite };
};

/** Cells gone through, by what the traffic known there does. */
export type FlowVote = {
  readonly along: number;
  readonly against: number;
  /** Cells known too little, or whose traffic goes several ways, as in the middle of a junction. */
  readonly unclear: number;
  /** Cells in which anyone at all went the opposite way. */
  readonly contested: number;
};

/** Passages that must be known in a cell. */
const PASSAGES_LEAST = 3;
/** Of them so many must agree; some may have been wrong-way drivers themselves. */
const AGREEMENT = 0.65;

/** How the last `spanMs` of a track's way compare with the ways of others. */
export const flowVote = ({ counts, trails }: Flow, trackId: number, ms: number, spanMs: number): FlowVote => {
  let [along, against, unclear, contested] = [0, 0, 0, 0];
  for (const step of trails.get(trackId)?.steps ?? []) {
    if (ms - step.ms > spanMs) continue;
    const { all, same, opposite } = passages(counts, step.cell, step.direction);
    if (all >= PASSAGES_LEAST && opposite >= AGREEMENT * all) against += 1;
    else if (all >= PASSAGES_LEAST && same >= AGREEMENT * all) along += 1;
    else unclear += 1;
    if (opposite > 0) contested += 1;
  }
  return { along, against, unclear, contested };
};

/** The way vehicles go at a place, if they agree on one. */
export const flowHeading = (flow: Flow, point: GroundPoint, sight: Sight): number | null => {
  const cell = cellOf(point, sight);
  if (cell < 0) return null;
  let [sum, x, y] = [0, 0, 0];
  for (let direction = 0; direction < DIRECTIONS; direction++) {
    const count = flow.counts[cell * DIRECTIONS + direction] ?? 0;
    const angle = (2 * Math.PI * direction) / DIRECTIONS;
    sum += count;
    x += count * Math.cos(angle);
    y += count * Math.sin(angle);
  }
  return sum >= PASSAGES_LEAST && Math.hypot(x, y) > 0.8 * sum ? Math.atan2(y, x) : null;
};

/** What a wrong-way driver does is no lane. */
export const flagTrack = ({ trails }: Flow, trackId: number): void => {
  const trail = trails.get(trackId);
  if (trail) trail.flagged = true;
};
