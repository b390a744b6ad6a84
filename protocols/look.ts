/**
 * How a group looked when a verdict was asked for, small enough to be kept, and how far another sight of it is from that.
 * The clusterer and the task generator compare in the same way.
 */
import { z } from "zod";
import { type DetectedObject, HazardType, type TrafficGroup } from "./detection.ts";
import { Box } from "./ids.ts";

const trackIdsMax = 32;
const hazardsMax = 16;

export const Look = z.object({
  box: Box,
  trackIds: z.array(z.int()).max(trackIdsMax),
  vehicles: z.int().min(0),
  pedestrians: z.int().min(0),
  /** Of the two members that are nearest to each other, pixels. */
  spacing: z.number(),
  /** Of the person and the vehicle that are nearest to each other; null without one of them. */
  personGap: z.number().nullable(),
  /** Of the fastest member; null when none is known. */
  speed: z.number().nullable(),
  hazards: z.array(z.object({ type: HazardType, trackIds: z.array(z.int()).max(trackIdsMax) })).max(hazardsMax),
});
export type Look = z.infer<typeof Look>;

export type LookFields = Pick<TrafficGroup, "bbox" | "memberTrackIds" | "spatial" | "hazards">;

const few = (trackIds: readonly number[]): number[] => trackIds.toSorted((a, b) => a - b).slice(0, trackIdsMax);

/** `members` are the group's own. */
export const lookOf = (
  { bbox, memberTrackIds, spatial, hazards }: LookFields,
  members: readonly Pick<DetectedObject, "speed">[],
): Look => {
  const speeds = members.flatMap(({ speed }) => speed ?? []);
  return {
    box: [...bbox],
    trackIds: few(memberTrackIds),
    vehicles: spatial.vehicles,
    pedestrians: spatial.pedestrians,
    spacing: spatial.minSpacing,
    personGap: spatial.pedVehicleMinDist ?? null,
    speed: speeds.length > 0 ? Math.max(...speeds) : null,
    hazards: hazards.slice(0, hazardsMax).map(({ type, memberTrackIds: ids }) => ({ type, trackIds: few(ids) })),
  };
};

/** Differences of less than these shares of the box's diagonal are the detector's trembling. */
const distanceFloor = 0.1;
const speedFloor = 0.2;
/** A group that moved by its own size has changed as much as this. */
const moveShare = 0.3;

const jaccard = (some: readonly number[], others: readonly number[]): number => {
  const known = new Set(some);
  const shared = others.filter((id) => known.has(id)).length;
  const all = known.size + others.length - shared;
  return all === 0 ? 1 : shared / all;
};

const relative = (then: number, now: number, floor: number): number => Math.abs(then - now) / Math.max(then, now, floor, 1e-9);

const diagonalOf = ([x1, y1, x2, y2]: Box): number => Math.hypot(x2 - x1, y2 - y1);
const movedBy = (then: Box, now: Box): number =>
  Math.hypot(then[0] + then[2] - now[0] - now[2], then[1] + then[3] - now[1] - now[3]) / 2;

/** Of one kind and, where ids can be compared, for the larger part of the same members. */
const isKnownHazard = ({ hazards }: Look, { type, trackIds }: Look["hazards"][number], byIds: boolean): boolean =>
  hazards.some((known) => known.type === type && (!byIds || jaccard(known.trackIds, trackIds) >= 0.5));

/** The share of members that were not there. One that has left makes nothing more dangerous. */
const newcomers = (then: Look, now: Look): number => {
  const known = new Set(then.trackIds);
  return now.trackIds.filter((id) => !known.has(id)).length / Math.max(now.trackIds.length, 1);
};

/**
 * The change score: 0 for the same sight, 1 for another one. The largest of the share of newcomers, what changed in the least
 * distances, in speed and place, and the dangers named by the rules. `byIds`: the two were tracked without a break, so ids mean the
 * same members.
 */
export const changeOf = (then: Look, now: Look, byIds: boolean): number => {
  if (now.hazards.some((hazard) => !isKnownHazard(then, hazard, byIds))) return 1;
  // A person among vehicles: however many they are, it is another scene.
  if (now.personGap !== null && then.personGap === null) return 1;
  const diagonal = Math.max(diagonalOf(then.box), diagonalOf(now.box), 1);
  const counts = Math.abs(then.vehicles - now.vehicles) + Math.abs(then.pedestrians - now.pedestrians);
  const most = Math.max(then.vehicles + then.pedestrians, now.vehicles + now.pedestrians, 1);
  const distance = (before: number | null, after: number | null, floor: number) =>
    before === null || after === null ? 0 : relative(before, after, floor * diagonal);
  return Math.min(
    1,
    Math.max(
      byIds ? newcomers(then, now) : counts / most,
      distance(then.spacing, now.spacing, distanceFloor),
      distance(then.personGap, now.personGap, distanceFloor),
      distance(then.speed, now.speed, speedFloor),
      (movedBy(then.box, now.box) / diagonal) * moveShare,
    ),
  );
};

/** Intersection over union. */
export const overlapOf = (a: Box, b: Box): number => {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const areaOf = (box: Box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (areaOf(a) + areaOf(b) - width * height);
};

const onesOf = (bits: number): number => {
  let count = 0;
  for (let left = bits >>> 0; left !== 0; left = (left & (left - 1)) >>> 0) count++;
  return count;
};

/** The number of bits, of 64, in which two hashes of 16 hexadecimal digits differ. */
export const hashDistance = (one: string, other: string): number =>
  [0, 8].reduce((sum, at) => {
    const [a, b] = [one, other].map((hash) => Number.parseInt(hash.slice(at, at + 8), 16));
    return sum + onesOf((a ?? 0) ^ (b ?? 0));
  }, 0);
