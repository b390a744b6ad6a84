/** The whole pipeline over a real broker, as a process. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../runtime/clock.ts";
import { startBroker, type TestBroker } from "../support/broker.ts";
import { openings, runProgram, runVedette, startVedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
}, 120_000);
afterAll(() => broker?.[Symbol.asyncDispose]());

const config = `
cameras:
  - { id: 2, name: junction, url: "sim://junction?seed=7&act=near-miss" }
`;
const onKafka = () => ["bus=kafka", `kafka.bootstrapServers=${broker.address}`];

test("verdicts come over the broker's topics, an ordered end commits, and the next process goes on", async () => {
  {
    await using it = await startVedette({ config, set: onKafka() });
    using viewer = view(it.url);
    const update = await viewer.message("risk_update", () => true, 60_000);
    expect(update.results[0]).toMatchObject({ status: "ok", assessedBy: "rules" });
    expect(await (await it.get("/readyz")).json()).toMatchObject({ checks: { bus: { status: "up" } } });
    it.kill("SIGTERM");
    expect(await it.exited).toBe(0);
  }
  // Without cameras: what lies on the topics is seen by a process that did not write it, and nothing is left to do.
  await using it = await startVedette({ config: "cameras: []", set: onKafka() });
  using viewer = view(it.url);
  await viewer.message("connection_ack");
  await within(60_000, "all records to be settled", async () => {
    const text = await (await it.get("/metrics")).text();
    const lags = [...text.matchAll(/^kafka_consumer_lag\{.*\} (\d+)$/gm)].map(([, lag]) => Number(lag));
    return lags.length >= 48 && lags.every((lag) => lag === 0);
  });
  it.kill("SIGTERM"); // in order: a member that vanished would keep its partitions for the session's 30 s
  await it.exited;
}, 180_000);

test("topics that are missing and may not be made are named in one line, waited for, and used when they appear", async () => {
  const names = ["cameras", "detection-results", "assessment-tasks", "risk-assessment-results", "incidents"];
  const set = [...onKafka(), ...names.map((name) => `kafka.topics.${name}.name=later-${name}`)];
  await using it = await startVedette({ config, set: [...set, "kafka.createTopics=false"] });
  using viewer = view(it.url);
  await viewer.message("detection_result");
  const { checks } = (await (await it.get("/readyz")).json()) as { checks: { bus: { status: string; detail: string } } };
  expect(checks.bus).toMatchObject({ status: "down", detail: expect.stringContaining("later-incidents") });
  const told = it.lines
    .filter(({ level }) => level === "warn" || level === "error")
    .filter(({ event }) => event !== "model.missing");
  expect(told.map(({ event }) => event)).toEqual(["bus.away"]);
  expect(String(told[0]?.reason)).toContain("bun run vedette topics init");

  const made = await runProgram("edge/cli.ts", ["topics", "init", ...set.flatMap((each) => ["--set", each])]);
  expect(made.status).toBe(0);
  await within(60_000, "the process to be ready", async () => (await it.get("/readyz")).status === 200);
  await viewer.message("risk_update", () => true, 60_000);
}, 240_000);

test("a topic with fewer partitions than configured ends the start with one line", async () => {
  const set = [...onKafka(), "kafka.topics.incidents.name=narrow"];
  const first = await startVedette({ config: "cameras: []", set: [...set, "kafka.topics.incidents.partitions=3"] });
  await first[Symbol.asyncDispose]();
  const { status, err } = await runVedette([...set, "server.port=0"].flatMap((each) => ["--set", each]));
  expect(status).toBe(78);
  expect(err).toContain("narrow has 3 partitions, configured are 16");
  expect(err.trim().split("\n")).toHaveLength(1);
}, 120_000);

test("roles in processes of their own share cameras; those of eyes that were killed run elsewhere within 30 s", async () => {
  const ids = [31, 32, 33, 34, 35, 36];
  const shared = `cameras:\n${ids.map((id) => `  - { id: ${id}, name: c${id}, url: "sim://junction?seed=${id}&render=0" }`).join("\n")}\n`;
  const start = (roles: string) => startVedette({ config: shared, set: onKafka(), args: ["--roles", roles] });
  await using edge = await start("edge,task-generator,scheduler,aggregator");
  await using first = await start("eyes");
  await using second = await start("eyes");
  using viewer = view(edge.url);
  const opened = (it: typeof first) => openings(it).map(({ id }) => id);
  const running = (it: typeof first) => Number(it.lines.findLast(({ event }) => event === "cameras.placed")?.running ?? 0);
  await within(
    60_000,
    "cameras at both",
    () =>
      Math.min(running(first), running(second)) > 0 &&
      running(first) + running(second) === ids.length &&
      opened(second).length >= running(second),
  );
  await within(60_000, "a result of each camera", () =>
    ids.every((id) => viewer.messages.some(({ type, data }) => type === "detection_result" && data.cameraId === id)),
  );
  await within(60_000, "a whole verdict", () =>
    viewer.messages.some(({ type, data }) => type === "risk_update" && data.final === true && data.complete === true),
  );

  const before = opened(first).length;
  const isAtFirst = (id: number, epoch: number) => openings(first).some((other) => other.id === id && other.epoch > epoch);
  const moving = openings(second).flatMap(({ id, epoch }) => (isAtFirst(id, epoch) ? [] : id));
  second.kill("SIGKILL");
  const goneAtMs = systemClock.nowMs() + 1_000;
  await within(60_000, "a later result of each camera", () =>
    ids.every((id) =>
      viewer.messages.some(({ type, data }) => type === "detection_result" && data.cameraId === id && data.capturedAt > goneAtMs),
    ),
  );
  const reopened = opened(first).slice(before);
  expect(reopened.toSorted((one, other) => one - other)).toEqual(moving.toSorted((one, other) => one - other));
}, 240_000);
