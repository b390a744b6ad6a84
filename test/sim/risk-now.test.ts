/**
 * The yardstick of risk now: the simulated junction acts dangers out and writes down the truth. The camera has watched ordinary
 * traffic for two minutes, then each danger is acted out again and again, seen at 2 fps through the tracker.
 */
import { describe, expect, test } from "bun:test";
import type { ActTruth } from "../../actors/camera/junction/acts/act.ts";
import type { ActChoice } from "../../actors/camera/junction/director.ts";
import { createScene, pictureHeight, pictureWidth } from "../../actors/camera/junction/scene.ts";
import { sightings } from "../../actors/camera/junction/truth.ts";
import { assess, restartScene, type Scene, startScene } from "../../actors/clusterer/risk-now.ts";
import { startTracks, trackFrame } from "../../actors/tracker/bytetrack.ts";
import { type HazardType, hazardTypes } from "../../protocols/detection.ts";

const seeds = [1, 2];
const fps = 2;
const warmUpS = 120;
const actingS = 170;
/** What is told may begin before the definition holds, as with a prediction, and end a little later. */
const earlyMs = 1500;
const lateMs = 2000;
/** A danger that is told again within so long was never over. */
const pauseMs = 2500;

type Alarm = { readonly type: HazardType; readonly fromMs: number; toMs: number; readonly objectIds: Set<number> };

/** Watches a junction, and answers the alarms and what really happened. */
const watch = (scene: Scene, seed: number, act: ActChoice, seconds: number): { alarms: Alarm[]; acts: readonly ActTruth[] } => {
  const junction = createScene({ seed, act });
  const tracks = startTracks();
  const alarms: Alarm[] = [];
  for (let frame = 0; frame < seconds * fps; frame++) {
    const mediaTimeMs = (frame * 1000) / fps;
    junction.advanceTo(mediaTimeMs);
    const seen = sightings(junction.view, junction.objects());
    const { objects } = trackFrame(tracks, { segment: 0, mediaTimeMs, detections: seen });
    const idOf = new Map(objects.map(({ trackId, bbox }) => [trackId, seen.find((each) => each.bbox === bbox)?.id ?? -1]));
    for (const { type, trackIds } of assess(scene, {
      objects,
      mediaTimeMs,
      imageWidth: pictureWidth,
      imageHeight: pictureHeight,
    })) {
      const ids = trackIds.map((trackId) => idOf.get(trackId) ?? -1);
      const isSame = (alarm: Alarm) =>
        alarm.type === type && mediaTimeMs - alarm.toMs <= pauseMs && ids.some((id) => alarm.objectIds.has(id));
      const alarm = alarms.find(isSame);
      if (!alarm) alarms.push({ type, fromMs: mediaTimeMs, toMs: mediaTimeMs, objectIds: new Set(ids) });
      else {
        alarm.toMs = mediaTimeMs;
        for (const id of ids) alarm.objectIds.add(id);
      }
    }
  }
  return { alarms, acts: junction.acts() };
};

const tells = (alarm: Alarm, act: ActTruth): boolean =>
  alarm.type === act.act &&
  alarm.fromMs <= act.toMs + lateMs &&
  alarm.toMs >= act.fromMs - earlyMs &&
  act.memberIds.some((id) => alarm.objectIds.has(id));

/** A camera that knows its road, for each seed. */
const warm = new Map(
  seeds.map((seed) => {
    const scene = startScene();
    const { alarms } = watch(scene, seed, "none", warmUpS);
    restartScene(scene);
    return [seed, { scene, alarms }];
  }),
);

/** A copy, so that one act does not teach the next. */
const knowing = (seed: number): Scene => structuredClone(warm.get(seed)?.scene ?? startScene());

describe("each kind of danger is told of", () => {
  test.each([...hazardTypes])("%s: at least four of five", (hazard) => {
    let acted = 0;
    const missed: string[] = [];
    for (const seed of seeds) {
      const { alarms, acts } = watch(knowing(seed), seed, hazard, actingS);
      acted += acts.length;
      for (const act of acts) {
        if (!alarms.some((alarm) => tells(alarm, act))) missed.push(`seed ${seed}, ${act.fromMs} to ${act.toMs} ms`);
      }
    }
    expect(acted).toBeGreaterThanOrEqual(8);
    expect(missed.length, `missed of ${acted}: ${missed.join("; ")}`).toBeLessThanOrEqual(acted * 0.2);
  });
});

test("ordinary traffic raises at most one alarm a minute, also while the camera is still learning", () => {
  const alarms = [...warm.values()].flatMap((each) => each.alarms);
  const later = seeds.flatMap((seed) => watch(knowing(seed), seed, "none", actingS).alarms);
  expect(alarms.length).toBeLessThanOrEqual((seeds.length * warmUpS) / 60);
  expect(later.length).toBeLessThanOrEqual((seeds.length * actingS) / 60);
});

test("a camera that was turned learns its road anew", () => {
  const [seed = 0] = seeds;
  // Another seed looks from another side.
  const { alarms } = watch(knowing(seed), seed + 101, "none", 300);
  expect(alarms.filter(({ fromMs }) => fromMs > 120_000).length).toBeLessThanOrEqual(3);
});

test("the camera's height and pitch are found within a tenth and two degrees", () => {
  for (const seed of seeds) {
    const { view } = createScene({ seed });
    const model = warm.get(seed)?.scene.fit.model;
    expect(Math.abs((model?.heightM ?? 0) / view.z - 1)).toBeLessThan(0.1);
    expect(Math.abs((model?.pitch ?? 0) - Math.asin(-view.ahead[2]))).toBeLessThan((2 * Math.PI) / 180);
  }
});

test("what a lane remembers is bounded", () => {
  for (const { scene } of warm.values()) {
    expect(scene.fit.samples.size).toBeLessThanOrEqual(96);
    expect(scene.waiting.length).toBeLessThanOrEqual(64);
    expect(scene.halves.met.size).toBeLessThanOrEqual(2000);
    expect(scene.histories.size + scene.stops.size + scene.pending.size + scene.flow.trails.size).toBe(0);
  }
});
