/**
 * The junction on the ground: four arms with two lanes and a bicycle lane each way, right-hand traffic, a crossing on
 * each arm. Metres; x east, y north, the origin in the middle. Arm 0 points east, 1 north, 2 west, 3 south.
 * The same for every seed, computed once.
 */
import { type Point, pieceLength, pointAt, type Track, type TrackPiece, track } from "./track.ts";

/** Offsets of the lane centres from the middle of the road: inner, outer, bicycle lane. */
export const laneOffsetsM = [1.6, 4.8, 7.15] as const;
export const kerbM = 7.9;
export const cornerRadiusM = 4;
/** The crossing's near and far edge, from the middle of the junction. */
export const crossingFromM = 12.2;
export const crossingToM = 15.4;
export const stopLineM = 16.4;
/** Length of an arm: objects appear and vanish there. */
export const armM = 90;
export const approachM = armM - stopLineM;

export type Movement = "left" | "through" | "right" | "wrong-way";

/** Where a route passes an arm's crossing, as distances along the route and across the road. */
export type RouteCrossing = {
  readonly arm: number;
  readonly fromM: number;
  readonly toM: number;
  /** Across the road, positive on the left of the outward direction. */
  readonly lateralM: number;
};

/** Two routes that cross or merge: the stretch of each where vehicles would touch, as distances along the routes. */
export type Conflict = {
  readonly route: number;
  readonly fromM: number;
  readonly toM: number;
  readonly otherFromM: number;
  readonly otherToM: number;
  /** The other goes first. */
  readonly yields: boolean;
};

export type Route = {
  readonly id: number;
  readonly arm: number;
  readonly exitArm: number;
  readonly lane: number;
  readonly movement: Movement;
  /** Index of the lane it comes from and of the lane it leaves by; wrong-way routes have entry lanes of their own. */
  readonly entry: number;
  readonly exit: number;
  readonly track: Track;
  readonly lengthM: number;
  /** Where the exit lane begins. */
  readonly exitAtM: number;
  /** Metres per second on the connector. */
  readonly turnSpeed: number;
  readonly crossings: readonly [RouteCrossing, RouteCrossing];
  readonly conflicts: Conflict[];
  /** For each route out of the same lane: where the two have parted, as a distance along both. */
  readonly partsAtM: Map<number, number>;
};

export const entryCount = 16;
export const exitCount = 12;
export const laneIndex = (arm: number, lane: number): number => arm * 3 + lane;
export const wrongWayEntry = (arm: number): number => 12 + arm;

const axes = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/** A place `outM` along an arm, `leftM` to the left of its outward direction. Traffic comes in on the left side. */
export const onArm = (arm: number, outM: number, leftM: number): Point => {
  const [ux, uy] = axes[((arm % 4) + 4) % 4] ?? axes[0];
  return { x: ux * outM - uy * leftM, y: uy * outM + ux * leftM };
};

/** The direction in which an arm leaves the junction. */
export const armHeading = (arm: number): number => (arm * Math.PI) / 2;

const connectorPieces = (from: Point, to: Point, arm: number, movement: Movement): TrackPiece[] => {
  if (movement === "through" || movement === "wrong-way") return [{ kind: "line", from, to }];
  const left = movement === "left";
  const radiusM = left ? 12 : 8;
  const inwards = armHeading(arm) + Math.PI;
  const outwards = inwards + (left ? Math.PI / 2 : -Math.PI / 2);
  // The corner of the two lanes; the arc touches both at one radius from it.
  const alongM = (to.x - from.x) * Math.cos(inwards) + (to.y - from.y) * Math.sin(inwards);
  const corner = { x: from.x + alongM * Math.cos(inwards), y: from.y + alongM * Math.sin(inwards) };
  const begin = { x: corner.x - radiusM * Math.cos(inwards), y: corner.y - radiusM * Math.sin(inwards) };
  const end = { x: corner.x + radiusM * Math.cos(outwards), y: corner.y + radiusM * Math.sin(outwards) };
  const centre = { x: begin.x + radiusM * Math.cos(outwards), y: begin.y + radiusM * Math.sin(outwards) };
  const start = Math.atan2(begin.y - centre.y, begin.x - centre.x);
  return [
    { kind: "line", from, to: begin },
    { kind: "arc", centre, radiusM, start, sweep: left ? Math.PI / 2 : -Math.PI / 2 },
    { kind: "line", from: end, to },
  ];
};

const exitOf = { left: 3, through: 2, right: 1, "wrong-way": 2 } as const;
const turnSpeeds = { left: 5.5, through: 20, right: 4.6, "wrong-way": 6.5 } as const;

const makeRoute = (id: number, arm: number, lane: number, movement: Movement): Route => {
  const exitArm = (arm + exitOf[movement]) % 4;
  const offsetM = laneOffsetsM[lane] ?? laneOffsetsM[0];
  // A wrong-way driver comes in on the side where traffic leaves.
  const side = movement === "wrong-way" ? -1 : 1;
  const from = onArm(arm, stopLineM, side * offsetM);
  const to = onArm(exitArm, stopLineM, -offsetM);
  const connector = connectorPieces(from, to, arm, movement);
  const connectorM = connector.reduce((sum, piece) => sum + pieceLength(piece), 0);
  const whole = track([
    { kind: "line", from: onArm(arm, armM, side * offsetM), to: from },
    ...connector,
    { kind: "line", from: to, to: onArm(exitArm, armM, -offsetM) },
  ]);
  const exitAtM = approachM + connectorM;
  return {
    id,
    arm,
    exitArm,
    lane,
    movement,
    entry: movement === "wrong-way" ? wrongWayEntry(arm) : laneIndex(arm, lane),
    exit: laneIndex(exitArm, lane),
    track: whole,
    lengthM: whole.lengthM,
    exitAtM,
    turnSpeed: turnSpeeds[movement],
    crossings: [
      {
        arm,
        fromM: approachM + stopLineM - crossingToM,
        toM: approachM + stopLineM - crossingFromM,
        lateralM: side * offsetM,
      },
      {
        arm: exitArm,
        fromM: exitAtM - (stopLineM - crossingFromM),
        toM: exitAtM - (stopLineM - crossingToM),
        lateralM: -offsetM,
      },
    ],
    conflicts: [],
    partsAtM: new Map(),
  };
};

const touchM = 3;
const rank = { through: 2, right: 1, left: 0, "wrong-way": 0 } as const;

/** The stretches of two connectors on which their centre lines are closer than two vehicles are wide. */
const overlap = (one: Route, other: Route): Omit<Conflict, "route" | "yields"> | null => {
  const a = { x: 0, y: 0 };
  const b = { x: 0, y: 0 };
  let fromM = Number.POSITIVE_INFINITY;
  let toM = Number.NEGATIVE_INFINITY;
  let otherFromM = Number.POSITIVE_INFINITY;
  let otherToM = Number.NEGATIVE_INFINITY;
  for (let s = approachM; s <= one.exitAtM + 2; s += 1) {
    pointAt(one.track, s, a);
    for (let t = approachM; t <= other.exitAtM + 2; t += 1) {
      pointAt(other.track, t, b);
      if (Math.hypot(a.x - b.x, a.y - b.y) > touchM) continue;
      fromM = Math.min(fromM, s);
      toM = Math.max(toM, s);
      otherFromM = Math.min(otherFromM, t);
      otherToM = Math.max(otherToM, t);
    }
  }
  return fromM > toM ? null : { fromM: fromM - 1, toM: toM + 1, otherFromM: otherFromM - 1, otherToM: otherToM + 1 };
};

const partingM = (one: Route, other: Route): number => {
  const a = { x: 0, y: 0 };
  const b = { x: 0, y: 0 };
  for (let s = approachM; s < one.exitAtM; s += 0.5) {
    pointAt(one.track, s, a);
    pointAt(other.track, s, b);
    if (Math.hypot(a.x - b.x, a.y - b.y) > touchM) return s;
  }
  return one.exitAtM;
};

const relate = (routes: readonly Route[]): void => {
  for (const one of routes) {
    for (const other of routes) {
      if (one === other) continue;
      if (one.entry === other.entry) {
        one.partsAtM.set(other.id, partingM(one, other));
        continue;
      }
      if (one.arm === other.arm && one.movement === "through" && other.movement === "through") continue;
      const stretch = overlap(one, other);
      if (stretch) one.conflicts.push({ ...stretch, route: other.id, yields: rank[other.movement] > rank[one.movement] });
    }
  }
};

const makeRoutes = (): readonly Route[] => {
  const routes: Route[] = [];
  const add = (arm: number, lane: number, movement: Movement) => routes.push(makeRoute(routes.length, arm, lane, movement));
  for (let arm = 0; arm < 4; arm++) {
    add(arm, 0, "left");
    add(arm, 0, "through");
    add(arm, 1, "through");
    add(arm, 1, "right");
    add(arm, 2, "through");
    add(arm, 0, "wrong-way");
  }
  relate(routes);
  return routes;
};

export const routes: readonly Route[] = makeRoutes();

export const routeOf = (arm: number, lane: number, movement: Movement): Route => {
  const found = routes.find((route) => route.arm === arm && route.lane === lane && route.movement === movement);
  if (!found) throw new Error(`no route ${movement} from arm ${arm}, lane ${lane}`);
  return found;
};
