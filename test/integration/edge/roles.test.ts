/** Roles in processes of their own on one broker: here as several systems in one process, on the broker in memory. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { loadConfig } from "../../../config/load.ts";
import { startProcess } from "../../../edge/system.ts";
import { createCodec } from "../../../protocols/codec.ts";
import type { DetectionResult } from "../../../protocols/detection.ts";
import { topics } from "../../../protocols/topics.ts";
import { createMemoryBroker, type MemoryBroker, type MemoryBus } from "../../../runtime/bus-memory.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { type Log, silentLog } from "../../../runtime/log.ts";
import { systemRandom } from "../../../runtime/random.ts";
import { recentMessages } from "../../../runtime/recent.ts";
import { createMemoryStore, type MemoryStore } from "../../../runtime/store-memory.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { type Viewer, view } from "../../support/vedette.ts";
import { within } from "../../support/wait.ts";

type Node = {
  readonly url: string;
  readonly bus: MemoryBus;
  readonly stop: () => Promise<void>;
  readonly get: (path: string) => Promise<Response>;
};

/** One broker and one store for all, and a data directory each. */
const setUp = async (cameras: readonly number[]) => {
  const directory = await tempDir();
  const broker: MemoryBroker = createMemoryBroker({ clock: systemClock, defer: setImmediate });
  const store: MemoryStore = createMemoryStore({ clock: systemClock });
  const nodes = new Set<Node>();
  const list = cameras.map((id) => `{ id: ${id}, name: c${id}, url: "sim://junction?seed=${id}&render=0", fps: 4 }`);

  const start = async (roles: string, set: readonly string[] = [], log: Log = silentLog): Promise<Node> => {
    const loaded = loadConfig({
      root: directory.path,
      environment: {},
      roles,
      set: [
        "bus=kafka",
        "server.port=0",
        `data.dir=${join(directory.path, roles)}`,
        `cameras.list=[${list.join(", ")}]`,
        "tasks.cooldownMs=500",
        ...set,
      ],
    });
    const bus = broker.open();
    const failures: string[] = [];
    const outside = {
      clock: systemClock,
      random: systemRandom,
      log,
      isSimulated: true,
      fatal: (_status: number, reason: string) => void failures.push(reason),
    };
    const running = await startProcess(loaded, outside, async (_loaded, topics) => {
      await bus.ensure(topics);
      return { bus, store, publications: null, close: () => bus.close() };
    });
    const node: Node = {
      url: running.url,
      bus,
      async stop() {
        nodes.delete(node);
        await running.stop("the test is over");
        expect(failures).toEqual([]);
      },
      get: (path) => fetch(`${running.url}${path}`),
    };
    nodes.add(node);
    return node;
  };
  return {
    start,
    broker,
    async [Symbol.asyncDispose]() {
      for (const node of [...nodes].toReversed()) await node.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
};

/** Waits for results of every camera that were captured from now on. */
const hearAll = (viewer: Viewer, cameras: readonly number[], limitMs = 30_000) => {
  const fromMs = systemClock.nowMs();
  return Promise.all(
    cameras.map((id) =>
      viewer.message("detection_result", ({ cameraId, capturedAt }) => cameraId === id && capturedAt > fromMs, limitMs),
    ),
  );
};

const codec = createCodec(topics.detections.messages);
const epochOf = (bytes: Uint8Array): number => (codec.decode("detection.result", bytes) as DetectionResult).ownerEpoch; // of this topic

/** Cameras that run in a node, by its own tree. */
const camerasAt = async (node: Node): Promise<string[]> => {
  const text = await (await node.get("/metrics")).text();
  return [...text.matchAll(/^camera_fps\{camera_id="(\d+)"\} (?!0$)/gm)].map(([, id]) => id ?? "").toSorted();
};

test("each role in a process of its own: an edge far from the eyes sees detections and verdicts, and its cameras start there", async () => {
  await using it = await setUp([1, 2]);
  const scheduler = await it.start("scheduler");
  for (const role of ["task-generator", "aggregator"]) await it.start(role);
  const edge = await it.start("edge");
  using viewer = view(edge.url);
  await viewer.message("connection_ack");
  // Last, so that the viewer is there when a camera comes online: that is told once.
  const eyes = await it.start("eyes");

  await hearAll(viewer, [1, 2]);
  const update = await viewer.message("risk_update", ({ final, complete }) => final && complete, 30_000);
  expect(update.results.every(({ status }) => status === "ok")).toBe(true);
  // The edge has neither decided nor assessed: it tells from the store and the topics.
  const { stages, tasks } = (await (await edge.get(`/api/requests/${update.messageId}`)).json()) as {
    stages: { name: string }[];
    tasks: { taskId: string; outcome: string; reason?: string }[];
  };
  const told = ["captured", "clusterer", "task-generator", "scheduler", "aggregator"];
  expect([...new Set(stages.map(({ name }) => name))]).toEqual(told);
  const ended = tasks.filter(({ outcome }) => outcome === "ok").map(({ taskId }) => taskId);
  expect(ended).toEqual(update.results.map(({ taskId }) => taskId));
  for (const { outcome, reason } of tasks) if (outcome !== "ok") expect([outcome, typeof reason]).toEqual(["none", "string"]);
  await viewer.message("camera_status", ({ cameraId, state }) => cameraId === 1 && state === "online");
  const { items } = (await (await edge.get("/api/cameras")).json()) as { items: { id: number; state: string }[] };
  expect(items.map(({ id, state }) => `${id} ${state}`)).toEqual(["1 online", "2 online"]);

  // Neither does it count what was not asked, nor hold the keys.
  const quota = await within(15_000, "what the others count", async () => {
    const page = (await (await edge.get("/api/quota")).json()) as {
      avoided: { stage: string; reason: string; count: number }[];
      missing: string[];
    };
    return new Set(page.avoided.map(({ stage }) => stage)).size === 2 && page;
  });
  expect(quota.missing).toEqual([]);
  expect(quota.avoided.find(({ stage, reason }) => stage === "scheduler" && reason === "no-keys")?.count).toBeGreaterThan(0);

  const body = JSON.stringify({ id: 7, name: "added", url: "sim://junction?seed=7&render=0", fps: 4 });
  const posted = await fetch(`${edge.url}/api/cameras`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  expect(posted.status).toBe(201);
  await hearAll(viewer, [7]);
  expect((await fetch(`${edge.url}/api/cameras/7`, { method: "DELETE" })).status).toBe(204);
  await viewer.message("stream_stopped", ({ cameraId }) => cameraId === 7);
  viewer.client.send({ type: "start_stream", data: { cameraId: 8, rtspUrl: "sim://junction?seed=8&render=0" } });
  await viewer.message("error", ({ code, message }) => code === "unavailable" && message.includes("POST /api/cameras"));

  expect(Object.keys(((await (await scheduler.get("/readyz")).json()) as { checks: object }).checks)).toEqual([
    "bus",
    "store",
    "llm",
  ]);
  expect(Object.keys(((await (await eyes.get("/readyz")).json()) as { checks: object }).checks)).toEqual([
    "bus",
    "store",
    "detector",
  ]);
  expect((await eyes.get("/api/cameras")).status).toBe(404);
  expect((await edge.get("/metrics")).status).toBe(200);
}, 90_000);

test("cameras are shared by eyes; those of one that goes run elsewhere, and only those that move start anew", async () => {
  const cameras = Array.from({ length: 12 }, (_, index) => index + 1);
  await using it = await setUp(cameras);
  const rest = await it.start("edge,task-generator,scheduler,aggregator");
  const first = await it.start("eyes");
  const second = await it.start("eyes");
  using viewer = view(rest.url);
  const epochs = new Map<number, Set<number>>();
  await rest.bus.follow("detection-results", "end", (record) => {
    const id = Number(record.key);
    const seen = epochs.get(id) ?? new Set();
    epochs.set(id, seen.add(epochOf(record.bytes)));
  });

  const placed = () => Promise.all([first, second].map(camerasAt));
  const [ofFirst = [], ofSecond = []] = await within(20_000, "every camera at one of two", async () => {
    const found = await placed();
    return found.flat().length === cameras.length && found.every((each) => each.length > 0) && found;
  });
  expect([...ofFirst, ...ofSecond].map(Number).toSorted((a, b) => a - b)).toEqual(cameras);
  await hearAll(viewer, cameras);

  epochs.clear();
  await hearAll(viewer, cameras);
  const before = new Map([...epochs].map(([id, seen]) => [id, Math.max(...seen)]));
  await second.stop();
  await hearAll(viewer, cameras, 30_000);
  epochs.clear();
  await hearAll(viewer, cameras);
  for (const id of ofFirst) expect([...(epochs.get(Number(id)) ?? [])]).toEqual([before.get(Number(id)) ?? -1]);
  for (const id of ofSecond) expect(Math.min(...(epochs.get(Number(id)) ?? []))).toBeGreaterThan(before.get(Number(id)) ?? -1);

  // One that crashes: its group member is gone, and what it had runs at the other.
  const third = await it.start("eyes");
  const ofThird = await within(20_000, "cameras at the third", async () => {
    const found = await camerasAt(third);
    return found.length > 0 && (await camerasAt(first)).length + found.length === cameras.length && found;
  });
  const stayed = cameras.filter((id) => !ofThird.includes(String(id)));
  for (const id of stayed) expect(epochs.get(id)?.size).toBe(1);
  third.bus.crash();
  await within(20_000, "all cameras at the first", async () => (await camerasAt(first)).length === cameras.length);
  await hearAll(viewer, cameras);
  await third.stop();
}, 120_000);

test("health and metrics may have a port of their own, which serves nothing else", async () => {
  await using it = await setUp([]);
  const urls: string[] = [];
  const log: Log = {
    ...silentLog,
    info: (event, fields) => void (event === "server.listening" && urls.push(String(fields?.url))),
  };
  const node = await it.start("edge,aggregator", ["observability.port=0"], log);
  const [main, health] = urls;
  expect(main).toBe(node.url);
  expect((await fetch(`${health}/readyz`)).status).toBe(200);
  expect(await (await fetch(`${health}/metrics`)).text()).toContain("system_info");
  expect((await fetch(`${health}/api/cameras`)).status).toBe(404);
});

test("workers that share the load and crash under it: each task has one result, each frame one unbroken line of revisions", async () => {
  const cameras = Array.from({ length: 10 }, (_, index) => index + 1);
  await using it = await setUp(cameras);
  const work = "task-generator,scheduler,aggregator";
  const eyes = await it.start("eyes");
  const workers = [await it.start(work), await it.start(work)];
  const edge = await it.start("edge");
  using viewer = view(edge.url);
  const crashed: Node[] = [];
  for (let round = 0; round < 3; round++) {
    const fromMs = systemClock.nowMs();
    await viewer.message("risk_update", ({ final, capturedAt }) => final && capturedAt > fromMs, 30_000);
    const oldest = workers.shift();
    oldest?.bus.crash();
    if (oldest) crashed.push(oldest);
    workers.push(await it.start(work));
  }
  await Promise.all(crashed.map((node) => node.stop()));
  await eyes.stop();
  const behind = async () => {
    const pairs = [topics.detections, topics.tasks, topics.results].map(async ({ name, group }) => {
      const [states, committed] = await Promise.all([edge.bus.states(name), edge.bus.committed(name, group ?? "")]);
      return states.reduce((sum, { partition, next }) => sum + next - (committed[partition] ?? 0), 0);
    });
    return (await Promise.all(pairs)).reduce((sum, each) => sum + each, 0);
  };
  await within(40_000, "everything to be settled", async () => (await behind()) === 0);

  const everyCodec = createCodec(Object.values(topics).flatMap(({ messages }) => messages));
  const [tasks, results, told] = await Promise.all([
    recentMessages(edge.bus, everyCodec, topics.tasks, 0),
    recentMessages(edge.bus, everyCodec, topics.results, 0),
    recentMessages(edge.bus, everyCodec, topics.incidents, 0),
  ]);
  expect(tasks.length).toBeGreaterThan(5);
  expect(results.map(({ taskId }) => taskId).toSorted()).toEqual(tasks.map(({ taskId }) => taskId).toSorted());
  const updates = told.filter((each) => each.type === "risk_update");
  const lines = Map.groupBy(updates, ({ messageId }) => messageId);
  expect([...lines.keys()].toSorted()).toEqual([...new Set(tasks.map(({ requestId }) => requestId))].toSorted());
  for (const line of lines.values()) {
    expect(line.map(({ revision }) => revision)).toEqual(line.map((_, index) => index + 1));
    expect(line.map(({ final }) => final)).toEqual(line.map((_, index) => index === line.length - 1));
    // Whole, or closed without a result that a crash delayed beyond the deadline: what is missing is said.
    const [closed] = line.slice(-1);
    const expected = tasks.filter(({ requestId }) => requestId === closed?.messageId).length;
    expect(closed?.complete).toBe(closed?.results.length === expected);
  }
}, 120_000);
