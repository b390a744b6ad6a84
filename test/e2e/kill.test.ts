/** Guarantee 1 on the embedded log: killed at random moments under load, every group of every record has its one end. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { decode } from "@msgpack/msgpack";
import { createCodec } from "../../protocols/codec.ts";
import { topics } from "../../protocols/topics.ts";
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { delay, systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { randomInt, seededRandom } from "../../runtime/random.ts";
import { recentMessages } from "../../runtime/recent.ts";
import { openSqliteStore } from "../../runtime/store-sqlite.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const cameraCount = 12;
const kills = Number(Bun.env.KILLS ?? 20);
const cameras = Array.from(
  { length: cameraCount },
  (_, index) => `  - { id: ${index + 1}, name: c${index + 1}, url: "sim://junction?seed=${index + 1}&fps=6" }`,
).join("\n");
const config = `cameras:\n${cameras}\ntasks: { cooldownMs: 500 }\n`;
const quiet = `cameras: []\n`;

test(
  `${kills} kills under load lose nothing and show nothing twice`,
  async () => {
    const seed = Number(Bun.env.SEED ?? 1);
    const random = seededRandom(seed);
    await using directory = await tempDir();
    for (let count = 0; count < kills; count++) {
      await using it = await startVedette({ config, dataDir: directory.path });
      // The moment is random: it may fall into the start, the first frames, or the thick of it.
      await delay(systemClock, randomInt(random, 2_500));
      it.kill("SIGKILL");
      await it.exited;
    }

    // The same data without cameras, since those follow their file: what was begun is finished.
    {
      await using it = await startVedette({ config: quiet, dataDir: directory.path });
      await within(60_000, "all records to be settled", async () => {
        const text = await (await it.get("/metrics")).text();
        const lags = [...text.matchAll(/^kafka_consumer_lag\{.*\} (\d+)$/gm)].map(([, lag]) => Number(lag));
        return lags.length > 0 && lags.every((lag) => lag === 0);
      });
      it.kill("SIGTERM");
      expect(await it.exited).toBe(0);
    }

    const ports = { clock: systemClock, log: silentLog };
    const bus = await openSqliteBus({ ...ports, directory: join(directory.path, "log"), maxBytes: 2 ** 40, minFreeBytes: 0 });
    const store = await openSqliteStore({ ...ports, directory: join(directory.path, "store") });
    try {
      const codec = createCodec(Object.values(topics).flatMap(({ messages }) => messages));
      await bus.ensure(Object.values(topics));
      const [results, updates] = await Promise.all([
        recentMessages(bus, codec, topics.detections, 0),
        recentMessages(bus, codec, topics.incidents, 0),
      ]);
      const shown = new Map<string, number>();
      const overdue = new Set<string>();
      const before = new Map<string, number>();
      for (const { messageId, revision, final, complete, results: verdicts, taskIdsOfRequest } of updates) {
        expect(revision).toBe((before.get(messageId) ?? 0) + 1);
        before.set(messageId, revision);
        for (const { taskId } of verdicts) if (!shown.has(taskId)) shown.set(taskId, 1);
        if (final && !complete)
          for (const taskId of taskIdsOfRequest) if (!verdicts.some((each) => each.taskId === taskId)) overdue.add(taskId);
      }
      const wrong: string[] = [];
      let groups = 0;
      for (const { messageId, trafficGroups } of results) {
        if (trafficGroups.length === 0) continue;
        const stored = await store.get(`admission:${messageId}`);
        const outcomes = stored ? (decode(stored) as { groups: { groupIndex: number; outcome: string }[] }).groups : [];
        for (const { groupIndex } of trafficGroups) {
          groups++;
          const taskId = `${messageId}_group${groupIndex}`;
          const refused = outcomes.filter((each) => each.groupIndex === groupIndex && each.outcome === "none").length;
          const ends = (shown.get(taskId) ?? 0) + refused + (overdue.has(taskId) ? 1 : 0);
          if (ends !== 1) wrong.push(`${taskId}: ${ends} ends`);
        }
      }
      expect(wrong).toEqual([]);
      expect(groups).toBeGreaterThan(kills * 5);
      expect(shown.size).toBeGreaterThan(kills);
    } finally {
      await Promise.all([bus.close(), store.close()]);
    }
  },
  kills * 20_000 + 120_000,
);
