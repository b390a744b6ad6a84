/**
 * The five hazards, each as a rule over the road users of one moment. A rule answers findings; how long a finding must last
 * and how long it stays is `risk-now.ts`'s. Metres, seconds, metres per second; every threshold stands here, with its reason.
 */
import type { HazardType } from "../../protocols/detection.ts";
import type { RiskLevel } from "../../protocols/ids.ts";
import { isMotorVehicle } from "../../protocols/road-user.ts";
import { angleBetween, type Encounter, encounterOf, type Following, followingOf } from "./encounter.ts";
import type { FlowVote } from "./flow.ts";
import type { GroundPoint } from "./ground.ts";
import { type Body, SLOW_SPEED } from "./kinematics.ts";
import type { RoadHalf } from "./road-half.ts";
import type { WaitingPlace } from "./waiting.ts";

export type Finding = {
  readonly type: HazardType;
  readonly level: RiskLevel;
  /** Ascending. */
  readonly trackIds: readonly number[];
  readonly evidence: string;
};

const finding = (type: HazardType, level: RiskLevel, bodies: readonly Body[], evidence: string): Finding => ({
  type,
  level,
  trackIds: bodies.map(({ trackId }) => trackId).sort((a, b) => a - b),
  evidence,
});

const isDriven = (body: Body): boolean => isMotorVehicle(body.class) || body.class === "motorcycle";
const degrees = (angle: number): number => (angle * Math.PI) / 180;
const kmh = (speed: number): string => `${Math.round(speed * 3.6)} km/h`;
const pixelsBetween = (a: Body, b: Body): string => {
  const [ax1, ay1, ax2, ay2] = a.bbox;
  const [bx1, by1, bx2, by2] = b.bbox;
  return `${Math.round(Math.hypot(ax1 + ax2 - bx1 - bx2, ay1 + ay2 - by1 - by2) / 2)} px`;
};

/** Below it vehicles queue, and small gaps are usual. */
const TAILGATING_SPEED_MIN = 4;
/** Drivers are taught 2 s and keep 1 to 2; below 0.9 s one in ten does, below 0.6 s nobody can react in time. */
const TAILGATING_GAP_S = 0.9;
const TAILGATING_GAP_MEDIUM_S = 0.6;
/** Together with a time gap that short, closing in further. */
const TAILGATING_COLLISION_HIGH_S = 1.5;

const tailgating = ({ leader, follower, timeGapS }: Following): Finding | null => {
  if (!isDriven(leader) || !isDriven(follower)) return null;
  if (follower.speed < TAILGATING_SPEED_MIN || leader.speed < TAILGATING_SPEED_MIN || timeGapS >= TAILGATING_GAP_S) return null;
  const { collisionS } = encounterOf(leader, follower);
  const closing = collisionS !== null && collisionS > 0 && collisionS < TAILGATING_COLLISION_HIGH_S;
  const level = timeGapS >= TAILGATING_GAP_MEDIUM_S ? "low" : closing ? "high" : "medium";
  const collision = closing ? `, time to collision ${collisionS.toFixed(1)} s` : "";
  return finding(
    "tailgating",
    level,
    [leader, follower],
    `time gap ${timeGapS.toFixed(1)} s at about ${kmh(follower.speed)}, distance ${pixelsBetween(leader, follower)}${collision}`,
  );
};

/** Serious conflicts begin at 1.5 s (Hydén, "The Swedish Traffic Conflicts Technique", 1987). */
const CONFLICT_S = 1.5;
/** At 1 s an average driver has not begun to brake. */
const CONFLICT_HIGH_S = 1;
/** More than drivers brake by choice (Archer 2005: 3.35 m/s²). */
const CONFLICT_BRAKING = 3.35;
/** Who drives as slowly can stop within a metre. */
const CONFLICT_SPEED_MIN = 4;
/** Half a metre, which is what estimated places are good for, on the 1.5 m that many laws ask for beside a cyclist. */
const CONFLICT_MISS_M = 2;
/** Slower people on foot may be standing: boxes tremble. */
const WALKING_SPEED_MIN = 0.7;
/** Ways that cross, rather than run side by side or meet in two lanes. */
const CROSSING_FROM = degrees(30);
const CROSSING_TO = degrees(150);

/** Vehicles in neighbouring lanes pass a metre apart; their estimated places are no better than half of that. */
const LANE_SLACK_M = 0.4;

const PAIR_SPEED_MIN = Math.min(TAILGATING_SPEED_MIN, CONFLICT_SPEED_MIN);

/** The braking with which the contact could still be avoided, by whoever finds it easier. */
const brakingNeeded = ({ a, b, relativeSpeed }: Encounter, inS: number, sameWay: boolean): number => {
  const seconds = Math.max(inS, 0.1);
  if (sameWay) return relativeSpeed / (2 * seconds);
  // People on foot can always stop; that they would is nothing to rely on. Nor can one who stands.
  const speeds = [a, b].filter((body) => isDriven(body) && body.speed >= WALKING_SPEED_MIN).map(({ speed }) => speed);
  return Math.min(...speeds) / (2 * seconds);
};

const nearMiss = (encounter: Encounter): Finding | null => {
  const { a, b, collisionS, missM, missS, gapM } = encounter;
  const [driver, other] = isDriven(a) && (!isDriven(b) || a.speed >= b.speed) ? [a, b] : [b, a];
  if (driver.speed < CONFLICT_SPEED_MIN || driver.heading === null) return null;
  const angle = other.heading === null ? null : angleBetween(driver.heading, other.heading);
  const crosses = angle !== null && angle > CROSSING_FROM && angle < CROSSING_TO;
  const unprotected = !isMotorVehicle(other.class);
  // Outlines that overlap already are a queue, or a bicycle at the kerb, and no collision, unless the ways cross.
  const contact = collisionS !== null && (collisionS > 0 || (unprotected && crosses));
  // Side by side and in opposite lanes vehicles pass at such distances all day.
  const passing = unprotected && crosses && other.speed >= WALKING_SPEED_MIN && missM < CONFLICT_MISS_M;
  const inS = contact ? collisionS : missS;
  if (!(contact || passing) || inS > CONFLICT_S) return null;
  if (brakingNeeded(encounter, inS, angle !== null && angle <= CROSSING_FROM) < CONFLICT_BRAKING) return null;
  // A turning car is on a collision course with half the junction.
  if (!unprotected && !(driver.steady && other.steady)) return null;
  const figure = contact ? `time to collision ${inS.toFixed(1)} s` : `passes ${missM.toFixed(1)} m apart in ${inS.toFixed(1)} s`;
  return finding(
    "near-miss",
    inS <= CONFLICT_HIGH_S || gapM < CONFLICT_MISS_M ? "high" : "medium",
    [driver, other],
    `${figure}, distance ${pixelsBetween(a, b)}, ${driver.class} at about ${kmh(driver.speed)}`,
  );
};

/**
 * The pairs that a rule could say anything about: one of them drives, fast enough, and they could be upon each other within the
 * time that counts as a conflict. Two people on foot are none, nor is anyone cut off by the picture's edge, whose place is a guess.
 */
const pairsOf = (bodies: readonly Body[]): (readonly [Body, Body])[] => {
  const pairs: (readonly [Body, Body])[] = [];
  const whole = bodies.filter(({ cut }) => !cut);
  for (const driver of whole) {
    if (!isDriven(driver) || driver.speed < PAIR_SPEED_MIN) continue;
    for (const other of whole) {
      // Of two such drivers the pair is taken once.
      const isBoth = isDriven(other) && other.speed >= PAIR_SPEED_MIN;
      if (isBoth && other.trackId <= driver.trackId) continue;
      if (other.trackId === driver.trackId) continue;
      const reach = (driver.speed + other.speed) * CONFLICT_S + (driver.size.lengthM + other.size.lengthM) / 2 + CONFLICT_MISS_M;
      const [dx, dy] = [other.x - driver.x, other.y - driver.y];
      if (dx * dx + dy * dy <= reach * reach) pairs.push([driver, other]);
    }
  }
  return pairs;
};

/** Whether circles around the two get as near as a conflict could be, in the time that counts for one: most pairs do not. */
const comeNear = (a: Body, b: Body): boolean => {
  const [dx, dy, vx, vy] = [b.x - a.x, b.y - a.y, b.vx - a.vx, b.vy - a.vy];
  const square = vx * vx + vy * vy;
  const nearestS = square > 0 ? Math.min(CONFLICT_S, Math.max(0, -(dx * vx + dy * vy) / square)) : 0;
  const [nx, ny] = [dx + vx * nearestS, dy + vy * nearestS];
  const reach = (circleM(a) + circleM(b)) / 2 + CONFLICT_MISS_M;
  return nx * nx + ny * ny <= reach * reach;
};
const circleM = ({ size }: Body): number => Math.max(size.lengthM, size.widthM, 0.2);

export const pairFindings = (bodies: readonly Body[]): Finding[] => {
  const found: Finding[] = [];
  for (const [a, b] of pairsOf(bodies)) {
    const following = followingOf(a, b);
    const behind = following && tailgating(following);
    if (behind) found.push(behind);
    if (!comeNear(a, b)) continue;
    const near = nearMiss(encounterOf(a, b, isMotorVehicle(a.class) && isMotorVehicle(b.class) ? LANE_SLACK_M : 0));
    if (near) found.push(near);
  }
  return found;
};

/** Slower vehicles may be turning round or parking. */
const WRONG_WAY_SPEED_MIN = 2;
/** Three car lengths: an overtaking or a swerve is over sooner. */
const WRONG_WAY_TRAVEL_M = 8;
/** Over so much of the way the flow is compared: longer than it takes to cross a junction's middle. */
export const WRONG_WAY_SPAN_MS = 4000;
/** Cells of the way in which others go the opposite way, and their share among all that say something. */
const FLOW_CELLS_LEAST = 5;
const FLOW_SHARE_LEAST = 0.8;
/** Where most of the way is unknown or mixed, nothing is said. */
const FLOW_CLEAR_SHARE_LEAST = 0.4;

/** On the other half of a two-way road it is enough that others came the opposite way there at all. */
const CONTESTED_CELLS_LEAST = 4;

/** It drives, and has gone far enough to tell. */
export const mayGoWrongWay = (vehicle: Body): boolean =>
  isDriven(vehicle) && vehicle.speed >= WRONG_WAY_SPEED_MIN && vehicle.travelledM >= WRONG_WAY_TRAVEL_M;

/** `half`: of a two-way road, where that is known; it outweighs what was learned of a lane in which few have driven. */
export const wrongWay = (vehicle: Body, vote: FlowVote, half: RoadHalf | null): Finding | null => {
  if (!mayGoWrongWay(vehicle)) return null;
  if (half === "own" || (half === null && !isAgainstFlow(vote)) || vote.contested < CONTESTED_CELLS_LEAST) return null;
  const clear = vote.along + vote.against;
  if (vote.along >= FLOW_CELLS_LEAST && vote.along > vote.against) return null;
  const share =
    clear > 0 ? `against the known traffic on ${Math.round((100 * vote.against) / clear)} % of its way` : "against traffic";
  const where = half === "other" ? ", on the oncoming half of the road" : "";
  return finding("wrong-way", "high", [vehicle], `heads ${share}${where}, at about ${kmh(vehicle.speed)}`);
};

const isAgainstFlow = ({ along, against, unclear }: FlowVote): boolean => {
  const clear = along + against;
  return (
    against >= FLOW_CELLS_LEAST && against >= FLOW_SHARE_LEAST * clear && clear >= FLOW_CLEAR_SHARE_LEAST * (clear + unclear)
  );
};

/** A stop that long in the lane, with nobody ahead, is no hesitation. */
const STALLED_MS = 6000;
/** Without a waiting place known ahead, so long: someone may be setting down a passenger. */
const STALLED_UNKNOWN_MS = 10_000;
/** Longer than any red light. */
const STALLED_ANYWHERE_MS = 180_000;
/** Who never drove may be parked. */
const STALLED_TRAVEL_M = 5;
/** A stop line runs across a road's lanes, and drivers stop a car's length before or beyond it. */
const WAIT_ALONG_M = 4;
const WAIT_ACROSS_M = 5;
/** Of stops at a place behind another: then vehicles do wait there. */
const USUAL_WEIGHT = 2;
/** A queue looks so far ahead for what it waits for. */
const WAIT_AHEAD_M = 30;
/** Others driving by show that the light is green. */
const PASSED_BY = 2;
/** Standing vehicles nearer than this ahead make one queue. */
const QUEUE_M = 16;
const LANE_HALF_M = 1.7;

/** Position of `point` seen from a vehicle: along its heading and to its side. */
const seenFrom = (vehicle: Body, { x, y }: GroundPoint): { readonly ahead: number; readonly aside: number } => {
  const heading = vehicle.heading ?? 0;
  const [dx, dy] = [x - vehicle.x, y - vehicle.y];
  return {
    ahead: dx * Math.cos(heading) + dy * Math.sin(heading),
    aside: Math.abs(-dx * Math.sin(heading) + dy * Math.cos(heading)),
  };
};

/** The middle of its front: where a stop line is met, by a car as by a bus. */
export const frontOf = ({ x, y, heading, size }: Body): GroundPoint => ({
  x: x + (Math.cos(heading ?? 0) * size.lengthM) / 2,
  y: y + (Math.sin(heading ?? 0) * size.lengthM) / 2,
});

/** Nothing of what stands or creeps is ahead of it in its lane. */
export const isFirst = (vehicle: Body, obstacles: readonly GroundPoint[]): boolean =>
  !obstacles.some((obstacle) => {
    const { ahead, aside } = seenFrom(vehicle, obstacle);
    // Its own place is among them.
    return ahead > 1 && ahead < QUEUE_M && aside < LANE_HALF_M;
  });

/** The vehicle drives past `standing` in a neighbouring lane of the same direction. */
export const passes = (other: Body, standing: Body): boolean => {
  if (!isDriven(other) || other.speed < WRONG_WAY_SPEED_MIN || other.heading === null || standing.heading === null) return false;
  const { ahead, aside } = seenFrom(standing, other);
  return (
    angleBetween(other.heading, standing.heading) < CROSSING_FROM && Math.abs(ahead) < 10 && aside > LANE_HALF_M && aside < 8
  );
};

/**
 * `firstMs`: how long it has stood with nobody ahead. `waits`: where vehicles are known to wait. A queue's first stands where
 * others stood before; a broken-down vehicle stands short of that place, or where nobody waits.
 */
export const stalled = (vehicle: Body, firstMs: number, passedBy: number, waits: readonly WaitingPlace[]): Finding | null => {
  if (!isDriven(vehicle) || firstMs < STALLED_MS || vehicle.heading === null) return null;
  const front = { ...vehicle, ...frontOf(vehicle) };
  const places = waits
    .map((wait) => ({ ...seenFrom(front, wait), weight: wait.weight }))
    .filter(({ aside }) => aside < WAIT_ACROSS_M);
  const here = places.filter(({ ahead }) => Math.abs(ahead) < WAIT_ALONG_M);
  const short = places.some(({ ahead }) => ahead >= WAIT_ALONG_M && ahead < WAIT_AHEAD_M);
  // Behind another waiting place, a single stop may have been a breakdown itself.
  const usual = here.some(({ weight }) => !short || weight >= USUAL_WEIGHT);
  const drove = vehicle.travelledM >= STALLED_TRAVEL_M;
  const outOfPlace = short
    ? drove || passedBy >= PASSED_BY
    : drove && passedBy >= PASSED_BY && firstMs >= STALLED_UNKNOWN_MS && waits.length > 1;
  if ((usual || !outOfPlace) && !(drove && firstMs >= STALLED_ANYWHERE_MS)) return null;
  return finding(
    "stalled",
    "medium",
    [vehicle],
    `${vehicle.class} stands for ${Math.round(firstMs / 1000)} s with a free lane ahead, ${passedBy} passed by`,
  );
};

/** As many in one knot are more than a short queue. */
const CONGESTION_MEMBERS = 5;
/** Bumper to bumper, or nearly so. */
const CONGESTION_SPACING_M = 12;
/** One road's traffic, not the queue of the next. */
const CONGESTION_HEADING = degrees(45);
/** Members that are only just braking do not count. */
const CONGESTION_SLOW_MS = 1500;
/** Members that creep for as long tell a jam from a queue: that one stands, and drives off within seconds. */
const CONGESTION_CREEPING = 3;
const CONGESTION_CREEP_MS = 3000;

export const congestion = (bodies: readonly Body[]): Finding[] => {
  const rest = new Set(bodies.filter((body) => isDriven(body) && body.slowMs >= CONGESTION_SLOW_MS));
  const found: Finding[] = [];
  for (const start of [...rest]) {
    if (!rest.delete(start)) continue;
    const jam = describeJam(knotOf(start, rest));
    if (jam) found.push(jam);
  }
  return found;
};

/** Takes out of `rest` everyone who stands close to `start` or to someone who does. */
const knotOf = (start: Body, rest: Set<Body>): Body[] => {
  const knot = [start];
  for (let index = 0; index < knot.length; index++) {
    const member = knot[index];
    for (const other of member ? rest : []) {
      if (!member || Math.hypot(other.x - member.x, other.y - member.y) > CONGESTION_SPACING_M) continue;
      const sameRoad =
        other.heading === null || member.heading === null || angleBetween(other.heading, member.heading) < CONGESTION_HEADING;
      if (!sameRoad) continue;
      rest.delete(other);
      knot.push(other);
    }
  }
  return knot;
};

const describeJam = (knot: readonly Body[]): Finding | null => {
  const creeping = knot.filter(({ creepsMs }) => creepsMs >= CONGESTION_CREEP_MS);
  const standing = knot.filter(({ standingMs }) => standingMs >= STALLED_ANYWHERE_MS);
  if (knot.length < CONGESTION_MEMBERS || Math.max(creeping.length, standing.length) < CONGESTION_CREEPING) return null;
  const speed = knot.reduce((sum, body) => sum + body.speed, 0) / knot.length;
  const longestS = knot.reduce((most, { slowMs }) => Math.max(most, slowMs), 0) / 1000;
  return finding(
    "congestion",
    "low",
    knot,
    `${knot.length} vehicles below ${kmh(SLOW_SPEED)}, the slowest for ${Math.round(longestS)} s, mean about ${kmh(speed)}`,
  );
};
