/** What the dashboard knows. Pure: messages and times are handed in, views read it. */
import type { CameraState } from "../../protocols/camera.ts";
import type { TrafficGroup } from "../../protocols/detection.ts";
import type { RiskLevel } from "../../protocols/ids.ts";
import type { Verdict } from "../../protocols/verdict.ts";
import type { DataOf } from "../../protocols/websocket.ts";

/** A level that was measured or judged, or the honest absence of one. */
export type ShownLevel = RiskLevel | "unknown";

const levels: readonly RiskLevel[] = ["none", "low", "medium", "high"];
export const rankOf = (level: RiskLevel): number => levels.indexOf(level);
const worst = (shown: Iterable<RiskLevel>): RiskLevel => {
  let found: RiskLevel = "none";
  for (const level of shown) if (rankOf(level) > rankOf(found)) found = level;
  return found;
};

export type CameraModel = {
  readonly id: number;
  name: string;
  state: CameraState;
  message: string;
  detection: DataOf<"detection_result"> | null;
  /** Local time; the camera's own clock may differ from this browser's. */
  detectedAtMs: number | null;
  readonly arrivalsMs: number[];
  /** Verdicts by group, kept as long as they may say something about the group of today. */
  readonly verdicts: Map<string, { readonly verdict: Verdict; readonly atMs: number }>;
};

export type FeedEntry = { readonly update: DataOf<"risk_update">; readonly level: ShownLevel; readonly failed: boolean };

export type Model = {
  readonly cameras: Map<number, CameraModel>;
  /** Newest first. */
  feed: readonly FeedEntry[];
  /** Whether the server is heard; without it nothing here is current. */
  linked: boolean;
};

const feedMax = 200;
const verdictMs = 10_000;
/** Above the period of the slowest camera that may be configured. */
const currentMs = 25_000;
const fpsWindowMs = 10_000;

export const createModel = (): Model => ({ cameras: new Map(), feed: [], linked: false });

export const cameraOf = (model: Model, id: number, name: string): CameraModel => {
  const found = model.cameras.get(id);
  if (found) return found;
  const made: CameraModel = {
    id,
    name,
    state: "connecting",
    message: "",
    detection: null,
    detectedAtMs: null,
    arrivalsMs: [],
    verdicts: new Map(),
  };
  model.cameras.set(id, made);
  return made;
};

export const noteDetection = (camera: CameraModel, detection: DataOf<"detection_result">, nowMs: number): void => {
  camera.detection = detection;
  camera.detectedAtMs = nowMs;
  camera.arrivalsMs.push(nowMs);
  while ((camera.arrivalsMs[0] ?? nowMs) < nowMs - fpsWindowMs || camera.arrivalsMs.length > 400) camera.arrivalsMs.shift();
};

/** The last result from before this page was opened; by the wall clocks, since nobody saw it arrive. */
export const noteSnapshot = (model: Model, detection: DataOf<"detection_result">): void => {
  const camera = model.cameras.get(detection.cameraId);
  if (!camera || camera.detection) return;
  camera.detection = detection;
  camera.detectedAtMs = detection.capturedAt + detection.detectionLatency * 1000;
};

/** By the distance of frames rather than their count, so that it does not waver; falls from one late frame on. */
export const measuredFps = ({ arrivalsMs }: CameraModel, nowMs: number): number => {
  const recent = arrivalsMs.filter((at) => at > nowMs - fpsWindowMs);
  const [first, last] = [recent[0], recent.at(-1)];
  if (first === undefined || last === undefined || last === first) return 0;
  const intervalMs = (last - first) / (recent.length - 1);
  return ((recent.length - 1) * 1000) / Math.max(last - first, nowMs - first - intervalMs);
};

/** How old the picture is, by the server's measure up to its arrival and by this browser's since. */
export const frameAgeMs = ({ detection, detectedAtMs }: CameraModel, nowMs: number): number | null =>
  detection && detectedAtMs !== null ? nowMs - detectedAtMs + detection.detectionLatency * 1000 : null;

/** A verdict on the same group stands above the rules for a while; one without a level changes nothing. */
export const levelOfGroup = (camera: CameraModel, group: TrafficGroup, nowMs: number): RiskLevel => {
  const known = camera.verdicts.get(group.groupKey);
  if (!known || nowMs - known.atMs > verdictMs) return group.riskLevel;
  const { verdict, riskLevel } = known.verdict;
  if (riskLevel === null || verdict === "uncertain") return group.riskLevel;
  return riskLevel;
};

/** What a camera shows at this moment; unknown when it shows nothing current. */
export const levelOfCamera = (model: Model, camera: CameraModel, nowMs: number): ShownLevel => {
  const ageMs = frameAgeMs(camera, nowMs);
  if (!model.linked || !camera.detection || ageMs === null || ageMs > currentMs || camera.state !== "online") return "unknown";
  return worst(camera.detection.trafficGroups.map((group) => levelOfGroup(camera, group, nowMs)));
};

const isFailed = ({ status }: Verdict): boolean => status === "error" || status === "parse_error" || status === "expired";

/** The worst level that was judged; unknown when none was, but something failed. */
const entryOf = (update: DataOf<"risk_update">): FeedEntry => {
  const judged = update.results.flatMap(({ riskLevel }) => riskLevel ?? []);
  const failed = update.results.some(isFailed) || (update.final && !update.complete);
  const level = worst(judged);
  return { update, level: level === "none" && failed ? "unknown" : level, failed };
};

/** True when the update told something new: a later revision replaces the earlier one. */
export const noteRisk = (model: Model, update: DataOf<"risk_update">, nowMs: number): boolean => {
  const before = model.feed.find((entry) => entry.update.messageId === update.messageId);
  if (before && before.update.revision >= update.revision) return false;
  const others = model.feed.filter((entry) => entry !== before);
  const at = others.findIndex((entry) => entry.update.capturedAt <= update.capturedAt);
  const place = at < 0 ? others.length : at;
  model.feed = [...others.slice(0, place), entryOf(update), ...others.slice(place)].slice(0, feedMax);

  const camera = model.cameras.get(update.cameraId);
  if (camera) {
    for (const verdict of update.results) camera.verdicts.set(verdict.groupKey, { verdict, atMs: nowMs });
    for (const [key, { atMs }] of camera.verdicts) if (nowMs - atMs > verdictMs) camera.verdicts.delete(key);
  }
  return true;
};

/** What is unknown is never filtered away: it may be the worst of all. */
export const isShown = ({ level }: FeedEntry, least: RiskLevel): boolean => level === "unknown" || rankOf(level) >= rankOf(least);

export type Totals = { readonly online: number | null; readonly cameras: number; readonly fps: number; readonly high: number };

export const totalsOf = (model: Model, nowMs: number): Totals => {
  let online = 0;
  let fps = 0;
  for (const camera of model.cameras.values()) {
    if (camera.state === "online") online += 1;
    fps += measuredFps(camera, nowMs);
  }
  const high = model.feed.filter(({ level, update }) => level === "high" && nowMs - update.capturedAt < 300_000).length;
  return { online: model.linked ? online : null, cameras: model.cameras.size, fps, high };
};
