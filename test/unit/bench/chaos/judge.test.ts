/** The judge of the kill matrix finds each fault that is planted in a sound round, and names it. */
import { expect, test } from "bun:test";
import { type Evidence, judge } from "../../../../bench/chaos/judge.ts";
import type { Copies, GroupSeen, Segment } from "../../../../bench/chaos/segment.ts";

const copies = (place: string, ...more: string[]): Copies => ({
  places: [place, ...more],
  hashes: new Set(["a"]),
  firstAtMs: 5_000,
});
const group = (messageId: string, fields: Partial<GroupSeen> = {}): GroupSeen => ({
  ...{ messageId, cameraId: 1, groupKey: "1-2", capturedAt: 1_000, riskLevel: "low", refusal: null, hasPicture: true },
  ...fields,
});
const task = { cameraId: 1, groupKey: "1-2", capturedAt: 1_000, riskLevel: "low" } as const;
const told = {
  messageId: "m1",
  revision: 1,
  final: true,
  complete: true,
  taskIdsOfRequest: ["m1_group1"],
  taskIds: ["m1_group1"],
};
const updateId = "m1_group1_update";

/** One record with a group that was shown, and one whose group was refused for its cooldown. */
const sound: { readonly segment: Segment; readonly rest: Omit<Evidence, "segment"> } = {
  segment: {
    detections: new Map([
      ["m1", copies("detection-results/0@0")],
      ["m2", copies("detection-results/0@1")],
    ]),
    groups: new Map([
      ["m1_group1", group("m1")],
      ["m2_group1", group("m2", { capturedAt: 2_000, hasPicture: true })],
    ]),
    tasks: new Map([["m1_group1", { ...copies("assessment-tasks/0@0"), ...task }]]),
    results: new Map([["m1_group1", { ...copies("risk-assessment-results/0@0", "risk-assessment-results/0@1"), status: "ok" }]]),
    updates: new Map([[updateId, { ...copies("incidents/0@0"), ...told }]]),
    incidents: new Map([["i1@1", copies("incidents/0@1")]]),
    dead: [],
    unreadable: [],
    refused: new Map([["m2_group1", "cooldown"]]),
  },
  rest: {
    earlierTasks: new Map(),
    shownUpdates: new Map([[updateId, { taskIds: ["m1_group1"] }]]),
    shownIncidents: new Set(["i1@1"]),
    shownTwice: [],
    calls: new Map([["m1_group1", [{ taskId: "m1_group1", arrivedAtMs: 3_000, endedAtMs: 4_000, outcome: "answered" }]]]),
    commands: new Map(),
    absences: [],
    cooldownMs: 3_000,
  },
};
const judged = (segment: Partial<Segment> = {}, rest: Partial<Evidence> = {}) =>
  judge({ ...sound.rest, segment: { ...sound.segment, ...segment }, ...rest });
const without = <T>(map: ReadonlyMap<string, T>, id: string) => new Map([...map].filter(([key]) => key !== id));
const differing: Copies = { ...copies("x/0@7", "x/0@8"), hashes: new Set(["a", "b"]) };

test("a sound round has no finding, and its copies are counted", () => {
  const { findings, ...counts } = judged();
  expect(findings).toEqual([]);
  expect(counts).toMatchObject({
    records: 2,
    groups: 2,
    admitted: 1,
    shown: 1,
    refused: 1,
    refusedUnkept: 0,
    dead: 0,
    copies: 1,
  });
});

const none = new Map<string, never>();
test.each<[string, Partial<Segment>, Partial<Evidence>, string, string]>([
  ["a task without a result or an update", { results: none, updates: none }, { shownUpdates: none }, "lost", "m1_group1"],
  ["an update that the client was not shown", {}, { shownUpdates: none }, "lost", updateId],
  ["an incident that the client was not shown", {}, { shownIncidents: new Set() }, "lost", "i1@1"],
  ["an id that the client was shown twice", {}, { shownTwice: [updateId] }, "twice", updateId],
  ["a group with a task that was refused as well", { refused: new Map([["m1_group1", "cooldown"]]) }, {}, "twice", "m1_group1"],
  ["a result that nobody asked for", { tasks: none, refused: new Map([["m2_group1", "cooldown"]]) }, {}, "twice", "m1_group1"],
  ["a record that cannot be read", { unreadable: [{ place: "incidents/1@3", says: "" }] }, {}, "unreadable", "incidents/1@3"],
  ["results that differ", { results: new Map([["m1_group1", { ...differing, status: "ok" }]]) }, {}, "differs", "m1_group1"],
  ["incidents that differ", { incidents: new Map([["i1@1", differing]]) }, {}, "differs", "i1@1"],
  [
    "a revision number that was used twice",
    { updates: new Map([...sound.segment.updates, ["m1_final", { ...copies("incidents/0@5"), ...told }]]) },
    { shownUpdates: new Map([...sound.rest.shownUpdates, ["m1_final", { taskIds: [] }]]) },
    "twice",
    "m1",
  ],
])("finds %s", (_what, segment, rest, kind, id) => {
  const { findings } = judged(segment, rest);
  expect(findings.map((finding) => `${finding.kind} ${finding.id}`)).toContain(`${kind} ${id}`);
});

test("a finding says where the group was last seen", () => {
  const [finding] = judged({ results: none, updates: none }, { shownUpdates: none }).findings;
  expect(finding?.says).toContain("record detection-results/0@0");
  expect(finding?.says).toContain("task assessment-tasks/0@0");
  expect(finding?.says).toContain("calls answered");
  expect(finding?.says).toContain("result none");
});

test("a refusal that the store has lost follows from the topics, or the group is lost", () => {
  expect(judged({ refused: new Map() })).toMatchObject({ findings: [], refusedUnkept: 1 });
  const late = new Map([...sound.segment.groups, ["m2_group1", group("m2", { capturedAt: 9_000 })]]);
  expect(judged({ refused: new Map(), groups: late }).findings.map(({ id }) => id)).toEqual(["m2_group1"]);
});

test("a record that was set aside with a reason is an end", () => {
  const dead = [{ topic: "assessment-tasks", id: "m1_group1", disposition: "exhausted", reason: "three tries" }];
  expect(judged({ results: none, updates: none, dead }, { shownUpdates: none }).findings).toEqual([]);
  expect(
    judged({ updates: without(sound.segment.updates, updateId) }, { shownUpdates: none }).findings.map(({ id }) => id),
  ).toEqual(["m1_group1"]);
});
