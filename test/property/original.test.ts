/** JSON from other programs: whatever comes, it is read as a message that our schema takes, or refused with one short reason. */
import { describe, expect, test } from "bun:test";
import { originalForm } from "../../edge/storage/original.ts";
import { messageFormOf } from "../../protocols/codec/form.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import { resultIdOf } from "../../protocols/ids.ts";
import type { Tagged } from "../../protocols/message.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import { topics } from "../../protocols/topics.ts";
import type { AssessmentResult } from "../../protocols/verdict.ts";
import { seededRandom } from "../../runtime/random.ts";
import { mutate, perturb } from "../../tools/fuzz-codec/mutate.ts";
import { messageSample, texts } from "../../tools/fuzz-codec/sample.ts";
import detection from "../fixtures/seed/kafka-detection.json" with { type: "json" };
import result from "../fixtures/seed/kafka-result.json" with { type: "json" };
import failed from "../fixtures/seed/kafka-result-failed.json" with { type: "json" };
import task from "../fixtures/seed/kafka-task.json" with { type: "json" };
import { runs } from "../support/runs.ts";

const form = originalForm({ deadlineMs: 10_000 });
const cases = [
  [topics.detections, [detection]],
  [topics.tasks, [task]],
  [topics.results, [result, failed]],
] as const;
const codec = createCodec(cases.flatMap(([{ messages }]) => messages));
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, each) => (typeof each === "bigint" ? Number(each) : each)) ?? "";

/** What the schema leaves open and the pipeline does not: ids that follow from one another, members that exist, no empty lists. */
const asMade = (message: Tagged): DetectionResult | AssessmentTask | AssessmentResult => {
  if (message.type === "detection.result") {
    const found = message as DetectionResult; // by its type
    const isThere = (index: number) => found.detectedObjects[index] !== undefined;
    const trafficGroups = found.trafficGroups.map((group) => ({ ...group, memberIndices: group.memberIndices.filter(isThere) }));
    return { ...found, trafficGroups, groupImages: found.groupImages.filter(({ image }) => image.length > 0) };
  }
  if (message.type === "assessment.task") {
    const found = message as AssessmentTask; // by its type
    return { ...found, groupMetadata: { ...found.groupMetadata, classes: ["car"] } };
  }
  const found = message as AssessmentResult; // the third of them
  const { taskId, groupIndex } = found;
  const results = found.results.map(({ riskLevel, triggerObjectIds, ...verdict }) => ({
    ...{ ...verdict, riskLevel, taskId, groupIndex },
    // Nothing and an empty list are one there.
    ...(riskLevel === null && triggerObjectIds === undefined ? {} : { triggerObjectIds: triggerObjectIds ?? [] }),
  }));
  const { error, evidence, ...rest } = found;
  return {
    ...rest,
    messageId: resultIdOf(taskId),
    results,
    ...(error ? { error } : {}),
    ...(evidence?.length ? { evidence } : {}),
  };
};

describe.each(cases.map(([topic, samples]) => [topic.name, topic, samples] as const))("%s", (name, topic, samples) => {
  const [definition] = topic.messages;
  if (definition === undefined) throw new Error("a topic carries messages");

  const judge = (bytes: Uint8Array): boolean => {
    const read = form.read(name, bytes, 1_800_000_000_000);
    if ("unreadable" in read) {
      expect(read.unreadable).toMatch(/^(not JSON: |JSON, ).{1,300}$/s);
      return false;
    }
    expect(codec.read(definition.type, read.bytes).ok).toBe(true);
    expect(read.id).not.toBe("");
    return true;
  };

  test("their records with things changed, and harmed bytes", () => {
    const random = seededRandom(11);
    let taken = 0;
    const tries = runs(4_000);
    for (let run = 0; run < tries; run++) {
      const sample = samples[run % samples.length];
      const changed = run % 3 === 0 ? perturb(perturb(sample, random), random) : perturb(sample, random);
      const bytes = new TextEncoder().encode(textOf(changed));
      if (judge(run % 4 === 0 ? mutate(bytes, random) : bytes)) taken++;
    }
    // Neither is all refused nor all taken.
    expect(taken).toBeGreaterThan(tries / 20);
    expect(taken).toBeLessThan(tries);
  }, 60_000);

  test("whatever of ours is written is read as itself", () => {
    const random = seededRandom(12);
    const body = messageFormOf(definition);
    if (body === null) throw new Error("a declared message has a form");
    for (let run = 0; run < runs(300); run++) {
      const message = asMade(messageSample(body, random, texts));
      const written = form.write(name, definition.type, codec.encode(message));
      if (written === null) throw new Error("a message of the topic has such a form");
      const read = form.read(name, written, 0);
      if (!("bytes" in read)) throw new Error(`${read.unreadable}: ${new TextDecoder().decode(written).slice(0, 2_000)}`);
      const { type: _, ...fields } = codec.decode(definition.type, codec.encode(message));
      expect(codec.decode(definition.type, read.bytes)).toEqual({ ...fields, type: definition.type });
    }
  });
});

test.each([
  ["lists in lists", "[".repeat(500_000)],
  ["objects in objects", '{"a":'.repeat(200_000)],
  ["a name of the prototype", '{"__proto__":{"cameraId":1},"constructor":1}'],
  ["text that is no UTF-8", new Uint8Array([0x7b, 0xff, 0xfe])],
  ["nothing", ""],
])("%s are refused", (_what, value) => {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  expect(form.read(topics.tasks.name, bytes, 0)).toEqual({ unreadable: expect.any(String) });
});
