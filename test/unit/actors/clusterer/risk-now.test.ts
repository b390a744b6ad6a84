import { describe, expect, test } from "bun:test";
import { assess, restartScene, type Scene, startScene } from "../../../../actors/clusterer/risk-now.ts";
import { look, mast, pictureHeight, pictureWidth, type RoadUser, straight } from "../../../support/road.ts";

/** A scene whose camera is known already. */
const known = (): Scene => {
  const scene = startScene();
  scene.fit.model = mast;
  scene.fit.fitAt = Number.POSITIVE_INFINITY;
  return scene;
};

/** `type level` of what is told, frame by frame. */
const watch = (scene: Scene, users: readonly RoadUser[], seconds: number, fps = 2, fromS = 0): string[] => {
  const told: string[] = [];
  for (let frame = 0; frame <= seconds * fps; frame++) {
    const at = fromS + frame / fps;
    const moment = { mediaTimeMs: at * 1000, imageWidth: pictureWidth, imageHeight: pictureHeight };
    const findings = assess(scene, { ...moment, objects: look(mast, users, at) });
    told.push(findings.map(({ type, level, trackIds }) => `${type} ${level} ${trackIds.join(",")}`).join("; "));
  }
  return told;
};

const driver = straight(1, "car", { x: -9, y: 40, heading: 0, speed: 6 });
const tail = straight(2, "car", { x: -15.2, y: 40, heading: 0, speed: 6 });

describe("a danger is told when it has lasted, and held until it is over", () => {
  test("a short gap after a second", () => {
    const told = watch(known(), [driver, tail], 3);
    const from = told.indexOf("tailgating medium 1,2");
    expect(from).toBeGreaterThanOrEqual(3);
    expect(told.slice(from).every((line) => line === "tailgating medium 1,2")).toBe(true);
  });

  test("a short gap that opens at once is never told", () => {
    const opens: RoadUser = { ...tail, at: (s) => ({ x: s < 1 ? -15.2 + 6 * s : -13.2 + 4 * s, y: 40, heading: 0 }) };
    expect(watch(known(), [driver, opens], 3).join("")).toBe("");
  });

  test("one frame without it does not end it, two seconds do", () => {
    const fallsBack: RoadUser = {
      ...tail,
      at: (s) => ({ x: s < 2.5 ? -15.2 + 6 * s : -5.2 + 2 * s, y: 40, heading: 0 }),
    };
    const told = watch(known(), [straight(1, "car", { x: -9, y: 40, heading: 0, speed: 6 }), fallsBack], 5);
    const last = told.findLastIndex((line) => line !== "");
    expect(told[5]).toBe("tailgating medium 1,2");
    expect(last).toBeGreaterThan(5);
    expect(last).toBeLessThan(9);
  });

  test("it is not told of someone out of sight", () => {
    const vanishes: RoadUser = { ...tail, at: (s) => (s < 2.2 ? tail.at(s) : null) };
    const told = watch(known(), [driver, vanishes], 3);
    expect(told[4]).toBe("tailgating medium 1,2");
    expect(told[5]).toBe("");
  });

  test("a near miss is told at once", () => {
    const walker = straight(3, "person", { x: 4, y: 36, heading: Math.PI / 2, speed: 1.5 });
    const fast = straight(1, "car", { x: -18, y: 40, heading: 0, speed: 9 });
    const told = watch(known(), [fast, walker], 5);
    expect(told.findIndex((line) => line.startsWith("near-miss"))).toBeLessThanOrEqual(4);
    expect(told.at(-1)).toBe("");
  });
});

describe("what is learned", () => {
  const lawful = (count: number): RoadUser[] =>
    Array.from({ length: count }, (_, index) => ({
      trackId: 100 + index,
      class: "car",
      at: (s) => (s < index * 5 || s > index * 5 + 4 ? null : { x: -14 + 7 * (s - index * 5), y: 25, heading: 0 }),
    }));
  const wrong = (fromS: number): RoadUser => ({
    trackId: 999,
    class: "car",
    at: (s) => (s < fromS ? null : { x: 14 - 7 * (s - fromS), y: 25, heading: Math.PI }),
  });

  test("who drives against the known traffic is told of", () => {
    const told = watch(known(), [...lawful(4), wrong(25)], 29);
    expect(told.slice(0, 50).join("")).toBe("");
    expect(told.slice(50).some((line) => line === "wrong-way high 999")).toBe(true);
  });

  test("nobody can be where nothing is known", () => {
    expect(watch(known(), [wrong(0)], 4).join("")).toBe("");
  });

  test("a new segment forgets who was there and keeps the road", () => {
    const scene = known();
    watch(scene, lawful(4), 22);
    restartScene(scene);
    expect([scene.histories.size, scene.stops.size, scene.pending.size]).toEqual([0, 0, 0]);
    expect(watch(scene, [wrong(0)], 4).some((line) => line === "wrong-way high 999")).toBe(true);
  });
});

test("a car that breaks down short of where others wait is told of; those who wait are not", () => {
  const stops = (trackId: number, fromS: number, atX: number, untilS: number): RoadUser => ({
    trackId,
    class: "car",
    at: (s) => {
      if (s < fromS || s > untilS + 3) return null;
      const braking = Math.min(s - fromS, 3);
      const gone = s > untilS ? 6 * (s - untilS) : 0;
      return { x: atX - 12 + 8 * braking - (4 / 3) * braking ** 2 + gone, y: 25, heading: 0 };
    },
  });
  const told = watch(known(), [stops(1, 0, 6, 12), stops(2, 16, 6, 28), stops(3, 32, -4, 60)], 50);
  expect(told.slice(0, 64).join("")).toBe("");
  expect(told.some((line) => line === "stalled medium 3")).toBe(true);
});

test("without a known camera nothing is told", () => {
  expect(watch(startScene(), [driver, tail], 1).join("")).toBe("");
});

test("the camera is found from what is seen, and dangers after that", () => {
  const people = Array.from({ length: 6 }, (_, index) =>
    straight(50 + index, "person", { x: -8 + 3 * index, y: 16 + 4 * index, heading: 0, speed: 0.3 }),
  );
  const scene = startScene();
  const told = watch(scene, [...people, driver, tail], 3.5);
  expect(scene.fit.model).not.toBeNull();
  expect(told.some((line) => line.startsWith("tailgating"))).toBe(true);
});

test("the same frames give the same dangers", () => {
  expect(watch(known(), [driver, tail], 3)).toEqual(watch(known(), [driver, tail], 3));
});
