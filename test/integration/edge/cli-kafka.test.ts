/** The commands on a real broker: topics, records, dead letters, driving, and what the doctor says. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { resultByRules } from "../../../actors/scheduler/result.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { deadLettersOf } from "../../../protocols/dead-letter.ts";
import type { DetectionResult } from "../../../protocols/detection.ts";
import { taskIdOf } from "../../../protocols/ids.ts";
import { topics } from "../../../protocols/topics.ts";
import type { Bus } from "../../../runtime/bus.ts";
import { startBroker, type TestBroker } from "../../support/broker.ts";
import { jsonLines, runCli } from "../../support/cli.ts";
import { openTestBus } from "../../support/kafka-bus.ts";
import { aTask } from "../../support/task.ts";

setDefaultTimeout(120_000);

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
}, 120_000);
afterAll(() => broker?.[Symbol.asyncDispose]());

const codec = createCodec([topics.detections, topics.tasks, topics.results].flatMap(({ messages }) => [...messages]));
const onBroker = (...more: readonly string[]): string[] => [
  "--set",
  "bus=kafka",
  "--set",
  `kafka.bootstrapServers=${broker.address}`,
  ...more,
];
const run = (command: readonly string[], ...more: readonly string[]) => runCli([...command, ...onBroker(...more)]);

type Listed = { readonly topics: { readonly name: string; readonly exists: boolean; readonly partitions: number }[] };
const listed = async (): Promise<Listed["topics"]> => {
  const { out } = await run(["topics", "list", "--json"]);
  return (jsonLines(out)[0] as unknown as Listed).topics;
};

/** Stands for the task generator and the scheduler: a task and its result for each detection result. */
const startAnswering = async (): Promise<Bus> => {
  const bus = openTestBus(broker.address);
  await bus.ensure([topics.detections, topics.tasks, topics.results]);
  await bus.follow(topics.detections.name, "end", ({ type, bytes, key, trace }) => {
    const read = codec.read(type, bytes);
    if (!read.ok) return;
    const { messageId, cameraId, capturedAt } = read.message as DetectionResult;
    const task = aTask({ taskId: taskIdOf(messageId, 1), requestId: messageId, cameraId, capturedAt });
    const result = resultByRules(task, "en", Number.NEGATIVE_INFINITY);
    void bus.append([
      { topic: topics.tasks.name, key, id: task.taskId, type: task.type, trace, bytes: codec.encode(task) },
      { topic: topics.results.name, key, id: result.messageId, type: result.type, trace, bytes: codec.encode(result) },
    ]);
  });
  return bus;
};

test("on an empty cluster everything is missing; init makes it, twice the same, and clamps the copies", async () => {
  expect((await listed()).every(({ exists }) => !exists)).toBe(true);
  const made = await run(["topics", "init"]);
  expect(made).toMatchObject({
    status: 0,
    err: expect.stringContaining("one copy a broker is the most, and the cluster has 1: cameras"),
  });
  expect(made.out.trim().split("\n")).toHaveLength(9);
  expect(made.out).toContain("detection-results is made, 16 partitions");
  const again = await run(["topics", "init"]);
  expect(again).toMatchObject({ status: 0, err: "", out: expect.stringContaining("detection-results was there, 16 partitions") });
  expect(await listed()).toContainEqual(expect.objectContaining({ name: "cameras", exists: true, partitions: 64 }));
});

test("partitions are raised with a warning, and never lowered", async () => {
  const raised = await run(["topics", "init", "--topic", "incidents", "--partitions", "18"]);
  expect(raised).toMatchObject({ status: 0, out: "incidents is raised, 18 partitions\n", err: expect.stringContaining("order") });
  const lower = await run(["topics", "init", "--topic", "incidents", "--partitions", "3"]);
  expect(lower).toMatchObject({
    status: 0,
    out: "incidents was there, 18 partitions\n",
    err: expect.stringContaining("never lowered"),
  });
  const described = await run(["topics", "describe", "--topic", "incidents"]);
  expect(described).toMatchObject({ status: 0, out: expect.stringContaining("incidents: 18 partitions, 0 records") });
});

test("what is driven is acknowledged, read and tailed; without anyone who assesses, e2e says so", async () => {
  const bootstrap = ["--kafka-bootstrap", broker.address];
  expect(await runCli(["drive", "--mode", "producer", "--count", "10", ...bootstrap])).toMatchObject({
    status: 0,
    out: "producer: 10 of 10 messages acknowledged\n",
  });
  expect(await runCli(["drive", "--mode", "consumer", "--count", "10", "--timeout", "30", ...bootstrap])).toMatchObject({
    status: 0,
    out: "consumer: 10 valid messages from detection-results\n",
  });
  const tail = await run(["tail", "--once", "--topic", "detection-results", "--json"]);
  expect(jsonLines(tail.out)).toHaveLength(10);
  const lag = await run(["topics", "lag", "--topic", "detection-results", "--json"]);
  expect(lag.err).toBe("");
  expect(jsonLines(lag.out)[0]).toMatchObject({ groups: [{ group: "simple-task-generator", lag: 10 }] });
  const alone = await runCli(["drive", "--count", "1", "--duration", "1", "--timeout", "2", ...bootstrap]);
  expect(alone).toMatchObject({ status: 1, out: expect.stringContaining("is a task generator running?") });
});

test("e2e holds when each message's task has its result", async () => {
  const bus = await startAnswering();
  try {
    const driven = await runCli(["drive", "--mode", "e2e", "--count", "7", "--kafka-bootstrap", broker.address]);
    expect(driven).toMatchObject({ status: 0, out: expect.stringMatching(/^e2e: 7 messages, 7 tasks, 7 results \(7 ok\)/) });
  } finally {
    await bus.close();
  }
});

test("dead letters are listed and put back", async () => {
  const dead = deadLettersOf(topics.tasks);
  const bus = openTestBus(broker.address);
  await bus.ensure([dead]);
  const value = new Uint8Array([0x80]);
  const letter = {
    type: "dead.letter",
    topic: topics.tasks.name,
    partition: 1,
    offset: 2,
    key: "7",
    id: "x",
    trace: "1".repeat(32),
  } as const;
  const rest = { recordType: "assessment.task", value, disposition: "poison", reason: "no good", attempts: 3 } as const;
  const bytes = createCodec(dead.messages).encode({ ...letter, ...rest });
  await bus.append([{ topic: dead.name, key: "7", id: "1/2", type: "dead.letter", trace: letter.trace, bytes }]);
  await bus.close();
  expect(await run(["dlq", "list"])).toMatchObject({ status: 0, out: expect.stringMatching(/assessment-tasks\/1@2 +poison/) });
  expect(await run(["dlq", "replay", "--id", "x"])).toMatchObject({ status: 0, out: "1 put back\n" });
  const tail = await run(["tail", "--once", "--topic", "assessment-tasks", "--json"]);
  expect(jsonLines(tail.out)).toContainEqual(expect.objectContaining({ id: "x~replay-1-2", key: "7" }));
});

test("the doctor finds the broker well, and a name that leads nowhere with its mend", async () => {
  const { out } = await runCli(["doctor", ...onBroker()]);
  expect(out).toMatch(new RegExp(`ok {4}kafka: ${broker.address} answers: cluster .* of 1 broker`));
  const port = broker.address.split(":")[1];
  const lost = await runCli(["doctor", "--set", "bus=kafka", "--set", `kafka.bootstrapServers=Kafka.invalid:${port}`]);
  expect(lost).toMatchObject({
    status: 1,
    out: expect.stringContaining(`addressMap: { "Kafka.invalid:${port}": "localhost:${port}" }`),
  });
});

test("a cluster that is away is one line, and the doctor is named", async () => {
  const away = await runCli([
    "topics",
    "list",
    "--set",
    "bus=kafka",
    "--set",
    "kafka.bootstrapServers=127.0.0.1:1",
    "--set",
    "kafka.retriesMax=0",
  ]);
  expect(away).toMatchObject({ status: 1, out: "", err: expect.stringMatching(/^vedette: .*127\.0\.0\.1:1.*doctor.*\n$/) });
});
