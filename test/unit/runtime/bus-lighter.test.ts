import { expect, test } from "bun:test";
import { createCodec } from "../../../protocols/codec.ts";
import type { DetectionResult } from "../../../protocols/detection.ts";
import type { Tagged } from "../../../protocols/message.ts";
import { topics } from "../../../protocols/topics.ts";
import type { Outgoing } from "../../../runtime/bus.ts";
import { lightened } from "../../../runtime/bus-lighter.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { aDetectionResult } from "../../support/build.ts";
import { aTask } from "../../support/task.ts";
import { thrownBy } from "../../support/thrown.ts";

const codec = createCodec([...topics.detections.messages, ...topics.tasks.messages, ...topics.results.messages]);

const open = async (wireBytes?: (record: Outgoing) => number) => {
  const bus = createMemoryBroker({ clock: systemClock, defer: setImmediate }).open();
  const all = [topics.detections, topics.tasks, topics.results];
  await bus.ensure(all);
  const omitted: string[] = [];
  const fitted = lightened(bus, {
    ...{ codec, topics: all, omitted: (topic: string) => omitted.push(topic) },
    ...(wireBytes ? { wireBytes } : {}),
  });
  /** What is on the topic after the message was appended. */
  const roundTrip = async (topic: string, message: Tagged): Promise<Tagged> => {
    const record = { topic, key: "1", id: "id", type: message.type, trace: "", bytes: codec.encode(message) };
    const [place] = await fitted.append([record]);
    const [stored] = await bus.read(topic, place?.partition ?? -1, 0, 1);
    return codec.decode(message.type, stored?.bytes ?? new Uint8Array());
  };
  return { bus, omitted, roundTrip };
};

const image = (groupIndex: number, bytes: number): DetectionResult["groupImages"][number] => ({
  groupIndex,
  objectCount: 2,
  classes: ["car"],
  image: new Uint8Array(bytes).fill(groupIndex),
});

test("the largest pictures are left out until the record fits, and the message says how many", async () => {
  const { roundTrip, omitted } = await open();
  const groupImages = [image(1, 400_000), image(2, 700_000), image(3, 100_000), image(4, 600_000)];
  const stored = (await roundTrip(topics.detections.name, aDetectionResult({ groupImages }))) as DetectionResult;
  expect(stored.groupImages.map(({ groupIndex }) => groupIndex)).toEqual([1, 3]);
  expect(stored.imagesOmitted).toBe(2);
  expect(omitted).toEqual([topics.detections.name, topics.detections.name]);
});

test("a record that fits is not touched", async () => {
  const { roundTrip, omitted } = await open();
  const given = aDetectionResult({ groupImages: [image(1, 1_000)] });
  expect(await roundTrip(topics.detections.name, given)).toEqual(given);
  expect(omitted).toEqual([]);
});

test("a task goes without its picture", async () => {
  const { roundTrip } = await open();
  const stored = await roundTrip(topics.tasks.name, aTask({ image: new Uint8Array(1_047_500) }));
  expect(stored).toMatchObject({ image: new Uint8Array(0) });
});

test("what is too large without pictures is refused as before", async () => {
  const { roundTrip } = await open();
  const huge = aTask({ groupKey: "x".repeat(1_100_000) });
  expect(await thrownBy(roundTrip(topics.tasks.name, huge))).toMatchObject({ code: "too_large" });
});

test("where a driver writes another form, it is that form's size that counts, and small records are not measured", async () => {
  const measured: number[] = [];
  const { roundTrip, omitted } = await open(({ bytes }) => {
    measured.push(bytes.length);
    return bytes.length * 2;
  });
  const groupImages = [image(1, 400_000), image(2, 300_000)];
  const stored = (await roundTrip(topics.detections.name, aDetectionResult({ groupImages }))) as DetectionResult;
  expect(stored.groupImages.map(({ groupIndex }) => groupIndex)).toEqual([2]);
  expect(omitted).toEqual([topics.detections.name]);
  measured.length = 0;
  await roundTrip(topics.detections.name, aDetectionResult({ messageId: "m2", groupImages: [image(1, 1_000)] }));
  expect(measured).toEqual([]);
});
