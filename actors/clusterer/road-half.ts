/**
 * On which half of a two-way road someone drives. On which side people drive here is learned from how they meet; then one's own
 * half has less road on the outer side than on the inner. It tells a wrong-way driver from a lane in which few have driven yet.
 */
import { cellOf, type Flow, passagesIn } from "./flow.ts";
import type { Sight } from "./ground.ts";
import type { Body } from "./kinematics.ts";

/** Of a two-way road: the half for one's own direction, or that for oncoming traffic. */
export type RoadHalf = "own" | "other";

type Look = { readonly half: RoadHalf; readonly ms: number };

export type RoadHalves = {
  /** Meetings of vehicles that go opposite ways, by the side on which they pass. */
  onLeft: number;
  onRight: number;
  readonly met: Set<string>;
  readonly looks: Map<number, Look[]>;
};

export const startRoadHalves = (): RoadHalves => ({ onLeft: 0, onRight: 0, met: new Set(), looks: new Map() });

export const restartRoadHalves = (halves: RoadHalves): void => {
  halves.met.clear();
  halves.looks.clear();
};

/** Two vehicles pass each other on a road, not across a junction. */
const MEETING_AHEAD_M = 12;
const MEETING_ASIDE_MIN_M = 2;
const MEETING_ASIDE_MAX_M = 9;
const MEETING_SPEED_MIN = 3;
/** The cosine of 154°. */
const OPPOSITE_COS = -0.9;
const MET_MAX = 2000;

/** Counts each pair of vehicles that meet, once, by the side on which they pass. */
export const noteMeetings = (halves: RoadHalves, vehicles: readonly Body[]): void => {
  const moving = vehicles.filter(({ heading, speed }) => heading !== null && speed >= MEETING_SPEED_MIN);
  moving.forEach((a, index) => {
    for (let other = index + 1; other < moving.length; other++) {
      const b = moving[other];
      if (!b || a.heading === null || b.heading === null || Math.cos(a.heading - b.heading) > OPPOSITE_COS) continue;
      const ahead = (b.x - a.x) * Math.cos(a.heading) + (b.y - a.y) * Math.sin(a.heading);
      const left = -(b.x - a.x) * Math.sin(a.heading) + (b.y - a.y) * Math.cos(a.heading);
      const aside = Math.abs(left);
      if (Math.abs(ahead) > MEETING_AHEAD_M || aside < MEETING_ASIDE_MIN_M || aside > MEETING_ASIDE_MAX_M) continue;
      const pair = `${a.trackId},${b.trackId}`;
      if (halves.met.has(pair)) continue;
      if (halves.met.size >= MET_MAX) halves.met.clear();
      halves.met.add(pair);
      if (left > 0) halves.onLeft += 1;
      else halves.onRight += 1;
    }
  });
};

/** So many meetings, and so clear a majority, tell on which side people drive. */
const MEETINGS_LEAST = 8;
const MEETINGS_SHARE = 0.8;

/** `right` where oncoming traffic passes on the left. */
export const drivingSide = ({ onLeft, onRight }: RoadHalves): "right" | "left" | null => {
  const all = onLeft + onRight;
  if (all < MEETINGS_LEAST) return null;
  if (onLeft > MEETINGS_SHARE * all) return "right";
  return onRight > MEETINGS_SHARE * all ? "left" : null;
};

const LOOKS_MAX = 128;
/** One look may fall into a junction, where the road beside is another road. */
const LOOKS_SPAN_MS = 1400;
const LOOKS_SHARE = 0.8;

/** The half on which a vehicle has driven over the last `spanMs`, or `null` where that cannot be told. */
export const roadHalf = (halves: RoadHalves, flow: Flow, body: Body, sight: Sight, spanMs: number): RoadHalf | null => {
  const looks = halves.looks.get(body.trackId) ?? [];
  const half = halfHere(drivingSide(halves), flow, body, sight);
  if (half) looks.push({ half, ms: sight.ms });
  while (looks.length > LOOKS_MAX || (looks[0] && sight.ms - looks[0].ms > spanMs)) looks.shift();
  if (looks[0]) halves.looks.set(body.trackId, looks);
  if (!looks[0] || sight.ms - looks[0].ms < LOOKS_SPAN_MS) return null;
  const own = looks.filter((look) => look.half === "own").length / looks.length;
  if (own >= LOOKS_SHARE) return "own";
  return own <= 1 - LOOKS_SHARE ? "other" : null;
};

/** Forgets the looks at tracks that are gone. */
export const forgetLooks = ({ looks }: RoadHalves, isKnown: (trackId: number) => boolean): void => {
  for (const trackId of looks.keys()) if (!isKnown(trackId)) looks.delete(trackId);
};

/** How far traffic is known to a side, and in what steps it is looked for; two lanes and some more. */
const BESIDE_MAX_M = 8;
const BESIDE_STEP_M = 0.5;
/** One track alone may have been anywhere. */
const BESIDE_PASSAGES_LEAST = 2;
/** Where more of the traffic beside goes across, it is a junction, and no road with two halves. */
const CROSSED_SHARE = 0.25;
/** Less difference between the sides is chance. */
const BESIDE_MARGIN_M = 2;

const halfHere = (side: "left" | "right" | null, flow: Flow, body: Body, sight: Sight): RoadHalf | null => {
  const { x, y, heading } = body;
  if (side === null || heading === null) return null;
  const own = cellOf(body, sight);
  const [sin, cos] = [Math.sin(heading), Math.cos(heading)];
  let twoWay = false;
  let crossed = false;
  const reach = (toLeft: 1 | -1): number => {
    let known = 0;
    let [last, passages] = [own, passagesIn(flow, own, heading)];
    for (let aside = BESIDE_STEP_M; aside <= BESIDE_MAX_M && !crossed; aside += BESIDE_STEP_M) {
      const cell = cellOf({ x: x - toLeft * aside * sin, y: y + toLeft * aside * cos }, sight);
      if (cell === own) continue;
      // Far away a cell is several steps wide.
      if (cell !== last) [last, passages] = [cell, passagesIn(flow, cell, heading)];
      const { all, same, opposite } = passages;
      if (same + opposite >= BESIDE_PASSAGES_LEAST) known = aside;
      if (opposite > same) twoWay = true;
      if (all - same - opposite > CROSSED_SHARE * all) crossed = true;
    }
    return known;
  };
  const [left, right] = [reach(1), reach(-1)];
  const [inner, outer] = side === "right" ? [left, right] : [right, left];
  if (!twoWay || crossed || Math.abs(inner - outer) < BESIDE_MARGIN_M) return null;
  return inner > outer ? "own" : "other";
};
