/**
 * Admission against a slow, plain model that remembers everything it was told, and through crashes at any point: what of the
 * last records became durable is left to chance, and every record that is not settled is delivered again.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type AdmissionRules, admissionDefaults, type Decision, decide } from "../../actors/task-generator/admission.ts";
import { learn, type Memory, memoryOf, newMemory } from "../../actors/task-generator/memory.ts";
import type { Asked } from "../../protocols/candidate.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import { type RiskLevel, riskLevels, riskRank } from "../../protocols/ids.ts";
import { changeOf, hashDistance, lookOf, overlapOf } from "../../protocols/look.ts";
import { aDetectionResult, aGroup } from "../support/build.ts";

const t0 = 1_700_000_000_000;
const rules: AdmissionRules = { ...admissionDefaults, refreshMs: 20_000, dangerRefreshMs: 8_000 };
const forEver = 10 ** 9;

const group = fc.record({
  key: fc.constantFrom("a", "b", "c"),
  riskLevel: fc.constantFrom(...riskLevels),
  objectCount: fc.constantFrom(1, 2, 2, 2),
  spacing: fc.constantFrom(30, 80, 84),
  place: fc.constantFrom(0, 0, 500),
  hazard: fc.constantFrom(null, "near-miss" as const, "stalled" as const),
  picture: fc.constantFrom("none", "plain", "00ff00ff00ff00ff", "0123456789abcdef"),
});
const record = fc.record({
  gapMs: fc.constantFrom(0, 300, 500, 2_000, 3_000, 9_000),
  groups: fc.uniqueArray(group, { selector: ({ key }) => key, minLength: 1, maxLength: 3 }),
  ageMs: fc.constantFrom(0, 0, 0, 30_000),
});
type Drawn = {
  readonly gapMs: number;
  readonly ageMs: number;
  readonly groups: readonly (typeof group extends fc.Arbitrary<infer T> ? T : never)[];
};
type Record = { readonly result: DetectionResult; readonly ageMs: number };

const recordsOf = (drawn: readonly Drawn[]): Record[] => {
  let capturedAt = t0;
  return drawn.map(({ gapMs, ageMs, groups }, seq) => {
    capturedAt += Math.max(1, gapMs);
    const trafficGroups = groups.map(({ key, riskLevel, objectCount, spacing, place, hazard }, index) =>
      aGroup({
        ...{ groupIndex: index + 1, groupKey: key, riskLevel, objectCount },
        bbox: [place, 100, place + 200, 200],
        spatial: { ...aGroup().spatial, minSpacing: spacing },
        hazards: hazard === null ? [] : [{ type: hazard, memberTrackIds: [1, 2], evidence: "" }],
      }),
    );
    const groupImages = groups.flatMap(({ picture }, index) => {
      const image = { groupIndex: index + 1, objectCount: 2, classes: [], image: new Uint8Array(3) };
      return picture === "none" ? [] : [picture === "plain" ? image : { ...image, hash: picture }];
    });
    return { result: aDetectionResult({ messageId: `m${seq}`, capturedAt, trafficGroups, groupImages }), ageMs };
  });
};

const endOf = (decision: Decision): string => (decision.outcome === "task" ? "task" : decision.reason);

const outcomesOf = (decisions: readonly Decision[]): string[] => decisions.map(({ outcome }) => outcome);

const process = (memory: Memory, { result, ageMs }: Record): readonly Decision[] => {
  const decisions = decide(result, memoryOf(memory, result.cameraId), rules, ageMs);
  for (const { asked, group: of } of decisions) if (asked) learn(memory, result.cameraId, of.groupKey, asked, forEver);
  return decisions;
};

/** What the rules say, word for word, over all that was ever asked. */
const plainModel = () => {
  const asked: (Asked & { readonly key: string })[] = [];
  const isDanger = (level: RiskLevel) => level === "medium" || level === "high";
  return ({ result, ageMs }: Record): string[] => {
    const seen = [...asked];
    return result.trafficGroups.map((one) => {
      const { capturedAt } = result;
      const { riskLevel, groupKey: key } = one;
      if (!isDanger(riskLevel) && one.objectCount < rules.minMembers) return "too_few_members";
      const look = lookOf(
        one,
        one.memberIndices.flatMap((index) => result.detectedObjects[index] ?? []),
      );
      const freshMs = isDanger(riskLevel) ? rules.dangerRefreshMs : rules.refreshMs;
      const kinds = new Set(look.hazards.map(({ type }) => type));
      const tellsAll = (those: readonly Asked[]) =>
        those.some((each) => riskRank(each.riskLevel) >= riskRank(riskLevel)) &&
        (!isDanger(riskLevel) ||
          [...kinds].every((kind) => those.some((each) => each.look.hazards.some(({ type }) => type === kind))));
      const paidAt = (each: Asked) => each.repeats ?? each.capturedAt;
      const own = seen.filter((each) => each.key === key);
      const recent = own.filter((each) => capturedAt - each.capturedAt < rules.cooldownMs);
      if (tellsAll(recent)) return "cooldown";
      const alike = (each: Asked, byIds: boolean) =>
        capturedAt - paidAt(each) < freshMs && tellsAll([each]) && changeOf(each.look, look, byIds) < rules.changeLeast;
      if (own.some((each) => alike(each, true))) return "unchanged";
      const picture = result.groupImages.find(({ groupIndex }) => groupIndex === one.groupIndex);
      if (!picture) return "no_evidence";
      const hash = picture.hash ?? null;
      const entry = { taskId: `${result.messageId}_group${one.groupIndex}`, capturedAt, riskLevel, look, hash, key };
      const same = seen.filter(
        (each) =>
          hash !== null &&
          each.hash !== null &&
          each.capturedAt < capturedAt &&
          alike(each, false) &&
          overlapOf(each.look.box, look.box) >= 0.5 &&
          hashDistance(each.hash, hash) <= rules.pictureBits,
      );
      if (same.length > 0) {
        asked.push({ ...entry, repeats: Math.max(...same.map(paidAt)) });
        return "same_picture";
      }
      if (ageMs > rules.maxAgeMs && !result.trafficGroups.some((each) => isDanger(each.riskLevel))) return "too_old";
      asked.push(entry);
      return "task";
    });
  };
};

test("decides as the plain model, whatever comes", () => {
  const ends = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40, size: "max" }), (drawn) => {
      const memory = newMemory();
      const model = plainModel();
      for (const each of recordsOf(drawn)) {
        const decided = process(memory, each).map(endOf);
        expect(decided).toEqual(model(each));
        for (const end of decided) ends.set(end, (ends.get(end) ?? 0) + 1);
      }
    }),
    { numRuns: 200 },
  );
  const reasons = ["task", "too_few_members", "cooldown", "unchanged", "no_evidence", "same_picture", "too_old"];
  expect(reasons.filter((reason) => (ends.get(reason) ?? 0) < 10)).toEqual([]);
});

const crash = fc.record({
  /** After so many records the process is gone. */
  after: fc.nat(20),
  /** Of the newest records, how many are not settled. */
  unsettled: fc.nat(6),
  /** Whether the task, and the fact, of each unsettled one became durable. */
  tasks: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  facts: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
});

test("after a crash at any point each group has one end: tasks stay tasks, and what all became durable stays as it was", () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 20, size: "max" }),
      crash,
      (drawn, { after, unsettled, tasks, facts }) => {
        const records = recordsOf(drawn);
        const first = newMemory();
        const before = records.slice(0, after).map((each) => ({ each, decisions: process(first, each) }));
        const settled = Math.max(0, before.length - unsettled);

        // A fact holds all that was known of its group when it was written.
        const survived = newMemory();
        for (const [index, { each, decisions }] of before.entries()) {
          const isTaskDurable = index < settled || tasks[index - settled];
          const isFactDurable = index < settled || facts[index - settled];
          for (const { group: of, asked, outcome } of decisions) {
            if (!asked) continue;
            if (isFactDurable) {
              for (const other of before.slice(0, index + 1))
                for (const known of other.decisions)
                  if (known.asked && known.group.groupKey === of.groupKey)
                    learn(survived, each.result.cameraId, of.groupKey, known.asked, forEver);
            } else if (isTaskDurable && outcome === "task") learn(survived, each.result.cameraId, of.groupKey, asked, forEver);
          }
        }

        const again = before.slice(settled).map(({ each, decisions }, index) => {
          // Time has passed.
          const next = process(survived, { ...each, ageMs: each.ageMs + 5_000 });
          const wasDurable = tasks[index] === true && facts[index] === true;
          for (const [at, decision] of decisions.entries()) {
            const now = next[at];
            if (decision.outcome === "task" && (tasks[index] || facts[index])) expect(now?.outcome).toBe("task");
            if (wasDurable && tasks.slice(0, index).every(Boolean) && facts.slice(0, index).every(Boolean))
              expect(now && endOf(now)).toBe(endOf(decision));
          }
          return next;
        });
        for (const [index, next] of again.entries()) {
          const record = records[settled + index];
          // And once more, long after: what is decided is decided, though of several reasons another may come first.
          if (record) expect(outcomesOf(process(survived, { ...record, ageMs: 600_000 }))).toEqual(outcomesOf(next));
        }
      },
    ),
    { numRuns: 500 },
  );
});
