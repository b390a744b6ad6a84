/** Five roles on a real broker, each ended in order and started again under load: every task comes to one result, and is shown once. */
import { expect, test } from "bun:test";
import { createCodec } from "../../protocols/codec.ts";
import { topics } from "../../protocols/topics.ts";
import { systemClock } from "../../runtime/clock.ts";
import { recentMessages } from "../../runtime/recent.ts";
import { startBroker } from "../support/broker.ts";
import { openTestBus } from "../support/kafka-bus.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette, type Vedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const config = `
cameras:
${[1, 2, 3, 4].map((id) => `  - { id: ${id}, name: c${id}, url: "sim://junction?seed=${id}&render=0&fps=4&act=near-miss" }`).join("\n")}
tasks: { cooldownMs: 500, changeLeast: 0, pictureBits: -1 }
`;
/** Sinks before sources; the eyes last, so that the viewer is there for their first frame. */
const roles = ["edge", "aggregator", "scheduler", "task-generator", "eyes"] as const;
const tally = (names: readonly string[]) => names.toSorted();

test("a rolling restart of all roles loses nothing and shows nothing twice", async () => {
  await using directory = await tempDir();
  await using broker = await startBroker();
  await using running = new AsyncDisposableStack();
  const start = async (role: string, port: string): Promise<Vedette> => {
    const set = ["bus=kafka", `kafka.bootstrapServers=${broker.address}`, `server.port=${port}`];
    return running.use(await startVedette({ config, set, args: ["--roles", role], dataDir: `${directory.path}/${role}` }));
  };
  const end = async (it: Vedette) => {
    it.kill("SIGTERM");
    expect(await it.exited).toBe(0);
  };
  const edge = await start("edge", "0");
  using viewer = view(edge.url);
  await viewer.message("connection_ack");
  const nodes = new Map<string, Vedette>([["edge", edge]]);
  const others = roles.filter((role) => role !== "edge");
  await Promise.all(others.map(async (role) => nodes.set(role, await start(role, "0"))));
  const untilShown = () => {
    const fromMs = systemClock.nowMs();
    return viewer.message("risk_update", ({ final, capturedAt }) => final && capturedAt > fromMs, 60_000);
  };

  await untilShown();
  for (const role of roles) {
    const node = nodes.get(role);
    if (!node) throw new Error(`${role} does not run`);
    await end(node);
    nodes.set(role, await start(role, new URL(node.url).port));
    await untilShown();
  }
  const eyes = nodes.get("eyes");
  if (eyes) await end(eyes);

  const bus = openTestBus(broker.address);
  await bus.ensure(Object.values(topics));
  const behind = async () => {
    const lags = [topics.detections, topics.tasks, topics.results].map(async ({ name, group }) => {
      const [states, committed] = await Promise.all([bus.states(name), bus.committed(name, group ?? "")]);
      return states.some(({ partition, next }) => next > (committed[partition] ?? 0));
    });
    return (await Promise.all(lags)).includes(true);
  };
  await within(60_000, "everything to be settled", async () => !(await behind()));

  const codec = createCodec(Object.values(topics).flatMap(({ messages }) => messages));
  const [tasks, results] = await Promise.all([
    recentMessages(bus, codec, topics.tasks, 0),
    recentMessages(bus, codec, topics.results, 0),
  ]);
  const distinct = (ids: readonly string[]) => tally([...new Set(ids)]);
  const requests = distinct(tasks.map(({ requestId }) => requestId));
  expect(requests.length).toBeGreaterThan(roles.length);
  expect(distinct(results.map(({ taskId }) => taskId))).toEqual(distinct(tasks.map(({ taskId }) => taskId)));
  const shown = () => viewer.messages.flatMap((message) => (message.type === "risk_update" ? message.data : []));
  const finals = () => shown().flatMap(({ final, messageId }) => (final ? messageId : []));
  await within(60_000, "a last word on each request", () => new Set(finals()).size >= requests.length);
  expect(tally(finals())).toEqual(requests);
  const revisions = shown().map(({ messageId, revision }) => `${messageId} ${revision}`);
  expect(tally(revisions)).toEqual(distinct(revisions));
  process.stdout.write(`${requests.length} requests with ${tasks.length} tasks over ${roles.length} restarts\n`);
  await bus.close();
}, 180_000);
