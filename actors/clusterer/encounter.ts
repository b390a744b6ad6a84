/**
 * Two road users and how near they are to a crash, by the surrogate safety measures of traffic engineering: time to collision
 * (Hayward 1972), time gap, and the braking that would be needed (deceleration rate to avoid a crash: Cooper and Ferguson 1976).
 * Outlines are rows of discs along the heading, a common stand-in for turned rectangles, for which the time of contact is the
 * root of a quadratic.
 */
import type { Body } from "./kinematics.ts";

type Disc = { readonly x: number; readonly y: number; readonly r: number };

const discsOf = ({ x, y, size, heading }: Body, slackM: number): Disc[] => {
  const r = Math.max(0.1, size.widthM / 2 - slackM);
  if (heading === null) return [{ x, y, r }];
  const reach = Math.max(0, (size.lengthM - size.widthM) / 2);
  // Neighbouring discs overlap by at least half a radius, so no one slips in between.
  const count = 1 + 2 * Math.ceil(reach / (1.5 * r) - 1e-9);
  const step = count > 1 ? (2 * reach) / (count - 1) : 0;
  const [cos, sin] = [Math.cos(heading), Math.sin(heading)];
  const discs: Disc[] = [];
  for (let along = -reach; discs.length < count; along += step) discs.push({ x: x + along * cos, y: y + along * sin, r });
  return discs;
};

export type Encounter = {
  readonly a: Body;
  readonly b: Body;
  /** Between the outlines; 0 where they touch. */
  readonly gapM: number;
  /** At which the centres come nearer, metres per second; negative when they part. */
  readonly closingSpeed: number;
  readonly relativeSpeed: number;
  /** Until the outlines touch if both go on as they do; `null` when they would not within HORIZON_S. */
  readonly collisionS: number | null;
  /** Least distance of the outlines from now to HORIZON_S, going on as they do, and when. */
  readonly missM: number;
  readonly missS: number;
};

/** Nobody goes on unchanged for longer. */
export const HORIZON_S = 3;

/** `slackM` is taken off each outline where estimated places are too coarse for bare contact. */
export const encounterOf = (a: Body, b: Body, slackM = 0): Encounter => {
  const vx = b.vx - a.vx;
  const vy = b.vy - a.vy;
  const distance = Math.hypot(b.x - a.x, b.y - a.y);
  const square = vx * vx + vy * vy;
  let gapM = Number.POSITIVE_INFINITY;
  let collisionS = Number.POSITIVE_INFINITY;
  let missM = Number.POSITIVE_INFINITY;
  let missS = 0;
  const others = discsOf(b, slackM);
  for (const one of discsOf(a, slackM)) {
    for (const other of others) {
      const px = other.x - one.x;
      const py = other.y - one.y;
      const reach = one.r + other.r;
      gapM = Math.min(gapM, Math.max(0, Math.sqrt(px * px + py * py) - reach));
      collisionS = Math.min(collisionS, contactS(px, py, vx, vy, reach));
      const nearestS = square > 0 ? Math.min(HORIZON_S, Math.max(0, -(px * vx + py * vy) / square)) : 0;
      const [nx, ny] = [px + vx * nearestS, py + vy * nearestS];
      const nearestM = Math.max(0, Math.sqrt(nx * nx + ny * ny) - reach);
      if (nearestM < missM) {
        missM = nearestM;
        missS = nearestS;
      }
    }
  }
  return {
    a,
    b,
    gapM,
    closingSpeed: distance > 0 ? -((b.x - a.x) * vx + (b.y - a.y) * vy) / distance : 0,
    relativeSpeed: Math.sqrt(square),
    collisionS: collisionS <= HORIZON_S ? collisionS : null,
    missM,
    missS,
  };
};

/** When two discs touch, or infinity. */
const contactS = (px: number, py: number, vx: number, vy: number, reach: number): number => {
  const beyond = px * px + py * py - reach * reach;
  if (beyond <= 0) return 0;
  const approach = px * vx + py * vy;
  if (approach >= 0) return Number.POSITIVE_INFINITY;
  const square = vx * vx + vy * vy;
  const root = approach * approach - square * beyond;
  return root < 0 ? Number.POSITIVE_INFINITY : (-approach - Math.sqrt(root)) / square;
};

/** The least angle between two directions, radians. */
export const angleBetween = (a: number, b: number): number => {
  const turn = Math.abs(a - b) % (2 * Math.PI);
  return turn > Math.PI ? 2 * Math.PI - turn : turn;
};

export type Following = {
  readonly leader: Body;
  readonly follower: Body;
  /** From the follower's front to the leader's rear, along the follower's heading. */
  readonly gapM: number;
  /** Gap over the follower's speed. */
  readonly timeGapS: number;
};

/** Two vehicles go the same way if their headings differ by less. */
const SAME_WAY = (25 * Math.PI) / 180;
/** Half a lane: a leader further to the side drives in another. */
const LANE_HALF_M = 1.5;

/** The two as leader and follower in one lane, or `null`. */
export const followingOf = (a: Body, b: Body): Following | null => {
  if (a.heading === null || b.heading === null || angleBetween(a.heading, b.heading) > SAME_WAY) return null;
  const middle = a.heading;
  const along = (b.x - a.x) * Math.cos(middle) + (b.y - a.y) * Math.sin(middle);
  const [leader, follower] = along > 0 ? [b, a] : [a, b];
  const heading = follower.heading ?? middle;
  const ahead = (leader.x - follower.x) * Math.cos(heading) + (leader.y - follower.y) * Math.sin(heading);
  const aside = -(leader.x - follower.x) * Math.sin(heading) + (leader.y - follower.y) * Math.cos(heading);
  if (Math.abs(aside) > LANE_HALF_M) return null;
  const gapM = Math.max(0, ahead - (leader.size.lengthM + follower.size.lengthM) / 2);
  return { leader, follower, gapM, timeGapS: follower.speed > 0 ? gapM / follower.speed : Number.POSITIVE_INFINITY };
};
