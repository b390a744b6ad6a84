/** What is configured for models, seen by a provider: a whole process with the scheduler's role, from its configuration file. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { loadConfig } from "../../../config/load.ts";
import { startProcess } from "../../../edge/system.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { topics } from "../../../protocols/topics.ts";
import type { AssessmentResult } from "../../../protocols/verdict.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { systemRandom } from "../../../runtime/random.ts";
import { recentMessages } from "../../../runtime/recent.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { aTask } from "../../support/task.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { within } from "../../support/wait.ts";

const codec = createCodec([...topics.tasks.messages, ...topics.results.messages]);
const content = JSON.stringify({ hasDangerousDriving: false, maxRiskLevel: "low", results: [] });
const answers = {
  well: () => Response.json({ choices: [{ message: { content } }] }),
  "with 500": () => new Response("out of order", { status: 500 }),
  never: () => new Promise<Response>(() => {}),
};

/** Notes with which key each call came. */
const startProvider = () => {
  const keys: string[] = [];
  let answer: keyof typeof answers = "well";
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      keys.push(request.headers.get("authorization")?.replace("Bearer ", "") ?? "");
      return answers[answer]();
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    keys,
    answer(how: keyof typeof answers) {
      answer = how;
    },
    [Symbol.dispose]: () => void server.stop(true),
  };
};

const startScheduler = async (configText: string) => {
  const directory = await tempDir();
  const file = join(directory.path, "site.yaml");
  await Bun.write(file, configText);
  const environment = { KEY_A: "sk-a", KEY_B: "sk-b" };
  const set = ["bus=kafka", "server.port=0", `data.dir=${join(directory.path, "data")}`];
  const loaded = loadConfig({ root: directory.path, config: [file], environment, roles: "scheduler", set });
  const bus = createMemoryBroker({ clock: systemClock, defer: setImmediate }).open();
  const store = createMemoryStore({ clock: systemClock });
  const failures: string[] = [];
  const fatal = (_status: number, reason: string) => void failures.push(reason);
  const running = await startProcess(
    loaded,
    { clock: systemClock, random: systemRandom, log: silentLog, isSimulated: true, fatal },
    async (_loaded, all) => {
      await bus.ensure(all);
      return { bus, store, publications: null, close: () => bus.close() };
    },
  );
  let tasks = 0;
  return {
    async assess(): Promise<AssessmentResult> {
      const capturedAt = systemClock.nowMs();
      const task = aTask({ taskId: `t${++tasks}`, cameraId: tasks, capturedAt });
      const { type, taskId, cameraId, traceId } = task;
      await bus.append([
        { topic: topics.tasks.name, key: String(cameraId), id: taskId, type, trace: traceId, bytes: codec.encode(task) },
      ]);
      return within(8_000, `the result of ${taskId}`, async () =>
        (await recentMessages(bus, codec, topics.results, 0)).find((result) => result.taskId === taskId),
      );
    },
    async [Symbol.asyncDispose]() {
      await running.stop("the test is over");
      await directory[Symbol.asyncDispose]();
      expect(failures).toEqual([]);
    },
  };
};

test("E1.7: strategy, timeout and retries of the configuration are those of the calls", async () => {
  using provider = startProvider();
  await using it = await startScheduler(`llm:
  selection: weighted
  timeoutMs: 300
  retriesMax: 1
  groups:
    - name: main
      baseUrl: ${provider.url}
      model: m
      keys: [{ id: a, env: KEY_A, priority: 2 }, { id: b, env: KEY_B, priority: 1 }]
`);
  for (let call = 0; call < 6; call++) expect((await it.assess()).results[0]?.status).toBe("ok");
  // Neither in turn nor by load: two calls with priority 1 for each with priority 2.
  expect(provider.keys.toSorted()).toEqual(["sk-a", "sk-a", "sk-b", "sk-b", "sk-b", "sk-b"]);

  provider.answer("with 500");
  provider.keys.length = 0;
  const failed = await it.assess();
  expect([failed.results[0]?.status, failed.metadata.retryCount, provider.keys.length]).toEqual(["error", 1, 2]);

  provider.answer("never");
  expect((await it.assess()).error).toBe("no answer within 300 ms, after 2 calls");
}, 30_000);
