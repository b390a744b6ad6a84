import { expect, test } from "bun:test";
import { createRemoteEyes } from "../../../../edge/live/remote.ts";
import type { CameraStatus } from "../../../../protocols/camera.ts";
import { createCodec } from "../../../../protocols/codec.ts";
import type { DetectionResult, LiveDetection } from "../../../../protocols/detection.ts";
import { topics } from "../../../../protocols/topics.ts";
import { createMemoryBroker } from "../../../../runtime/bus-memory.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { createMetrics } from "../../../../runtime/metrics.ts";
import { aDetectionResult } from "../../../support/build.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const codec = createCodec(topics.detections.messages);

const setUp = async (isHere: (id: number) => boolean = () => false) => {
  const clock = virtualClock();
  const bus = createMemoryBroker({ clock, defer: (run) => queueMicrotask(run) }).open();
  await bus.ensure([topics.detections]);
  const seen: LiveDetection[] = [];
  const statuses: CameraStatus[] = [];
  const frames: number[] = [];
  const remote = createRemoteEyes({
    ...{ bus, clock, log: silentLog, metrics: createMetrics(), isHere },
    hub: { detection: (detection) => void seen.push(detection), status: (status) => void statuses.push(status) },
    cameras: { noteFrame: (id) => void frames.push(id), noteStatus() {} },
    staleMs: 5_000,
  });
  const starting = remote.start();
  await clock.advance(0);
  await starting;
  let made = 0;
  const append = async (fields: Partial<DetectionResult>) => {
    const result = aDetectionResult({ messageId: `m${++made}`, ...fields });
    const { cameraId, messageId: id, type } = result;
    await bus.append([
      { topic: topics.detections.name, key: String(cameraId), id, type, trace: "", bytes: codec.encode(result) },
    ]);
    await clock.advance(0);
  };
  const states = () => statuses.map(({ cameraId, state, status }) => `${cameraId} ${state} ${status}`);
  return { clock, remote, seen, states, statuses, frames, append };
};

test("what others see reaches viewers as if it were seen here, without its pictures", async () => {
  const { append, seen, states, frames, remote } = await setUp();
  await append({ cameraId: 4 });
  await append({ cameraId: 4 });
  expect(seen.map(({ type, messageId }) => `${type} ${messageId}`)).toEqual(["detection_result m1", "detection_result m2"]);
  for (const field of ["groupImages", "ownerEpoch", "seq", "traceId", "schemaVersion"]) expect(seen[0]).not.toHaveProperty(field);
  expect(states()).toEqual(["4 online 1"]);
  expect(frames).toEqual([4, 4]);
  await remote.stop();
});

test("a camera that is not heard of is stale since its last frame, once, and online when it is heard again", async () => {
  const { clock, append, states, statuses } = await setUp();
  await append({ cameraId: 4, capturedAt: 1_700_000_000_000 });
  await clock.advance(20_000);
  expect(states()).toEqual(["4 online 1", "4 stale 0"]);
  expect(statuses[1]?.message).toBe("Stale since 2023-11-14T22:13:20.000Z");
  await append({ cameraId: 4 });
  expect(states().at(-1)).toBe("4 online 1");
});

test("what is watched here is left to its own way", async () => {
  const { append, seen, states } = await setUp((id) => id === 4);
  await append({ cameraId: 4 });
  await append({ cameraId: 5 });
  expect(seen.map(({ cameraId }) => cameraId)).toEqual([5]);
  expect(states()).toEqual(["5 online 1"]);
});

test("an earlier owner is passed over while the later one is heard, and heard again when that one is silent", async () => {
  const { clock, append, seen } = await setUp();
  await append({ ownerEpoch: 10 });
  await append({ ownerEpoch: 9 });
  expect(seen.map(({ messageId }) => messageId)).toEqual(["m1"]);
  await clock.advance(11_000);
  await append({ ownerEpoch: 9 });
  expect(seen.map(({ messageId }) => messageId)).toEqual(["m1", "m3"]);
});
