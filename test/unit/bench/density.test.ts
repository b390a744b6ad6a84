import { expect, test } from "bun:test";
import { mostThatHold } from "../../../bench/density/search.ts";

test.each([
  [0, 100],
  [1, 100],
  [2, 100],
  [7, 100],
  [64, 100],
  [99, 100],
  [100, 100],
  [1_000, 100],
  [1, 1],
  [0, 1],
])("where %d hold, of %d at most, the search finds that many, and tries none twice", async (limit, max) => {
  const tried: number[] = [];
  const most = await mostThatHold(async (count) => {
    tried.push(count);
    return count <= limit;
  }, max);
  expect(most).toBe(Math.min(limit, max));
  expect(new Set(tried).size).toBe(tried.length);
  expect(tried.every((count) => count >= 1 && count <= max)).toBe(true);
});
