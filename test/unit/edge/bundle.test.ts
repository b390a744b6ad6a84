import { describe, expect, test } from "bun:test";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { verifyBundle } from "../../../edge/bundle/verify.ts";
import { bundleOf, sha256 } from "../../../edge/bundle.ts";
import { createCodec } from "../../../protocols/codec.ts";
import type { Incident } from "../../../protocols/incident.ts";
import type { Tagged } from "../../../protocols/message.ts";
import type { TopicDefinition } from "../../../protocols/topic.ts";
import { topics } from "../../../protocols/topics.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { aDetectionResult, aResult, aVerdict } from "../../support/build.ts";
import { aTask } from "../../support/task.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const cameraId = 7;
const picture = new Uint8Array([0xff, 0xd8, 1, 2, 3, 0xff, 0xd9]);
const evidenceId = `${cameraId}-${sha256(picture)}`;
const lostId = `${cameraId}-${"0".repeat(64)}`;

const setUp = async () => {
  const clock = virtualClock();
  const bus = createMemoryBroker({ clock, defer: queueMicrotask }).open();
  const all: readonly TopicDefinition<never>[] = [topics.detections, topics.tasks, topics.results, topics.incidents];
  await bus.ensure(all);
  const codec = createCodec(all.flatMap(({ messages }) => messages));
  const append = <M extends Tagged>(topic: TopicDefinition<M>, id: string, message: M) =>
    bus.append([{ topic: topic.name, key: String(cameraId), id, type: message.type, trace: "", bytes: codec.encode(message) }]);
  const openedAt = clock.nowMs();
  const incident: Incident = {
    ...{ type: "incident", id: "a".repeat(32), revision: 3, phase: "end", cameraId, groupKey: "g1", hazard: "near-miss" },
    ...{ level: "high", openedAt, updatedAt: openedAt + 1_000, endedAt: openedAt + 1_000, messageIds: ["m1", "m2"] },
    ...{ verdicts: [aVerdict()], evidenceIds: [evidenceId, lostId] },
  };
  for (const messageId of ["m1", "m2", "other"]) {
    await append(topics.detections, messageId, aDetectionResult({ messageId, cameraId }));
    const task = aTask({ taskId: `${messageId}_group1`, requestId: messageId, cameraId });
    await append(topics.results, `${messageId}_group1_result`, aResult(task));
  }
  await append(topics.incidents, `${incident.id}@1`, { ...incident, revision: 1, phase: "new" });
  const evidence = { read: async (id: string) => (id === evidenceId ? picture : null) };
  return {
    incident,
    bus,
    bundle: (from = bus) => bundleOf({ bus: from, evidence, version: "1.2.3" }, incident, openedAt + 9_000),
  };
};

test("holds the incident, its pictures and what the topics still know of it", async () => {
  const { bundle, incident } = await setUp();
  const archive = await bundle();
  const files = unzipSync(archive);
  expect(Object.keys(files).toSorted()).toEqual([
    `evidence/${evidenceId}.jpg`,
    "incident.json",
    "manifest.json",
    "records.jsonl",
  ]);
  expect(files[`evidence/${evidenceId}.jpg`]).toEqual(picture);
  const { type: _, ...told } = incident;
  expect(JSON.parse(strFromU8(files["incident.json"] ?? picture))).toEqual(told);
  const records = strFromU8(files["records.jsonl"] ?? picture)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records.map(({ topic, id }) => `${topic} ${id}`)).toEqual([
    "detection-results m1",
    "detection-results m2",
    "risk-assessment-results m1_group1_result",
    "risk-assessment-results m2_group1_result",
    `incidents ${incident.id}@1`,
  ]);
  // A picture within a record stands there by its hash.
  expect(records[0].message.groupImages[0].image).toEqual({ bytes: 3, sha256: sha256(new Uint8Array([255, 216, 255])) });

  const { problems, manifest } = verifyBundle(archive);
  expect(problems).toEqual([]);
  expect(manifest).toMatchObject({ incident: incident.id, madeBy: "vedette 1.2.3" });
  expect(manifest?.missing).toEqual([
    `evidence/${lostId}.jpg: the picture is no longer kept`,
    "assessment-tasks: nothing about it is kept any more",
  ]);
});

test("with the log away the pictures and the incident are there, and what is missing is said", async () => {
  const { bundle, bus } = await setUp();
  const { problems, manifest } = verifyBundle(await bundle({ ...bus, states: () => Promise.reject(new Error("away")) }));
  expect(problems).toEqual([]);
  expect(manifest?.missing).toContain("detection-results: the log does not answer");
});

describe("what was changed is found", () => {
  type Files = Record<string, Uint8Array>;
  const text = (files: Files, path: string, change: (text: string) => string): Files => ({
    ...files,
    [path]: strToU8(change(strFromU8(files[path] ?? picture))),
  });
  const image = `evidence/${evidenceId}.jpg`;
  const other = new Uint8Array([...picture.slice(0, -1), 9]);
  test.each<[string, (files: Files) => Files, string]>([
    ["a level", (files) => text(files, "incident.json", (json) => json.replace('"high"', '"none"')), "incident.json was changed"],
    ["its length", (files) => text(files, "records.jsonl", (json) => `${json} `), "the manifest says"],
    ["a picture", (files) => ({ ...files, [image]: other }), `${image} was changed`],
    [
      "a picture and the manifest",
      (files) =>
        text({ ...files, [image]: other }, "manifest.json", (json) =>
          json.replaceAll(`"${sha256(picture)}"`, `"${sha256(other)}"`),
        ),
      "is not the picture that the incident names",
    ],
    ["a file more", (files) => ({ ...files, "more.txt": picture }), "more.txt is not in the manifest"],
    ["a file less", ({ "records.jsonl": _, ...files }) => files, "records.jsonl is missing"],
    ["no manifest", ({ "manifest.json": _, ...files }) => files, "manifest.json is missing"],
    ["a manifest of nothing", (files) => text(files, "manifest.json", () => "{}"), "manifest.json does not read"],
    [
      "a path that leads out",
      (files) => text(files, "manifest.json", (json) => json.replace('"records.jsonl"', '"../x"')),
      "does not read",
    ],
    [
      "a name of the language itself",
      (files) => text(files, "manifest.json", (json) => json.replace('"records.jsonl"', '"__proto__"')),
      "__proto__ is missing",
    ],
  ])("%s", async (_, change, says) => {
    const { bundle } = await setUp();
    const { problems } = verifyBundle(zipSync(change(unzipSync(await bundle()))));
    expect(problems.join("\n")).toContain(says);
  });

  test.each([
    ["no archive", new Uint8Array([1, 2, 3])],
    ["nothing", new Uint8Array()],
    ["an archive that unfolds without end", zipSync({ a: new Uint8Array(80 * 2 ** 20) })],
  ])("%s", (_, archive) => {
    expect(verifyBundle(archive).problems[0]).toContain("no archive that can be read");
  });
});
