import { expect, test } from "bun:test";
import { answerFamilies } from "../../tools/fuzz-answers/corpus.ts";
import { mentionsNone, runCase, seedsOf, type Wrong, wrongWith } from "../../tools/fuzz-answers/judge.ts";

const seeds = seedsOf(answerFamilies().flatMap(({ rows }) => rows));
const mutations = 3_000;

test("harmed answers never throw, garbage is no assessment, and high is never made none", () => {
  const wrong: Wrong[] = [];
  for (let seed = 1; seed <= mutations; seed++) {
    const found = runCase(seeds, seed);
    if (found) wrong.push(found);
  }
  expect(wrong).toEqual([]);
}, 30_000);

test("the judge sees what is wrong", () => {
  expect(seeds.filter(({ isHigh }) => isHigh).length).toBeGreaterThan(80);
  expect(wrongWith('{"riskLevel":"none"}', true)).toBeNull(); // the level itself was changed
  expect([mentionsNone('{"riskLevel":"nome"}'), mentionsNone("riskLevel = 正常")]).toEqual([false, true]);
});
