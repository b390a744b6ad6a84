import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLine, type DeskTask, passedMax, type Waiting } from "../../../../actors/scheduler/line.ts";
import { type RiskLevel, riskLevels, riskRank } from "../../../../protocols/ids.ts";

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

describe("dangers without end", () => {
  const levels = [...riskLevels].reverse();
  const arrivals = fc.array(
    fc.record({
      gapMs: fc.constantFrom(0, 0, 0, 20, 300),
      came: fc.array(fc.record({ riskLevel: fc.constantFrom(...riskLevels, "high", "high"), cameraId: fc.nat(5) }), {
        maxLength: 4,
      }),
      outcome: fc.constantFrom("called", "called", "called", "undone", "left"),
    }),
    { minLength: 100, maxLength: 400 },
  );

  test("a level of which one may go has a call after at most 22 of higher levels, fresh or late, whatever comes and leaves", () => {
    fc.assert(
      fc.property(arrivals, fc.boolean(), (steps, newestFirst) => {
        const line = createLine<Entry>();
        const passedBy = new Map<RiskLevel, number>(riskLevels.map((level) => [level, 0]));
        let nowMs = 0;
        for (const { gapMs, came, outcome } of steps) {
          nowMs += gapMs;
          for (const { riskLevel, cameraId } of came) line.enter(entry("one", nowMs, riskLevel, { cameraId }));
          const waiting = new Set([...line.all()].map(({ task }) => task.riskLevel));
          const next = line.next(nowMs, newestFirst);
          expect(next === null).toBe(waiting.size === 0);
          if (!next) continue;
          if (outcome === "undone") {
            line.undo(next);
            continue;
          }
          for (const level of waiting) {
            const isHigher = riskRank(next.task.riskLevel) > riskRank(level);
            if (isHigher) passedBy.set(level, (passedBy.get(level) ?? 0) + 1);
            expect(passedBy.get(level)).toBeLessThanOrEqual(passedMax + 2);
          }
          passedBy.set(next.task.riskLevel, 0);
          const [first] = line.all();
          if (outcome === "left" && first) line.leave(first);
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ["dangers and all else", ["high", "medium", "low", "none"], 21 / 23],
    ["the highest and the harmless", ["high", "low", "none"], 20 / 22],
    ["dangers of the lesser kind", ["medium", "none"], 20 / 21],
  ] as [string, RiskLevel[], number][])(
    "%s without end: dangers have their nine of ten calls, and no level has none",
    (_, kinds, share) => {
      const line = createLine<Entry>();
      const calls = new Map<RiskLevel, number>();
      const made = 460;
      for (let call = 0; call < made; call++) {
        for (const level of kinds)
          for (let count = 0; count < 2; count++) line.enter(entry("one", call * 50, level, { cameraId: call % 7 }));
        const level = line.next(call * 50, true)?.task.riskLevel ?? "none";
        calls.set(level, (calls.get(level) ?? 0) + 1);
      }
      expect(((calls.get("high") ?? 0) + (calls.get("medium") ?? 0)) / made).toBeCloseTo(share, 2);
      for (const level of levels.filter((each) => kinds.includes(each)))
        expect((calls.get(level) ?? 0) / made).toBeGreaterThanOrEqual(1 / 24);
    },
  );

  test("a level is owed one call at most, however long none of it could have it", () => {
    const line = createLine<Entry>();
    line.enter(entry("late", 0, "none", {}));
    const [late] = line.all();
    if (!late) throw new Error("one waits");
    const names: (string | undefined)[] = [];
    const step = (call: number) => {
      line.enter(entry("danger", 10_000 + call, "high"));
      names.push(line.next(10_000 + call, true)?.name);
    };
    for (let call = 0; call < passedMax; call++) step(call);
    line.leave(late);
    for (let call = 0; call < 100; call++) step(call);
    for (let count = 0; count < 3; count++) line.enter(entry("harmless", 10_100, "none", {}));
    for (let call = 0; call < 2; call++) step(200 + call);
    expect(names.slice(-2)).toEqual(["harmless", "danger"]);
    expect(names.filter((name) => name !== "danger")).toEqual(["harmless"]);
  });
});
