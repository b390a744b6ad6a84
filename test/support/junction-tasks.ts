/** Which groups of a simulated junction get a task, by rules that are handed in: eyes and task generator without a system. */
import type { ActTruth } from "../../actors/camera/junction/acts/act.ts";
import type { ActChoice } from "../../actors/camera/junction/director.ts";
import { createRenderer } from "../../actors/camera/junction/render.ts";
import { createScene, pictureHeight, pictureWidth } from "../../actors/camera/junction/scene.ts";
import { sightings } from "../../actors/camera/junction/truth.ts";
import { type AskedGroups, noteAsked, worthAPicture } from "../../actors/clusterer/asked.ts";
import { assignKeys, startKeys } from "../../actors/clusterer/group-key.ts";
import { groupingDefaults } from "../../actors/clusterer/grouping.ts";
import { pictureHash } from "../../actors/clusterer/picture-hash.ts";
import { assess, type Scene } from "../../actors/clusterer/risk-now.ts";
import { describe, gather } from "../../actors/clusterer/traffic-groups.ts";
import { type AdmissionRules, decide } from "../../actors/task-generator/admission.ts";
import { learn, memoryOf, newMemory } from "../../actors/task-generator/memory.ts";
import { startTracks, trackFrame } from "../../actors/tracker/bytetrack.ts";
import type { HazardType, TrafficGroup } from "../../protocols/detection.ts";
import { taskIdOf } from "../../protocols/ids.ts";
import { seededRandom } from "../../runtime/random.ts";

export type SeenGroup = {
  readonly atMs: number;
  readonly group: TrafficGroup;
  /** The junction's own numbers of those in it. */
  readonly objectIds: readonly number[];
  /** `task`, or why there is none. */
  readonly end: string;
};
export type Watched = { readonly groups: readonly SeenGroup[]; readonly acts: readonly ActTruth[] };

export type WatchOptions = {
  readonly scene: Scene;
  readonly seed: number;
  readonly act: ActChoice;
  readonly seconds: number;
  readonly rules: AdmissionRules;
  /** A detector that misses one of twenty, and whose boxes tremble by a pixel. */
  readonly isTrembling: boolean;
};

const fps = 2;
const missed = 0.05;
const marginPx = 12;

export const watchTasks = ({ scene, seed, act, seconds, rules, isTrembling }: WatchOptions): Watched => {
  const junction = createScene({ seed, act });
  const renderer = createRenderer(junction);
  const pixels = new Uint8Array(pictureWidth * pictureHeight * 3);
  const random = seededRandom(seed);
  const tremble = () => (isTrembling ? 2 * random.next() - 1 : 0);
  const tracks = startTracks();
  const keys = startKeys("junction");
  const asked: AskedGroups = new Map();
  const memory = newMemory();
  const groups: SeenGroup[] = [];
  for (let frame = 0; frame < seconds * fps; frame++) {
    const atMs = (frame * 1_000) / fps;
    junction.advanceTo(atMs);
    const seen = sightings(junction.view, junction.objects())
      .filter(() => !isTrembling || random.next() >= missed)
      .map(({ bbox: [x1, y1, x2, y2], ...each }) => {
        const bbox: [number, number, number, number] = [x1 + tremble(), y1 + tremble(), x2 + tremble(), y2 + tremble()];
        return { ...each, bbox };
      });
    const { objects } = trackFrame(tracks, { segment: 0, mediaTimeMs: atMs, detections: seen });
    const idOf = new Map(objects.map(({ trackId, bbox }) => [trackId, seen.find((each) => each.bbox === bbox)?.id ?? -1]));
    const findings = assess(scene, { objects, mediaTimeMs: atMs, imageWidth: pictureWidth, imageHeight: pictureHeight });
    const detected = objects.map(({ velocity, ageMs: _, ...object }) => ({
      ...object,
      ...(velocity ? { speed: Math.hypot(...velocity) } : {}),
    }));
    const found = gather(detected, findings, groupingDefaults);
    const members = found.map(({ group }) => group.memberIndices.map((index) => detected[index]?.trackId ?? -1));
    const groupKeys = assignKeys(keys, members, atMs);
    const trafficGroups = found.map((each, index) => describe(each, index + 1, groupKeys[index] ?? "", detected));

    const messageId = `m${frame}`;
    const candidates = worthAPicture(asked, trafficGroups, detected, atMs, rules);
    if (candidates.length > 0) renderer.draw(pixels);
    const groupImages = candidates.flatMap((candidate) => {
      const { groupIndex, bbox } = candidate.group;
      const hash = pictureHash(pixels, pictureWidth, pictureHeight, bbox, marginPx);
      noteAsked(asked, candidate, taskIdOf(messageId, groupIndex), hash, rules);
      return hash === null ? [] : [{ groupIndex, hash }];
    });
    const request = { messageId, capturedAt: atMs, trafficGroups, detectedObjects: detected, groupImages };
    for (const decision of decide(request, memoryOf(memory, 1), rules, 0)) {
      const { group, asked: noted } = decision;
      if (noted) learn(memory, 1, group.groupKey, noted, 10 ** 9);
      const objectIds = group.memberTrackIds.map((trackId) => idOf.get(trackId) ?? -1);
      groups.push({ atMs, group, objectIds, end: decision.outcome === "task" ? "task" : decision.reason });
    }
  }
  return { groups, acts: junction.acts() };
};

/** What is told may begin before the definition of an act holds, as with a prediction, and end a little later. */
const earlyMs = 1_500;
const lateMs = 2_000;

/** When the act was first seen by the rules, and first asked about; null where it was not. */
export const firstOf = (
  { groups }: Watched,
  act: ActTruth,
): { readonly seenMs: number | null; readonly askedMs: number | null } => {
  const kind: HazardType = act.act;
  const ofAct = groups.filter(
    ({ atMs, group, objectIds }) =>
      atMs >= act.fromMs - earlyMs &&
      atMs <= act.toMs + lateMs &&
      group.hazards.some(({ type, memberTrackIds }) => {
        const ids = memberTrackIds.map((trackId) => objectIds[group.memberTrackIds.indexOf(trackId)] ?? -1);
        return type === kind && act.memberIds.some((id) => ids.includes(id));
      }),
  );
  return { seenMs: ofAct[0]?.atMs ?? null, askedMs: ofAct.find(({ end }) => end === "task")?.atMs ?? null };
};
