import { expect, test } from "bun:test";
import { groundOf } from "../../../../actors/clusterer/ground.ts";
import { noteWait, type Waiting, waitingPlaces } from "../../../../actors/clusterer/waiting.ts";
import { mast } from "../../../support/road.ts";

const ground = groundOf(mast);

test("those who wait within a car's length of each other wait at one place", () => {
  const places: Waiting = [];
  noteWait(places, { x: 0, y: 25 }, ground, 1);
  noteWait(places, { x: 1, y: 27 }, ground, 1);
  noteWait(places, { x: 0, y: 32 }, ground, 1);
  const [first, second] = waitingPlaces(places, ground);
  expect(first?.weight).toBe(2);
  expect(first?.y).toBeCloseTo(25, 6);
  expect(second?.y).toBeCloseTo(32, 6);
});

test("doubtful stops make a place only together", () => {
  const places: Waiting = [];
  for (let stop = 0; stop < 5; stop++) noteWait(places, { x: 0, y: 25 }, ground, 0.2);
  expect(waitingPlaces(places, ground)).toHaveLength(1);
  expect(waitingPlaces(places.slice(0, 0), ground)).toEqual([]);
  const doubtful: Waiting = [];
  for (let stop = 0; stop < 4; stop++) noteWait(doubtful, { x: 0, y: 25 }, ground, 0.2);
  expect(waitingPlaces(doubtful, ground)).toEqual([]);
});

test("no more than 64 places; the least used gives way", () => {
  const places: Waiting = [];
  for (let index = 0; index < 64; index++)
    noteWait(places, { x: (index % 8) * 6 - 21, y: 15 + Math.floor(index / 8) * 6 }, ground, 2);
  noteWait(places, { x: 30, y: 80 }, ground, 0.2);
  noteWait(places, { x: 50, y: 120 }, ground, 1);
  expect(places).toHaveLength(64);
  expect(places.at(-1)?.weight).toBe(1);
});
