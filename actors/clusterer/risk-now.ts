/**
 * Risk now: what the rules find in each frame, kept back until it is sure and held until it is over, so that a level neither
 * flashes on one bad box nor flickers while a danger lasts.
 */
import type { HazardType } from "../../protocols/detection.ts";
import type { TrackedObject } from "../../protocols/frame.ts";
import { isVehicle } from "../../protocols/road-user.ts";
import { type Flow, flagTrack, flowHeading, flowVote, followFlow, isOutdated, restartFlow, startFlow } from "./flow.ts";
import { groundOf, isCut, type Sight } from "./ground.ts";
import { type GroundFit, learnSize, startFit } from "./ground-fit.ts";
import { type Body, bodiesOf, type Histories, hiddenStanding, noteObjects, SLOW_SPEED } from "./kinematics.ts";
import { forgetLooks, noteMeetings, type RoadHalves, restartRoadHalves, roadHalf, startRoadHalves } from "./road-half.ts";
import {
  congestion,
  type Finding,
  frontOf,
  isFirst,
  mayGoWrongWay,
  pairFindings,
  passes,
  stalled,
  WRONG_WAY_SPAN_MS,
  wrongWay,
} from "./rules.ts";
import { noteWait, type Waiting, waitingPlaces } from "./waiting.ts";

/** Media time for which a finding must last before it is told. Standing and creeping carry their own durations. */
const ONSET_MS: Readonly<Record<HazardType, number>> = {
  // A gap may be short for a moment while someone changes lanes.
  tailgating: 1000,
  // Over within two seconds: no time to wait.
  "near-miss": 0,
  "wrong-way": 400,
  stalled: 0,
  congestion: 0,
};
/** A finding that is missing for one frame at 2 fps is still the same. */
const HOLD_MS = 1000;
const FINDINGS_MAX = 500;

/** Less is a hesitation. */
const STOP_MS = 1000;
/** So long the first of a queue must have stood to teach where vehicles wait. */
const WAIT_MS = 5000;
/** A stopped vehicle out of sight for longer may have left. */
const LOST_STOP_MS = 16_000;
/** Of a stop that was taken for a breakdown: six of them at one place, and it is a place to wait. */
const DOUBTFUL_WAIT = 0.17;
const PASSERS_MAX = 16;

type Pending = { finding: Finding; readonly sinceMs: number; lastMs: number };
type Stop = {
  /** Standing and first of its lane since then. */
  readonly sinceMs: number;
  lastMs: number;
  body: Body;
  flagged: boolean;
  readonly passers: Set<number>;
};

/** What one camera's lane remembers. Changed in place; bounded by the number of tracks. */
export type Scene = {
  /** Of the camera and its road. */
  fit: GroundFit;
  flow: Flow;
  halves: RoadHalves;
  waiting: Waiting;
  /** Of those who are there. */
  readonly histories: Histories;
  readonly stops: Map<number, Stop>;
  readonly pending: Map<string, Pending>;
};

export const startScene = (): Scene => ({
  fit: startFit(),
  flow: startFlow(),
  halves: startRoadHalves(),
  waiting: [],
  histories: new Map(),
  stops: new Map(),
  pending: new Map(),
});

/** Forgets who was there; keeps what was learned of the camera and its road. For a new segment, whose clock starts anew. */
export const restartScene = (scene: Scene): void => {
  restartFlow(scene.flow);
  restartRoadHalves(scene.halves);
  scene.histories.clear();
  scene.stops.clear();
  scene.pending.clear();
};

/** The camera was turned: everything learned of its view is wrong. */
const forgetRoad = (scene: Scene): void => {
  const { fit, flow, halves, waiting } = startScene();
  Object.assign(scene, { fit, flow, halves, waiting });
};

export type Moment = {
  readonly objects: readonly TrackedObject[];
  readonly mediaTimeMs: number;
  readonly imageWidth: number;
  readonly imageHeight: number;
};

/** The dangers of this moment. Until the camera's view of the road is known, there are none to tell. */
export const assess = (scene: Scene, { objects, mediaTimeMs, imageWidth, imageHeight }: Moment): Finding[] => {
  learnSizes(scene, objects, imageWidth, imageHeight);
  noteObjects(scene.histories, objects, mediaTimeMs);
  const { model } = scene.fit;
  if (!model) return [];
  const sight: Sight = { ground: groundOf(model), ms: mediaTimeMs, imageWidth, imageHeight };
  const bodies = bodiesOf(scene.histories, objects, sight);
  const vehicles = bodies.filter((body) => isVehicle(body.class) && body.class !== "bicycle");
  followFlow(scene.flow, vehicles, sight);
  if (isOutdated(scene.flow)) forgetRoad(scene);
  noteMeetings(scene.halves, vehicles);
  forgetLooks(scene.halves, (trackId) => scene.histories.has(trackId));
  const found = [
    ...pairFindings(bodies),
    ...congestion(bodies),
    ...stallings(scene, vehicles, sight),
    ...wrongWays(scene, vehicles, sight),
  ];
  return settle(scene.pending, found, new Set(objects.map(({ trackId }) => trackId)), mediaTimeMs);
};

const learnSizes = (scene: Scene, objects: readonly TrackedObject[], imageWidth: number, imageHeight: number): void => {
  for (const { trackId, class: className, bbox } of objects) {
    const last = scene.histories.get(trackId)?.samples.at(-1);
    if (!last || isCut(bbox, imageWidth, imageHeight)) continue;
    if (className !== "person" && className !== "car") continue;
    const [width, height] = [bbox[2] - bbox[0], bbox[3] - bbox[1]];
    const [u, v] = [(bbox[0] + bbox[2]) / 2, (bbox[1] + bbox[3]) / 2];
    const [du, dv] = [u - last.u, v - last.v];
    // A car must have moved, or its heading is unknown.
    if (className === "car" && Math.sqrt(du * du + dv * dv) <= 0.3 * Math.max(width, height)) continue;
    learnSize(scene.fit, { class: className, u, v, width, height, du, dv }, imageWidth, imageHeight);
  }
};

const wrongWays = ({ flow, halves }: Scene, vehicles: readonly Body[], sight: Sight): Finding[] => {
  const found: Finding[] = [];
  for (const vehicle of vehicles) {
    const half = roadHalf(halves, flow, vehicle, sight, WRONG_WAY_SPAN_MS);
    // Most vehicles end here, before what is known of each cell of their way is looked up.
    if (half === "own" || !mayGoWrongWay(vehicle)) continue;
    const wrong = wrongWay(vehicle, flowVote(flow, vehicle.trackId, sight.ms, WRONG_WAY_SPAN_MS), half);
    if (!wrong) continue;
    flagTrack(flow, vehicle.trackId);
    found.push(wrong);
  }
  return found;
};

/** Finds the vehicles that stand where they should not, and learns from all others where vehicles wait. */
const stallings = (scene: Scene, vehicles: readonly Body[], sight: Sight): Finding[] => {
  const { stops, waiting, histories, flow } = scene;
  const { ground, ms } = sight;
  const found: Finding[] = [];
  const places = waitingPlaces(waiting, ground);
  const obstacles = [...vehicles.filter(({ speed }) => speed <= SLOW_SPEED), ...hiddenStanding(histories, sight)];
  for (const vehicle of vehicles) {
    if (vehicle.standingMs < STOP_MS) {
      endStop(scene, vehicle.trackId, sight);
      continue;
    }
    // One that came into view behind others and has not moved since stands as its lane runs.
    const body = { ...vehicle, heading: vehicle.heading ?? flowHeading(flow, vehicle, sight) };
    if (!isFirst(body, obstacles)) {
      endStop(scene, body.trackId, sight);
      continue;
    }
    const stop = stops.get(body.trackId) ?? { sinceMs: ms, lastMs: ms, body, flagged: false, passers: new Set() };
    stops.set(body.trackId, stop);
    stop.body = body;
    stop.lastMs = ms;
    for (const other of vehicles) {
      if (stop.passers.size < PASSERS_MAX && passes(other, body)) stop.passers.add(other.trackId);
    }
    const stall = stalled(body, ms - stop.sinceMs, stop.passers.size, places);
    if (!stall) continue;
    stop.flagged = true;
    found.push(stall);
  }
  for (const [trackId, { lastMs }] of stops) if (ms - lastMs > LOST_STOP_MS) endStop(scene, trackId, sight);
  return found;
};

const endStop = ({ stops, waiting }: Scene, trackId: number, { ground }: Sight): void => {
  const stop = stops.get(trackId);
  if (!stop) return;
  stops.delete(trackId);
  if (stop.lastMs - stop.sinceMs >= WAIT_MS) noteWait(waiting, frontOf(stop.body), ground, stop.flagged ? DOUBTFUL_WAIT : 1);
};

/** Findings that have lasted, or are held. One with a member out of sight is not told. */
const settle = (
  pending: Map<string, Pending>,
  found: readonly Finding[],
  present: ReadonlySet<number>,
  ms: number,
): Finding[] => {
  for (const finding of found) {
    const key = `${finding.type}:${finding.trackIds.join(",")}`;
    const known = pending.get(key);
    if (known) {
      known.finding = finding;
      known.lastMs = ms;
    } else if (pending.size < FINDINGS_MAX) {
      const former = takeFormer(pending, finding);
      pending.set(key, { finding, sinceMs: former?.sinceMs ?? ms, lastMs: ms });
    }
  }
  const sure: Finding[] = [];
  for (const [key, { finding, sinceMs, lastMs }] of pending) {
    if (ms - lastMs > HOLD_MS) pending.delete(key);
    else if (lastMs - sinceMs >= ONSET_MS[finding.type] && finding.trackIds.every((id) => present.has(id))) sure.push(finding);
  }
  return sure;
};

/** A jam that gains or loses a member is still the same: it takes its former self's place. */
const takeFormer = (pending: Map<string, Pending>, finding: Finding): Pending | null => {
  if (finding.type !== "congestion") return null;
  for (const [key, former] of pending) {
    if (former.finding.type !== finding.type) continue;
    if (!former.finding.trackIds.some((trackId) => finding.trackIds.includes(trackId))) continue;
    pending.delete(key);
    return former;
  }
  return null;
};
