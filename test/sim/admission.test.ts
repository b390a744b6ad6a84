/**
 * What admission saves before the simulated junction, and that it costs no danger its first task. `SHOW=1 bun test
 * test/sim/admission.test.ts` prints the figures; `SEEDS=4` takes more seeds.
 */
import { describe, expect, test } from "bun:test";
import { restartScene, type Scene, startScene } from "../../actors/clusterer/risk-now.ts";
import { type AdmissionRules, admissionDefaults } from "../../actors/task-generator/admission.ts";
import { hazardTypes } from "../../protocols/detection.ts";
import { firstOf, type Watched, watchTasks } from "../support/junction-tasks.ts";

const seeds = Array.from({ length: Number(process.env.SEEDS ?? 1) }, (_, index) => index + 1);
const warmUpS = 120;
const actingS = 170;

/** The cooldown alone, whatever changed. */
const cooldownAlone: AdmissionRules = { ...admissionDefaults, changeLeast: 0, pictureBits: -1 };

const show = (text: string) => void (process.env.SHOW && process.stdout.write(`${text}\n`));
const countsOf = ({ groups }: Watched): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { end } of groups) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
};
const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** A camera that knows its road, for each seed. */
const warm = new Map<number, Scene>();
const knowing = (seed: number): Scene => {
  const known = warm.get(seed) ?? startScene();
  if (!warm.has(seed)) {
    const common = { act: "none", seconds: warmUpS, rules: admissionDefaults, isTrembling: false } as const;
    watchTasks({ ...common, scene: known, seed });
    restartScene(known);
    warm.set(seed, known);
  }
  return structuredClone(known);
};

describe.each([
  ["a perfect detector", false],
  ["a detector that misses one of twenty and trembles", true],
] as const)("with %s", (name, isTrembling) => {
  const sum = { groups: 0, before: 0, after: 0, acts: 0, seen: 0, asked: 0 };

  test.each([...hazardTypes])(
    "each %s that the rules see is asked about",
    (act) => {
      const lost: string[] = [];
      for (const seed of seeds) {
        const watch = (rules: AdmissionRules) =>
          watchTasks({ scene: knowing(seed), seed, act, seconds: actingS, rules, isTrembling });
        const [before, after] = [watch(cooldownAlone), watch(admissionDefaults)];
        sum.groups += after.groups.length;
        sum.before += countsOf(before).task ?? 0;
        sum.after += countsOf(after).task ?? 0;
        for (const one of after.acts) {
          const { seenMs, askedMs } = firstOf(after, one);
          const was = firstOf(before, one).askedMs;
          sum.acts++;
          if (seenMs !== null) sum.seen++;
          if (askedMs !== null) sum.asked++;
          // Seen for the first time within a cooldown and gone before its end, it is not asked about: so it was before.
          const isLate = was !== null && (askedMs === null || askedMs > was + admissionDefaults.cooldownMs);
          if (isLate) lost.push(`seed ${seed}, ${one.fromMs} to ${one.toMs} ms: asked at ${askedMs}, before at ${was}`);
        }
        show(`  ${act}, seed ${seed}: ${after.groups.length} groups, ${JSON.stringify(countsOf(after))}`);
      }
      expect(lost).toEqual([]);
    },
    60_000,
  );

  test("fewer groups are paid for than by the cooldown alone", () => {
    const { groups, before, after, acts, seen, asked } = sum;
    const saved = percent(before - after, before);
    show(
      `${name}: ${groups} groups, ${percent(before, groups)} asked about by the cooldown alone, ${percent(after, groups)} by all rules`,
    );
    show(`  ${saved} of the calls avoided; of ${acts} acts the rules saw ${seen}, and ${asked} got a task`);
    expect(after).toBeLessThan(before * (isTrembling ? 0.93 : 0.85));
    expect(asked).toBe(seen);
  });
});
