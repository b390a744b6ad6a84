/** One stage at a time is another program, in plain kafkajs, that knows the traffic monitor's JSON and nothing of ours. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { decode } from "@msgpack/msgpack";
import { type EachMessagePayload, Kafka, logLevel } from "kafkajs";
import { startBroker, type TestBroker } from "../support/broker.ts";
import { startVedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
}, 120_000);
afterAll(() => broker?.[Symbol.asyncDispose]());

const config = `
cameras:
  - { id: 2, name: junction, url: "sim://junction?seed=7&act=near-miss&fps=4" }
`;
/** Topics of one test, by their own names. */
const namesOf = (prefix: string) => ({
  detections: `${prefix}-detection-results`,
  tasks: `${prefix}-assessment-tasks`,
  results: `${prefix}-risk-assessment-results`,
});
const onKafka = (prefix: string, ...more: string[]) => [
  "bus=kafka",
  `kafka.bootstrapServers=${broker.address}`,
  "kafka.replication=1",
  ...["cameras", "detection-results", "assessment-tasks", "risk-assessment-results", "incidents"].map(
    (topic) => `kafka.topics.${topic}.name=${prefix}-${topic}`,
  ),
  ...more,
];

/** Reads one topic and writes what `answer` gives to another, without headers, as those programs do. */
const aProgram = async (group: string, from: string, to: string, answer: (record: Record<string, unknown>) => object[]) => {
  const kafka = new Kafka({ brokers: [broker.address], clientId: group, logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: group });
  const producer = kafka.producer();
  const read: Record<string, unknown>[] = [];
  await Promise.all([consumer.connect(), producer.connect()]);
  await consumer.subscribe({ topics: [from], fromBeginning: true });
  await consumer.run({
    async eachMessage({ message }: EachMessagePayload) {
      const record: Record<string, unknown> = JSON.parse(message.value?.toString() ?? "");
      read.push(record);
      const messages = answer(record).map((each) => ({ key: String(record.cameraId), value: JSON.stringify(each) }));
      if (messages.length > 0) await producer.send({ topic: to, messages });
    },
  });
  return {
    read,
    producer,
    async [Symbol.asyncDispose]() {
      await Promise.all([consumer.disconnect(), producer.disconnect()]);
    },
  };
};

type Group = { groupIndex: number; objectCount: number; classes: string[]; bbox: number[]; memberIndices: number[] };

/** As their task generator does: a task for each group that has a picture, with its members and nothing else of ours. */
const tasksOf = ({ messageId, cameraId, timestamp, ...frame }: Record<string, unknown>): object[] => {
  const images = frame.groupImages as { groupIndex: number; imageBase64: string }[]; // as it is written there
  const objects = frame.detectedObjects as { class: string; confidence: number; bbox: number[] }[];
  return images.map(({ groupIndex, imageBase64 }) => {
    const group = (frame.trafficGroups as Group[]).find((each) => each.groupIndex === groupIndex);
    const members = group?.memberIndices.map((index) => objects[index]) ?? objects;
    return {
      ...{ taskId: `${messageId}_group${groupIndex}`, requestId: messageId, cameraId, timestamp, groupIndex },
      ...{ groupImageBase64: imageBase64, groupImageUrl: "" },
      detectedObjects: members.map((each) => ({ class: each?.class, confidence: each?.confidence, bbox: each?.bbox, level: 0 })),
      groupMetadata: { objectCount: group?.objectCount, classes: group?.classes, bbox: group?.bbox },
      messageId: Bun.randomUUIDv7(),
    };
  });
};

/** As their scheduler does, with an answer that nobody asked a model for. */
const resultOf = ({ requestId, cameraId, timestamp, groupIndex }: Record<string, unknown>): object[] => [
  {
    ...{ requestId, cameraId, timestamp, groupIndex, messageId: Bun.randomUUIDv7() },
    results: [
      {
        ...{ groupIndex, riskLevel: "high", confidence: 0.87, riskTypes: ["near-miss"], description: "said by another program" },
        ...{ dangerObjectCount: 2, triggerObjectIds: [] },
      },
    ],
    metadata: { llmLatency: 1.2, llmModel: "qwen-vl-plus", apiKeyId: "key-001", retryCount: 0 },
  },
];

test("their task generator and their scheduler work among ours, one on each side of it", async () => {
  const names = namesOf("mixed");
  // Ours write JSON where they read; the scheduler needs no setting to read what theirs write.
  const roles = "eyes,scheduler,aggregator,edge";
  await using it = await startVedette({ config, set: onKafka("mixed", "kafka.format=json"), args: ["--roles", roles] });
  using viewer = view(it.url);
  await using generator = await aProgram("simple-task-generator", names.detections, names.tasks, tasksOf);
  const update = await viewer.message("risk_update", () => true, 60_000);
  expect(update.results[0]).toMatchObject({ status: "ok", assessedBy: "rules", groupKey: expect.stringMatching(/^group-\d+$/) });
  const frame = generator.read.find(({ messageId }) => messageId === update.messageId);
  expect(frame).toMatchObject({ cameraId: 2, frameTimestamp: update.capturedAt / 1_000 });
  expect(frame?.groupImages).toContainEqual(expect.objectContaining({ imageBase64: expect.stringMatching(/^\/9j\//) }));

  // What is no task is set aside with one reason, and what follows it is assessed.
  await generator.producer.send({ topic: names.tasks, messages: [{ key: "2", value: '{"taskId":"t1","requestId":"m1"}' }] });
  const dead = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).consumer({ groupId: "looks" });
  const letters: { readonly headers: string; readonly value: Record<string, unknown> }[] = [];
  await dead.connect();
  await dead.subscribe({ topics: [`${names.tasks}.dlq`], fromBeginning: true });
  await dead.run({
    async eachMessage({ message }) {
      const headers = String(message.headers?.["__connect.errors.exception.message"]);
      letters.push({ headers, value: decode(message.value ?? Buffer.alloc(0)) as Record<string, unknown> });
    },
  });
  await within(60_000, "a dead letter", () => letters.length > 0);
  expect(letters[0]?.headers).toBe("JSON, cameraId: Invalid input: expected number, received undefined");
  expect(letters[0]?.value).toMatchObject({ disposition: "poison", attempts: 0 });
  expect(Buffer.from(letters[0]?.value.value as Uint8Array).toString()).toBe('{"taskId":"t1","requestId":"m1"}');
  await dead.disconnect();
  await viewer.message("risk_update", ({ messageId, final }) => final && messageId !== update.messageId, 60_000);
  it.kill("SIGTERM");
  expect(await it.exited).toBe(0);
}, 240_000);

test("their scheduler assesses what our task generator asks, and both forms lie on one topic", async () => {
  const names = namesOf("theirs");
  const withTracks = ["kafka.tracksTopic=theirs-events", "cameras.preview.bus=true"];
  const [eyes, rest] = ["eyes,task-generator", "aggregator,edge"];
  await using it = await startVedette({
    config,
    set: onKafka("theirs", "kafka.format=json", ...withTracks),
    args: ["--roles", eyes],
  });
  await using board = await aProgram("realtime-analytics-dashboard", "theirs-events", "theirs-events", () => []);
  await using scheduler = await aProgram("llm-task-scheduler", names.tasks, names.results, resultOf);
  // With MessagePack as its own form it reads what comes all the same.
  await using edge = await startVedette({ config, set: onKafka("theirs"), args: ["--roles", rest] });
  using viewer = view(edge.url);
  const update = await viewer.message("risk_update", () => true, 60_000);
  expect(update).toMatchObject({ maxRiskLevel: "high", hasDangerousDriving: true, llmModel: "qwen-vl-plus", llmLatency: 1.2 });
  expect(update.results[0]).toMatchObject({
    status: "ok",
    verdict: "confirmed",
    assessedBy: "qwen-vl-plus",
    description: "said by another program",
  });
  await viewer.message("incident", ({ hazard }) => hazard === "near-miss", 60_000);
  await viewer.message("detection_result", ({ cameraId }) => cameraId === 2, 60_000);
  expect(scheduler.read[0]).toMatchObject({
    ...{ cameraId: 2, groupImageUrl: "", taskId: expect.any(String), taskIdsOfRequest: expect.any(Array) },
    groupImageBase64: expect.stringMatching(/^\/9j\//),
    groupMetadata: { objectCount: expect.any(Number), classes: expect.any(Array), bbox: expect.any(Array) },
  });
  await within(60_000, "tracks", () => board.read.length > 0);
  expect(board.read[0]).toEqual({
    ...{ stream: "junction", frame_id: 0, frame_jpeg: expect.stringMatching(/^data:image\/jpeg;base64,\/9j\//) },
    tracks: expect.any(Array),
  });
  edge.kill("SIGTERM");
  it.kill("SIGTERM");
  expect(await Promise.all([edge.exited, it.exited])).toEqual([0, 0]);
}, 240_000);
