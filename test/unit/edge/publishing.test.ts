import { expect, test } from "bun:test";
import { startPublishing } from "../../../edge/publishing.ts";
import { createCodec } from "../../../protocols/codec.ts";
import type { DetectionResult } from "../../../protocols/detection.ts";
import { topics } from "../../../protocols/topics.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { Fault } from "../../../runtime/errors.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { aDetectionResult } from "../../support/build.ts";
import { aRiskUpdate, asOutgoing } from "../../support/edge.ts";
import { settlePromises, virtualClock } from "../../support/virtual-clock.ts";

const codec = createCodec([...topics.detections.messages, ...topics.incidents.messages]);
const outgoing = (result: DetectionResult) => ({
  topic: topics.detections.name,
  key: String(result.cameraId),
  id: result.messageId,
  type: result.type,
  trace: result.traceId,
  bytes: codec.encode(result),
});

const setUp = async () => {
  const clock = virtualClock();
  const broker = createMemoryBroker({ clock, defer: (run) => queueMicrotask(run) });
  const bus = broker.open();
  await bus.ensure([topics.detections, topics.incidents]);
  const metrics = createMetrics();
  const told: string[] = [];
  let publish = async (id: string): Promise<void> => void told.push(id);
  const start = () =>
    startPublishing({
      bus: broker.open(),
      codec,
      clock,
      metrics,
      publications: { detection: ({ messageId }) => publish(messageId), update: ({ id }) => publish(id) },
    });
  const dropped = async () =>
    (await metrics.dropped.get()).values.map(({ labels, value }) => `${labels.type} ${labels.reason} ${value}`);
  return { clock, bus, told, start, dropped, publishWith: (next: typeof publish) => (publish = next) };
};

test("frames and verdicts are published once, also by the next process", async () => {
  const { clock, bus, told, start } = await setUp();
  const stop = await start();
  await bus.append([outgoing(aDetectionResult({ messageId: "m1" })), outgoing(aDetectionResult({ messageId: "m2" }))]);
  const update = aRiskUpdate(1);
  await bus.append([asOutgoing(update)]);
  await clock.advance(1_000);
  expect(told.toSorted()).toEqual([update.id, "m1", "m2"].toSorted());
  await stop();
  const stopNext = await start();
  await bus.append([outgoing(aDetectionResult({ messageId: "m3" }))]);
  await clock.advance(1_000);
  expect(told.slice(3)).toEqual(["m3"]);
  await stopNext();
});

test("two processes share the work", async () => {
  const { clock, bus, told, start } = await setUp();
  const stops = [await start(), await start()];
  const ids = Array.from({ length: 40 }, (_, index) => `m${index}`);
  await bus.append(ids.map((messageId, cameraId) => outgoing(aDetectionResult({ messageId, cameraId }))));
  await clock.advance(1_000);
  expect(told.toSorted()).toEqual(ids.toSorted());
  await Promise.all(stops.map((stop) => stop()));
});

test("what Redis did not take, and what is older than it would keep, is let go and counted", async () => {
  const { clock, bus, told, start, dropped, publishWith } = await setUp();
  await bus.append([outgoing(aDetectionResult({ messageId: "old" }))]);
  await clock.advance(301_000);
  publishWith(async (id) => {
    if (id === "m1") throw new Fault("unavailable", "away");
    told.push(id);
  });
  const stop = await start();
  await bus.append([outgoing(aDetectionResult({ messageId: "m1" })), outgoing(aDetectionResult({ messageId: "m2" }))]);
  await clock.advance(1_000);
  expect(told).toEqual(["m2"]);
  expect((await dropped()).toSorted()).toEqual(["detection.result store_away 1", "detection.result too_old 1"]);
  await stop();
});

test("a slow Redis holds its partition back, in order, and loses nothing", async () => {
  const { clock, bus, told, start, publishWith } = await setUp();
  let release: (() => void)[] = [];
  publishWith(async (id) => {
    await new Promise<void>((resolve) => release.push(resolve));
    told.push(id);
  });
  const stop = await start();
  const ids = Array.from({ length: 1_500 }, (_, index) => `m${index}`);
  await bus.append(ids.map((messageId) => outgoing(aDetectionResult({ messageId }))));
  for (let round = 0; round < 5_000 && told.length < ids.length; round++) {
    await settlePromises();
    const due = release;
    release = [];
    expect(due.length).toBeLessThanOrEqual(1);
    for (const each of due) each();
    if (due.length === 0) await clock.advance(1);
  }
  expect(told).toEqual(ids);
  await stop();
});
