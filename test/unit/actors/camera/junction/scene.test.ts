import { describe, expect, test } from "bun:test";
import { closestApproach, separationM } from "../../../../../actors/camera/junction/acts/near-miss.ts";
import { lawfulHeading, type Placement } from "../../../../../actors/camera/junction/placement.ts";
import { createScene, type Scene, sceneAt } from "../../../../../actors/camera/junction/scene.ts";
import { runs } from "../../../../support/runs.ts";

const seeds = Array.from({ length: runs(20) }, (_, index) => index + 1);

/** FNV-1a over ids, places and speeds, to the millimetre. */
const fingerprint = (scene: Scene, untilMs: number, everyMs: number): number => {
  let hash = 0x811c9dc5;
  const add = (value: number) => {
    hash = Math.imul(hash ^ Math.round(value * 1_000), 0x01000193) >>> 0;
  };
  for (let at = 0; at <= untilMs; at += everyMs) {
    scene.advanceTo(at);
    for (const { id, x, y, speed, heading } of scene.objects()) for (const value of [id, x, y, speed, heading]) add(value);
    for (const light of scene.lights()) add(light.length);
  }
  return hash;
};

const corners = (place: Placement): [number, number][] => {
  const cos = Math.cos(place.heading);
  const sin = Math.sin(place.heading);
  return (
    [
      [1, 1],
      [1, -1],
      [-1, -1],
      [-1, 1],
    ] as const
  ).map(([front, left]) => {
    const along = (front * place.lengthM) / 2;
    const across = (left * place.widthM) / 2;
    return [place.x + along * cos - across * sin, place.y + along * sin + across * cos];
  });
};

/** Separating axes of two rectangles. */
const overlaps = (one: Placement, other: Placement): boolean => {
  if (Math.hypot(one.x - other.x, one.y - other.y) > (one.lengthM + other.lengthM) / 2 + 1) return false;
  return [one.heading, one.heading + Math.PI / 2, other.heading, other.heading + Math.PI / 2].every((angle) => {
    const span = (place: Placement) => corners(place).map(([x, y]) => x * Math.cos(angle) + y * Math.sin(angle));
    const [first, second] = [span(one), span(other)];
    return Math.max(...first) > Math.min(...second) && Math.max(...second) > Math.min(...first);
  });
};

const onRoad = (objects: readonly Placement[]) => objects.filter(({ class: name }) => name !== "person");

describe("the scene", () => {
  test("is the same for the same seed, however it is stepped", () => {
    const once = fingerprint(createScene({ seed: 7 }), 60_000, 250);
    expect(fingerprint(createScene({ seed: 7 }), 60_000, 250)).toBe(once);
    const scene = createScene({ seed: 7 });
    for (let at = 0; at <= 60_000; at += 33) scene.advanceTo(at);
    scene.advanceTo(60_000);
    expect(scene.objects()).toEqual([...sceneAt({ seed: 7 }, 60_000).objects]);
  });

  test("differs from seed to seed and from act to act", () => {
    const prints = seeds.map((seed) => fingerprint(createScene({ seed }), 10_000, 500));
    expect(new Set(prints).size).toBe(seeds.length);
    const acts = (["none", "stalled", "wrong-way"] as const).map((act) =>
      fingerprint(createScene({ seed: 3, act }), 30_000, 500),
    );
    expect(new Set(acts).size).toBe(3);
  });

  test("has traffic from the first moment on", () => {
    for (const seed of seeds) {
      const { objects } = sceneAt({ seed }, 0);
      expect(onRoad(objects).length).toBeGreaterThanOrEqual(3);
      expect(objects.length).toBeGreaterThanOrEqual(10);
    }
  });

  test("moves nobody further than their speed allows", () => {
    const scene = createScene({ seed: 4 });
    let before = new Map<number, Placement>();
    for (let at = 0; at < 60_000; at += 100) {
      scene.advanceTo(at);
      const objects = scene.objects();
      for (const place of objects) {
        const was = before.get(place.id);
        if (was) expect(Math.hypot(place.x - was.x, place.y - was.y)).toBeLessThan(16 * 0.1);
      }
      before = new Map(objects.map((place) => [place.id, place]));
    }
  });

  test("stays bounded and flowing over an hour", () => {
    const scene = createScene({ seed: 9 });
    let most = 0;
    let newest = 0;
    for (let at = 0; at <= 3_600_000; at += 5_000) {
      scene.advanceTo(at);
      const objects = scene.objects();
      most = Math.max(most, objects.length);
      newest = Math.max(newest, ...objects.map(({ id }) => id));
    }
    expect(most).toBeLessThan(90);
    expect(newest).toBeGreaterThan(1_000);
    expect(scene.acts().length).toBeGreaterThan(40);
  });
});

describe("traffic without acts", () => {
  test("keeps vehicles apart, obeys the lanes and passes nobody on foot closely, for every seed", () => {
    for (const seed of seeds) {
      const scene = createScene({ seed, act: "none" });
      const trouble: string[] = [];
      for (let at = 0; at <= 120_000; at += 250) {
        scene.advanceTo(at);
        const objects = scene.objects();
        const vehicles = onRoad(objects);
        for (const [index, one] of vehicles.entries()) {
          for (const other of vehicles.slice(index + 1)) {
            if (overlaps(one, other)) trouble.push(`${at} ms: ${one.kind} ${one.id} overlaps ${other.kind} ${other.id}`);
          }
          const lawful = lawfulHeading(one.x, one.y);
          if (lawful !== null && Math.cos(one.heading - lawful) < 0.5 && one.speed > 1)
            trouble.push(`${at} ms: ${one.id} wrong way`);
          if (one.speed < 3 || one.kind === "bicycle") continue;
          for (const walker of objects) {
            if (walker.class !== "person" || separationM(one, walker) > 1.5) continue;
            const { inS } = closestApproach(one, walker);
            trouble.push(`${at} ms: ${one.kind} ${one.id} close to ${walker.id}, ${inS.toFixed(1)} s`);
          }
        }
      }
      expect(trouble).toEqual([]);
      expect(scene.acts()).toEqual([]);
    }
  });

  test("keeps a headway of more than 0.6 s at speed", () => {
    for (const seed of seeds) {
      const scene = createScene({ seed, act: "none" });
      const closeMs = new Map<string, number>();
      for (let at = 0; at <= 120_000; at += 250) {
        scene.advanceTo(at);
        const vehicles = onRoad(scene.objects()).filter(({ kind }) => kind !== "bicycle");
        for (const one of vehicles) {
          for (const other of vehicles) {
            if (one === other || one.speed < 4 || Math.cos(one.heading - other.heading) < 0.95) continue;
            const dx = other.x - one.x;
            const dy = other.y - one.y;
            const ahead = dx * Math.cos(one.heading) + dy * Math.sin(one.heading) - (one.lengthM + other.lengthM) / 2;
            const aside = Math.abs(-dx * Math.sin(one.heading) + dy * Math.cos(one.heading));
            const key = `${one.id}>${other.id}`;
            if (ahead < 0 || aside > 1.2 || ahead / one.speed > 0.6) closeMs.delete(key);
            else closeMs.set(key, (closeMs.get(key) ?? 0) + 250);
            expect(closeMs.get(key) ?? 0).toBeLessThan(3_000);
          }
        }
      }
    }
  });

  test("lets people walk at 1.1 to 1.6 m/s, and cross on their light only", () => {
    const scene = createScene({ seed: 2, act: "none" });
    const crossed = new Set<number>();
    let before = new Map<number, Placement>();
    for (let at = 0; at <= 180_000; at += 100) {
      scene.advanceTo(at);
      const lights = scene.lights();
      const people = scene.objects().filter(({ class: name }) => name === "person");
      for (const person of people) {
        if (person.speed > 0) {
          expect(person.speed).toBeGreaterThanOrEqual(1.1);
          expect(person.speed).toBeLessThanOrEqual(1.6);
        }
        const was = before.get(person.id);
        const onCarriageway = (place: Placement) => Math.min(Math.abs(place.x), Math.abs(place.y)) < 7.9;
        if (!was || onCarriageway(was) || !onCarriageway(person)) continue;
        crossed.add(person.id);
        const arm = Math.abs(person.x) > Math.abs(person.y) ? (person.x > 0 ? 0 : 2) : person.y > 0 ? 1 : 3;
        expect(lights[arm]).toBe("red");
      }
      before = new Map(people.map((person) => [person.id, person]));
    }
    expect(crossed.size).toBeGreaterThan(5);
  });
});
