import { expect, test } from "bun:test";
import fc from "fast-check";
import { type AskedGroups, noteAsked, worthAPicture } from "../../../../actors/clusterer/asked.ts";
import { admissionDefaults, decide } from "../../../../actors/task-generator/admission.ts";
import { learn, memoryOf, newMemory } from "../../../../actors/task-generator/memory.ts";
import { candidateDefaults } from "../../../../protocols/candidate.ts";
import { riskLevels, taskIdOf } from "../../../../protocols/ids.ts";
import { aGroup } from "../../../support/build.ts";

const rules = { ...candidateDefaults, refreshMs: 12_000, dangerRefreshMs: 6_000 };

test("exactly the groups that get a task have a picture, but for those whose picture shows what another did", () => {
  const sightings = fc.array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 4_000 }),
      groups: fc.uniqueArray(
        fc.record({
          key: fc.constantFrom("a", "b", "c"),
          riskLevel: fc.constantFrom(...riskLevels),
          objectCount: fc.integer({ min: 1, max: 3 }),
          spacing: fc.constantFrom(20, 60, 80),
          hash: fc.constantFrom("00ff00ff00ff00ff", "0123456789abcdef"),
        }),
        { selector: ({ key }) => key },
      ),
    }),
    { maxLength: 40 },
  );
  const ends = { task: 0, same_picture: 0 };
  fc.assert(
    fc.property(sightings, (sequence) => {
      const asked: AskedGroups = new Map();
      const memory = newMemory();
      let capturedAt = 1_700_000_000_000;
      for (const [seq, { gapMs, groups }] of sequence.entries()) {
        capturedAt += gapMs;
        const messageId = `m${seq}`;
        const seen = groups.map(({ key, spacing, hash: _, ...fields }, index) =>
          aGroup({ ...fields, groupIndex: index + 1, groupKey: key, spatial: { ...aGroup().spatial, minSpacing: spacing } }),
        );
        const pictured = worthAPicture(asked, seen, [], capturedAt, rules);
        const groupImages = pictured.map(({ group: { groupIndex } }) => ({ groupIndex, hash: groups[groupIndex - 1]?.hash }));
        for (const [index, candidate] of pictured.entries()) {
          const taskId = taskIdOf(messageId, candidate.group.groupIndex);
          noteAsked(asked, candidate, taskId, groupImages[index]?.hash ?? null, rules);
        }
        const request = { messageId, capturedAt, trafficGroups: seen, detectedObjects: [], groupImages };
        const decisions = decide(request, memoryOf(memory, 1), { ...admissionDefaults, ...rules }, 0);
        for (const decision of decisions) {
          const { group, asked: noted } = decision;
          if (noted) learn(memory, 1, group.groupKey, noted, 10 ** 9);
          const reason = decision.outcome === "task" ? "task" : decision.reason;
          expect(reason === "task" || reason === "same_picture").toBe(pictured.some((each) => each.group === group));
          expect(reason).not.toBe("no_evidence");
          if (reason === "task" || reason === "same_picture") ends[reason]++;
        }
      }
    }),
  );
  expect(Math.min(ends.task, ends.same_picture)).toBeGreaterThan(20);
});

test("a clock that was set back by long does not keep a group waiting", () => {
  const asked: AskedGroups = new Map();
  for (const candidate of worthAPicture(asked, [aGroup()], [], 1_000_000, rules)) noteAsked(asked, candidate, "t1", null, rules);
  expect(worthAPicture(asked, [aGroup()], [], 900_000, rules)).toHaveLength(1);
});

test("remembers no group for longer than its refresh", () => {
  const asked: AskedGroups = new Map();
  for (let count = 0; count < 100; count++) {
    const [candidate] = worthAPicture(asked, [aGroup({ groupKey: `g${count}` })], [], 1_000 + count * 2_000, rules);
    if (candidate) noteAsked(asked, candidate, `t${count}`, null, rules);
  }
  expect([...asked.keys()]).toEqual(["g94", "g95", "g96", "g97", "g98", "g99"]);
});
