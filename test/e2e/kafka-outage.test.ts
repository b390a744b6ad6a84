/** A broker that is away: live detection goes on, what cameras show waits on disk, and everything follows when it is back. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createCodec } from "../../protocols/codec.ts";
import { isIncidentLevel } from "../../protocols/incident.ts";
import type { Tagged } from "../../protocols/message.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { DataOf } from "../../protocols/websocket.ts";
import type { Bus } from "../../runtime/bus.ts";
import { startBroker, type TestBroker } from "../support/broker.ts";
import { openTestBus } from "../support/kafka-bus.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette, type Vedette, type Viewer, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
  await broker.stop();
}, 120_000);
afterAll(() => broker?.[Symbol.asyncDispose]());

const cameras = [2, 3];
const config = `cameras:\n${cameras
  .map((id) => `  - { id: ${id}, name: c${id}, url: "sim://junction?seed=${id}&act=near-miss&render=0" }`)
  .join("\n")}\n`;
const start = (dataDir: string, ...set: string[]) =>
  startVedette({ config, dataDir, set: ["bus=kafka", `kafka.bootstrapServers=${broker.address}`, ...set] });
/** So short that what waited in the spool is past it. */
const shortDeadline = "tasks.deadlineMs=1500";

const detectionsOf = ({ messages }: Viewer) => messages.flatMap((each) => (each.type === "detection_result" ? [each.data] : []));
/** However late its record comes, a task is made for it. */
const isDanger = ({ maxRiskLevel }: DataOf<"detection_result">) => isIncidentLevel(maxRiskLevel);
/** Further results of each camera, from now on. */
const goesOn = async (viewer: Viewer, count: number) => {
  const from = detectionsOf(viewer).length;
  await within(60_000, `${count} further results of each camera`, () =>
    cameras.every(
      (id) =>
        detectionsOf(viewer)
          .slice(from)
          .filter(({ cameraId }) => cameraId === id).length >= count,
    ),
  );
};
const busOf = async (it: Vedette) => {
  const response = await it.get("/readyz");
  const { checks } = (await response.json()) as { checks: { bus: { status: string; detail: string } } };
  return { status: response.status, detail: checks.bus.detail };
};
const gauge = async (it: Vedette, name: RegExp): Promise<readonly number[]> =>
  [...(await (await it.get("/metrics")).text()).matchAll(name)].map(([, value]) => Number(value));
const isIdle = async (it: Vedette) =>
  (await gauge(it, /^bus_spool_records (\d+)$/gm)).every((records) => records === 0) &&
  (await gauge(it, /^kafka_consumer_lag\{.*\} (\d+)$/gm)).reduce((sum, lag) => sum + lag, 0) < 5;
const told = (it: Vedette, event: string) => it.lines.filter((line) => line.event === event);
/** Lines that warn of anything but what a machine without a model says. */
const warnings = (it: Vedette) =>
  it.lines.filter(({ level, event }) => (level === "warn" || level === "error") && event !== "model.missing");

const stored = async (bus: Bus, topic: Pick<TopicDefinition, "name">) => {
  const records = [];
  for (const { partition, oldest, next } of await bus.states(topic.name)) {
    for (let offset = oldest; offset < next; ) {
      const batch = await bus.read(topic.name, partition, offset, 1_000);
      records.push(...batch);
      offset = (batch.at(-1)?.offset ?? next) + 1;
    }
  }
  return records;
};

test("a start without the broker, a crash and another start: what was seen meanwhile reaches the topic, in order", async () => {
  await using data = await tempDir();
  const seen: string[] = [];
  {
    await using first = await start(data.path, shortDeadline);
    using viewer = view(first.url);
    expect((await first.get("/livez")).status).toBe(200);
    await viewer.message("detection_result", isDanger, 60_000);
    await goesOn(viewer, 4);
    expect(await busOf(first)).toEqual({
      status: 503,
      detail: expect.stringMatching(/^kafka at .* is away since \d{4}-.*wait in the spool$/),
    });
    // Told live before its record is on the disk: the last ones may not be.
    const [waiting = 0] = await gauge(first, /^bus_spool_records (\d+)$/gm);
    expect(waiting).toBeGreaterThan(4);
    seen.push(
      ...detectionsOf(viewer)
        .slice(0, -3 * cameras.length)
        .map(({ messageId }) => messageId),
    );
    expect(warnings(first).map(({ event }) => event)).toEqual(["bus.away"]);
    first.kill("SIGKILL");
  }
  await using it = await start(data.path, shortDeadline);
  using viewer = view(it.url);
  await broker.restart();
  await within(60_000, "the process to be ready", async () => (await busOf(it)).status === 200);
  await viewer.message("risk_update", () => true, 60_000);
  await within(60_000, "the spool to be empty", () => isIdle(it));
  expect(told(it, "bus.back")).toMatchObject([{ awayMs: expect.any(Number) }]);

  const bus = openTestBus(broker.address);
  await bus.ensure([topics.detections, topics.tasks, topics.results]);
  const codec = createCodec([topics.detections, topics.tasks, topics.results].flatMap(({ messages }) => messages));
  const messagesOf = async <M extends Tagged>(topic: TopicDefinition<M>) =>
    (await stored(bus, topic)).map(({ type, bytes }) => codec.decode(type, bytes) as M); // the topic carries no other
  const results = await messagesOf(topics.detections);
  const ofSeen = <M extends { readonly requestId: string }>(messages: readonly M[]) =>
    messages.filter(({ requestId }) => seen.includes(requestId));
  const tasks = ofSeen(await messagesOf(topics.tasks)).map(({ taskId }) => taskId);
  expect(tasks.length).toBeGreaterThan(0);
  const outcomes = await within(60_000, "a result of each task", async () => {
    const found = ofSeen(await messagesOf(topics.results));
    return found.length >= tasks.length && found;
  });
  expect(outcomes.map(({ taskId }) => taskId).toSorted()).toEqual(tasks.toSorted());
  expect(outcomes.map(({ results: [verdict] }) => verdict?.status)).toContain("expired");
  await bus.close();
  const ids = results.map(({ messageId }) => messageId);
  expect(seen.filter((id) => !ids.includes(id))).toEqual([]);
  for (const camera of cameras) {
    const times = results.filter(({ cameraId }) => cameraId === camera).map(({ capturedAt }) => capturedAt);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
  }
  it.kill("SIGTERM");
  expect(await it.exited).toBe(0);
}, 240_000);

test("the broker goes and comes back: live goes on, one warning, nothing is lost, verdicts follow", async () => {
  await using data = await tempDir();
  await using it = await start(data.path);
  using viewer = view(it.url);
  await viewer.message("risk_update", () => true, 60_000);
  await broker.kill();
  await within(60_000, "the outage to be noticed", async () => (await busOf(it)).status === 503);
  await goesOn(viewer, 6);
  const seen = detectionsOf(viewer).map(({ messageId }) => messageId);
  await broker.restart();
  await within(60_000, "the process to be ready", async () => (await busOf(it)).status === 200);
  const before = viewer.messages.length;
  await within(60_000, "a later verdict", () => viewer.messages.slice(before).some(({ type }) => type === "risk_update"));
  await within(60_000, "everything to be caught up", () => isIdle(it));
  expect(told(it, "bus.away")).toHaveLength(1);
  expect(told(it, "bus.back")).toHaveLength(1);

  const bus = openTestBus(broker.address);
  await bus.ensure([topics.detections]);
  const ids = new Set((await stored(bus, topics.detections)).map(({ id }) => id));
  await bus.close();
  expect(seen.filter((id) => !ids.has(id))).toEqual([]);
  expect(await gauge(it, /^dropped_total\{actor="spool".*\} (\d+)$/gm)).toEqual([]);
}, 240_000);
