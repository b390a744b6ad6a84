import { describe, expect, test } from "bun:test";
import type { ActTruth } from "../../../../../actors/camera/junction/acts/act.ts";
import { closestApproach, separationM } from "../../../../../actors/camera/junction/acts/near-miss.ts";
import { lawfulHeading, type Placement } from "../../../../../actors/camera/junction/placement.ts";
import { createScene, type SceneMoment } from "../../../../../actors/camera/junction/scene.ts";
import { sightings } from "../../../../../actors/camera/junction/truth.ts";
import { type HazardType, hazardTypes } from "../../../../../protocols/detection.ts";
import { runs } from "../../../../support/runs.ts";

const seeds = Array.from({ length: runs(20) }, (_, index) => index + 1);
const watchedMs = 120_000;

type Moment = SceneMoment & { readonly atMs: number; readonly seenIds: ReadonlySet<number> };

/** The acts of a scene, and what was to be seen during each, ten times a second. */
const actsOf = (seed: number, act: HazardType): { act: ActTruth; during: Moment[] }[] => {
  const first = createScene({ seed, act });
  first.advanceTo(watchedMs);
  const scene = createScene({ seed, act });
  return first.acts().map((truth) => {
    const during: Moment[] = [];
    for (let atMs = truth.fromMs; atMs <= truth.toMs; atMs += 100) {
      scene.advanceTo(atMs);
      const objects = scene.objects();
      const seenIds = new Set(sightings(scene.view, objects).map(({ id }) => id));
      during.push({ atMs, objects, lights: scene.lights(), acts: [], seenIds });
    }
    return { act: truth, during };
  });
};

const member = (moment: Moment, id: number | undefined): Placement => {
  const found = moment.objects.find((place) => place.id === id);
  if (!found) throw new Error(`member ${id} is not there at ${moment.atMs} ms`);
  return found;
};

const armOf = ({ x, y }: Placement): number => (Math.abs(x) > Math.abs(y) ? (x > 0 ? 0 : 2) : y > 0 ? 1 : 3);

/** Each answers what contradicts the definition during the act; nothing is right. */
const contradictions: Readonly<Record<HazardType, (act: ActTruth, during: readonly Moment[]) => string[]>> = {
  tailgating(act, during) {
    const wrong = act.toMs - act.fromMs < 3_000 ? ["shorter than 3 s"] : [];
    for (const moment of during) {
      const [first, second] = act.memberIds.map((id) => member(moment, id));
      if (!first || !second) return ["not two members"];
      const gapM = Math.hypot(first.x - second.x, first.y - second.y) - (first.lengthM + second.lengthM) / 2;
      const speed = Math.min(first.speed, second.speed);
      if (gapM < 0 || gapM / speed > 0.62 || speed < 4) wrong.push(`${moment.atMs} ms: ${gapM.toFixed(1)} m at ${speed} m/s`);
    }
    return wrong;
  },

  "near-miss"(act, during) {
    let soonestS = Number.POSITIVE_INFINITY;
    let nearestM = Number.POSITIVE_INFINITY;
    for (const moment of during) {
      const members = act.memberIds.map((id) => member(moment, id));
      const car = members.find(({ kind }) => kind === "car" || kind === "van");
      const other = members.find(({ kind }) => kind === "person" || kind === "bicycle");
      if (!car || !other) return ["not a car and somebody on foot or on a bicycle"];
      const { inS, distanceM } = closestApproach(car, other);
      if (inS > 0 && distanceM < 3.5) soonestS = Math.min(soonestS, inS);
      nearestM = Math.min(nearestM, separationM(car, other));
    }
    const wrong = soonestS < 1.5 ? [] : [`time to collision ${soonestS} s`];
    return nearestM > 0 && nearestM < 1.6 ? wrong : [...wrong, `passes at ${nearestM} m`];
  },

  "wrong-way"(act, during) {
    const wrong = act.toMs - act.fromMs < 3_000 ? ["shorter than 3 s"] : [];
    for (const moment of during) {
      const driver = member(moment, act.memberIds[0]);
      const lawful = lawfulHeading(driver.x, driver.y);
      // Its centre enters the lane a little later than its front, and leaves it later too.
      if (lawful !== null && Math.cos(driver.heading - lawful) > -0.95) wrong.push(`${moment.atMs} ms: drives as it should`);
      if (driver.speed < 1.9) wrong.push(`${moment.atMs} ms: ${driver.speed} m/s`);
    }
    return wrong;
  },

  stalled(act, during) {
    const wrong = act.toMs - act.fromMs < 8_000 ? ["shorter than 8 s"] : [];
    let company = false;
    for (const moment of during) {
      const broken = member(moment, act.memberIds[0]);
      const lawful = lawfulHeading(broken.x, broken.y);
      if (broken.speed > 0.3) wrong.push(`${moment.atMs} ms: ${broken.speed} m/s`);
      if (lawful === null || Math.cos(broken.heading - lawful) < 0.95) wrong.push(`${moment.atMs} ms: not in its lane`);
      if (moment.lights[armOf(broken)] !== "green") wrong.push(`${moment.atMs} ms: ${moment.lights[armOf(broken)]}`);
      company ||= moment.objects.some((other) => {
        if (other === broken || other.class === "person" || Math.cos(other.heading - broken.heading) < 0.9) return false;
        const distanceM = Math.hypot(other.x - broken.x, other.y - broken.y);
        return (other.speed > 2 && distanceM < 9) || (other.speed < 1 && distanceM < 20);
      });
    }
    return company ? wrong : [...wrong, "nobody passes or queues"];
  },

  congestion(act, during) {
    const wrong = act.toMs - act.fromMs < 6_000 ? ["shorter than 6 s"] : [];
    for (const moment of during) {
      const slow = moment.objects.filter(({ id, speed }) => act.memberIds.includes(id) && speed < 3);
      const dense = slow.filter((one) =>
        slow.some((other) => other !== one && Math.hypot(one.x - other.x, one.y - other.y) < 12),
      );
      if (dense.length < 5) wrong.push(`${moment.atMs} ms: ${dense.length} in the queue`);
    }
    return wrong;
  },
};

describe.each([...hazardTypes])("%s", (hazard) => {
  test("is acted out as defined, in view of the camera, for every seed", () => {
    const firstMs: number[] = [];
    for (const seed of seeds) {
      const acts = actsOf(seed, hazard);
      firstMs.push(acts[0]?.act.fromMs ?? Number.POSITIVE_INFINITY);
      expect(acts.length).toBeGreaterThanOrEqual(2);
      for (const { act, during } of acts) {
        const shown = during.filter(({ seenIds }) => act.memberIds.some((id) => seenIds.has(id)));
        expect({ seed, act, wrong: contradictions[hazard](act, during) }).toEqual({ seed, act, wrong: [] });
        expect(act.act).toBe(hazard);
        expect(shown.length).toBeGreaterThan(0.8 * during.length);
      }
    }
    // The first comes after some 5 s; it may have to wait for a light or for a gap.
    expect(firstMs.sort((one, other) => one - other)[seeds.length >> 1]).toBeLessThan(20_000);
    expect(Math.max(...firstMs)).toBeLessThan(60_000);
  });
});

test("without a choice every kind comes in time", () => {
  const kinds = new Set<HazardType>();
  for (const seed of seeds) {
    const scene = createScene({ seed });
    scene.advanceTo(180_000);
    expect(scene.acts().length).toBeGreaterThanOrEqual(2);
    for (const { act } of scene.acts()) kinds.add(act);
  }
  expect([...kinds].sort()).toEqual([...hazardTypes].sort());
});
