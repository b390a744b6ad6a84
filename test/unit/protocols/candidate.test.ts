import { expect, test } from "bun:test";
import { candidateRefusal, isCandidate } from "../../../protocols/candidate.ts";

const group = (objectCount: number, vehicles: number, pedestrians: number) => ({
  objectCount,
  spatial: { vehicles, pedestrians },
});

test.each([
  ["two vehicles are a candidate", group(2, 2, 0), 2, null],
  ["a person and a vehicle are a candidate", group(2, 1, 1), 2, null],
  ["a person, a vehicle and a dog are a candidate", group(3, 1, 1), 2, null],
  ["two people are none", group(2, 0, 2), 2, "no_conflict"],
  ["a vehicle and a dog are none", group(2, 1, 0), 2, "no_conflict"],
  ["one vehicle alone is too few", group(1, 1, 0), 2, "too_few_members"],
  ["two vehicles are too few where three are asked", group(2, 2, 0), 3, "too_few_members"],
  ["exactly the asked number is enough", group(3, 3, 0), 3, null],
] as const)("%s", (_, fields, minMembers, expected) => {
  expect(candidateRefusal(fields, minMembers)).toBe(expected);
  expect(isCandidate(fields, minMembers)).toBe(expected === null);
});
