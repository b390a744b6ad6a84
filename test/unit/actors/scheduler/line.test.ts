import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLine, type DeskTask, type Waiting } from "../../../../actors/scheduler/line.ts";
import { type RiskLevel, riskLevels } from "../../../../protocols/ids.ts";

type Entry = Waiting<DeskTask> & { readonly name: string };
const deadlineMs = 10_000;
let order = 0;
const entry = (name: string, capturedAt: number, riskLevel: RiskLevel, more: Partial<DeskTask> = {}): Entry => {
  const deadlineAt = capturedAt + deadlineMs;
  return {
    name,
    task: { cameraId: 1, capturedAt, deadlineAt, riskLevel, ...more },
    ...{ deadlineAt, order: order++, tokens: 1, calls: 0, retries: 0, durationMs: 0, notBeforeMs: 0 },
    ...{ resolve() {}, signal: new AbortController().signal, avoid: null, lastReason: "", lastSeat: null },
  };
};
const person = { spatial: { vehicles: 1, pedestrians: 1 } };
const vehicles = { spatial: { vehicles: 2, pedestrians: 0 } };

describe("who is next", () => {
  test.each([
    ["danger before age", [entry("old", 0, "none"), entry("danger", 5_000, "high")], ["danger", "old"]],
    ["a level is two seconds of age", [entry("low", 1_900, "low"), entry("none", 0, "none")], ["low", "none"]],
    ["and no more: what has waited longer goes first", [entry("low", 2_100, "low"), entry("none", 0, "none")], ["none", "low"]],
    ["nothing waits behind danger for ever", [entry("danger", 6_100, "high"), entry("old", 0, "none")], ["old", "danger"]],
    [
      "a person beside a vehicle before vehicles",
      [entry("cars", 0, "low", vehicles), entry("person", 900, "low", person)],
      ["person", "cars"],
    ],
    [
      "but not before a higher level",
      [entry("person", 0, "low", person), entry("cars", 900, "medium", vehicles)],
      ["cars", "person"],
    ],
  ] as [string, Entry[], string[]][])("%s", (_, entries, expected) => {
    // Each camera its own, so that turns do not count.
    const line = createLine<Entry>();
    for (const [cameraId, each] of entries.entries()) line.enter({ ...each, task: { ...each.task, cameraId } });
    expect(entries.map(() => line.next(7_000, false)?.name)).toEqual(expected);
  });
});

test("without overload, whatever dangers come, one that waits is served before those that came seven seconds later and more", () => {
  const arrivals = fc.array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 400 }),
      riskLevel: fc.constantFrom(...riskLevels),
      cameraId: fc.nat(20),
    }),
    { minLength: 50, maxLength: 150 },
  );
  fc.assert(
    fc.property(arrivals, (drawn) => {
      const line = createLine<Entry>();
      const waiting = entry("patient", 0, "none", { cameraId: 99 });
      line.enter(waiting);
      let nowMs = 0;
      for (const { gapMs, riskLevel, cameraId } of drawn) {
        nowMs += gapMs;
        line.enter(entry("other", nowMs, riskLevel, { cameraId, ...person }));
        const next = line.next(nowMs, false);
        if (next?.name === "patient") return;
        expect(next?.task.capturedAt).toBeLessThanOrEqual(3 * 2_000 + 1_000);
      }
    }),
  );
});
