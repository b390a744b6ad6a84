import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Admission, admissionsKept, refusal, withAdmission } from "../../../../actors/task-generator/admission.ts";
import { aGroup } from "../../../support/build.ts";

const rules = { minMembers: 2, cooldownMs: 3_000 };
const at = (capturedAt: number, taskId = `t${capturedAt}`, riskLevel: Admission["riskLevel"] = "low"): Admission => ({
  taskId,
  capturedAt,
  riskLevel,
});

test.each([
  ["a first sight is admitted", aGroup(), 1_000, true, [], null],
  ["within the cooldown it waits", aGroup(), 3_999, true, [at(1_000)], "cooldown"],
  ["at its end it is admitted", aGroup(), 4_000, true, [at(1_000)], null],
  ["what got worse does not wait", aGroup({ riskLevel: "high" }), 1_500, true, [at(1_000)], null],
  ["what got better waits", aGroup({ riskLevel: "none" }), 1_500, true, [at(1_000)], "cooldown"],
  ["without a picture there is nothing to judge", aGroup(), 1_000, false, [], "no_evidence"],
  ["in its cooldown it waits, picture or not", aGroup(), 1_500, false, [at(1_000)], "cooldown"],
  ["what got worse needs its picture", aGroup({ riskLevel: "high" }), 1_500, false, [at(1_000)], "no_evidence"],
  ["one alone is no group", aGroup({ objectCount: 1 }), 1_000, true, [], "too_few_members"],
  ["a record that comes again is decided as before", aGroup(), 1_000, true, [at(900, "x"), at(1_000, "mine")], null],
  ["an older record is judged by what came before it", aGroup(), 5_000, true, [at(1_000), at(9_000)], null],
] as const)("%s", (_name, group, capturedAt, hasEvidence, earlier, expected) => {
  expect(refusal(group, "mine", capturedAt, hasEvidence, earlier, rules)).toBe(expected);
});

test("deciding a sequence again, from what was stored, decides the same", () => {
  const sightings = fc.array(
    fc.record({ gapMs: fc.integer({ min: 0, max: 5_000 }), level: fc.constantFrom("none", "low", "medium", "high") }),
    {
      maxLength: admissionsKept,
    },
  );
  fc.assert(
    fc.property(sightings, (sequence) => {
      let earlier: readonly Admission[] = [];
      const decide = () => {
        let capturedAt = 0;
        return sequence.map(({ gapMs, level }, index) => {
          capturedAt += gapMs;
          const taskId = `task${index}`;
          const reason = refusal(aGroup({ riskLevel: level }), taskId, capturedAt, true, earlier, rules);
          if (reason === null) earlier = withAdmission(earlier, { taskId, capturedAt, riskLevel: level });
          return reason;
        });
      };
      const first = decide();
      expect(decide()).toEqual(first);
    }),
  );
});

test("admissions are kept in order, once each, and not for ever", () => {
  let kept: readonly Admission[] = [];
  for (let index = 40; index > 0; index--) kept = withAdmission(withAdmission(kept, at(index)), at(index));
  expect(kept).toHaveLength(admissionsKept);
  expect(kept.map(({ capturedAt }) => capturedAt)).toEqual([...kept.map(({ capturedAt }) => capturedAt)].sort((a, b) => a - b));
});
