import { expect, test } from "bun:test";
import { spatialOf } from "../../../../actors/clusterer/spatial.ts";
import type { Box } from "../../../../protocols/ids.ts";

const at = (className: string, x: number, y: number): { class: string; bbox: Box } => ({
  class: className,
  bbox: [x - 10, y - 10, x + 10, y + 10],
});

test("counts, spacing and density of a mixed group", () => {
  const spatial = spatialOf([at("car", 0, 0), at("bicycle", 30, 40), at("person", 30, 0), at("dog", 0, 40)], [0, 0, 200, 100]);
  expect(spatial).toEqual({
    density: 2,
    avgSpacing: (50 + 30 + 40 + 40 + 30 + 50) / 6,
    minSpacing: 30,
    vehicles: 2,
    pedestrians: 1,
    pedVehicleMinDist: 30,
  });
});

test("the distance of people to vehicles is left out where one of them is missing", () => {
  expect(spatialOf([at("person", 0, 0), at("person", 10, 0)], [0, 0, 50, 20])).not.toHaveProperty("pedVehicleMinDist");
  expect(spatialOf([at("car", 0, 0), at("truck", 10, 0)], [0, 0, 50, 20])).not.toHaveProperty("pedVehicleMinDist");
});

test("a side counts as one pixel at least", () => {
  expect(spatialOf([at("car", 0, 0), at("car", 0, 0)], [5, 5, 5, 5]).density).toBe(20_000);
});

test("a single member has no spacing", () => {
  expect(spatialOf([at("car", 0, 0)], [0, 0, 100, 100])).toEqual({
    density: 1,
    avgSpacing: 0,
    minSpacing: 0,
    vehicles: 1,
    pedestrians: 0,
  });
});
