import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Asked, noteAsked, worthAPicture } from "../../../../actors/clusterer/asked.ts";
import { type Admission, refusal, withAdmission } from "../../../../actors/task-generator/admission.ts";
import { riskLevels } from "../../../../protocols/ids.ts";
import { aGroup } from "../../../support/build.ts";

const rules = { minMembers: 2, cooldownMs: 3_000 };

test("exactly the groups that get a task have a picture", () => {
  const sightings = fc.array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 4_000 }),
      groups: fc.uniqueArray(
        fc.record({
          key: fc.constantFrom("a", "b", "c"),
          riskLevel: fc.constantFrom(...riskLevels),
          objectCount: fc.integer({ min: 1, max: 3 }),
        }),
        { selector: ({ key }) => key },
      ),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(sightings, (sequence) => {
      const asked: Asked = new Map();
      const admissions = new Map<string, readonly Admission[]>();
      let capturedAt = 1_700_000_000_000;
      for (const [seq, { gapMs, groups }] of sequence.entries()) {
        capturedAt += gapMs;
        const seen = groups.map(({ key, ...fields }, index) => aGroup({ ...fields, groupIndex: index + 1, groupKey: key }));
        const pictured = worthAPicture(asked, seen, capturedAt, rules);
        noteAsked(asked, pictured, capturedAt, rules.cooldownMs);
        for (const group of seen) {
          const taskId = `${seq}_${group.groupIndex}`;
          const earlier = admissions.get(group.groupKey) ?? [];
          const reason = refusal(group, taskId, capturedAt, pictured.includes(group), earlier, rules);
          if (reason === null)
            admissions.set(group.groupKey, withAdmission(earlier, { taskId, capturedAt, riskLevel: group.riskLevel }));
          expect(reason === null).toBe(pictured.includes(group));
          expect(reason).not.toBe("no_evidence");
        }
      }
    }),
  );
});

test("a clock that was set back does not keep a group waiting", () => {
  const asked: Asked = new Map();
  noteAsked(asked, [aGroup()], 1_000_000, rules.cooldownMs);
  expect(worthAPicture(asked, [aGroup()], 999_000, rules)).toHaveLength(1);
});

test("remembers no group for longer than its cooldown", () => {
  const asked: Asked = new Map();
  for (let count = 0; count < 100; count++)
    noteAsked(asked, [aGroup({ groupKey: `g${count}` })], 1_000 + count * 500, rules.cooldownMs);
  expect([...asked.keys()]).toEqual(["g94", "g95", "g96", "g97", "g98", "g99"]);
});
