import { expect, test } from "bun:test";
import { beginsWithin, createSharedScenes } from "../../../../../actors/camera/junction/many-viewers.ts";
import { sceneAt } from "../../../../../actors/camera/junction/scene.ts";
import { createShow } from "../../../../../actors/camera/junction/show.ts";
import { truthOf } from "../../../../../actors/camera/junction/truth.ts";
import { seededRandom } from "../../../../../runtime/random.ts";

const options = { seed: 7, act: "mixture", width: 960, height: 540 } as const;
const periodMs = 500;

test("a frame is the scene at its time, whoever asks for it and in whatever order", () => {
  const scenes = createSharedScenes();
  const [one, other] = [scenes(options, periodMs), scenes(options, periodMs)];
  for (const frame of [3, 0, 12, 11, 2])
    for (const { view, truthAt } of [one, other])
      expect(truthAt(frame)).toEqual(truthOf(view, sceneAt(options, frame * periodMs).objects));
  expect(one.truthAt(12)).toBe(other.truthAt(12));
});

test("of frames long past the oldest kept one is shown", () => {
  const { truthAt } = createSharedScenes()(options, periodMs);
  const last = 4 * beginsWithin;
  truthAt(last);
  expect(truthAt(0)).toEqual(truthAt(last + 1 - 3 * beginsWithin));
  expect(truthAt(0).length).toBeGreaterThan(0);
});

test("cameras of one address begin at moments of their own, and media time says which", () => {
  const random = seededRandom(1);
  const shows = Array.from({ length: 8 }, () => createShow({ render: false, shared: true }, options, periodMs, random));
  const times = shows.map((show) => {
    show.goTo(2);
    expect(show.truth()).toEqual(truthOf(show.view, sceneAt(options, show.mediaTimeMs()).objects));
    return show.mediaTimeMs();
  });
  expect(shows[0]?.picture).toEqual({ width: 96, height: 54 });
  expect(new Set(times).size).toBeGreaterThan(4);
  for (const show of shows) show.leave();
});

test("a scene is forgotten when the last has left it, once however often it is said", () => {
  const scenes = createSharedScenes();
  const [one, other] = [scenes(options, periodMs), scenes(options, periodMs)];
  const before = other.truthAt(5);
  one.leave();
  one.leave();
  const third = scenes(options, periodMs);
  expect(third.truthAt(5)).toBe(before);
  third.leave();
  other.leave();
  expect(scenes(options, periodMs).truthAt(5)).not.toBe(before);
});
