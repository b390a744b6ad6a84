/**
 * One task put to a real model behind any OpenAI-compatible server:
 * `VEDETTE_TEST_LLM_URL=http://127.0.0.1:11434/v1 VEDETTE_TEST_LLM_MODEL=qwen2.5vl bun test test/integration/llm-live.test.ts`,
 * with `VEDETTE_TEST_LLM_KEY` where a key is needed.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createModelAssessor } from "../../actors/scheduler/model.ts";
import { parsePrompt } from "../../actors/scheduler/prompt.ts";
import { systemClock } from "../../runtime/clock.ts";
import { encodeJpeg } from "../../runtime/jpeg.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { systemRandom } from "../../runtime/random.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";
import { accountsOf, aQuotaGroup, schedulerSettings } from "../support/accounts.ts";
import { aTask } from "../support/task.ts";

const url = Bun.env.VEDETTE_TEST_LLM_URL ?? "";
const model = Bun.env.VEDETTE_TEST_LLM_MODEL ?? "qwen-vl-plus";
const secret = Bun.env.VEDETTE_TEST_LLM_KEY ?? "none";
/** A model on a processor takes its time. */
const patienceMs = 300_000;

/** A grey road with two light bodies close to one another. */
const picture = (): Uint8Array => {
  const [width, height] = [320, 240];
  const pixels = new Uint8Array(width * height * 3).fill(90);
  const paint = (left: number, top: number, wide: number, high: number) => {
    for (let y = top; y < top + high; y++) pixels.fill(215, (y * width + left) * 3, (y * width + left + wide) * 3);
  };
  paint(60, 110, 90, 60);
  paint(170, 100, 24, 70);
  return encodeJpeg(pixels, width, height, 85);
};

describe.skipIf(url === "")("a real model (needs VEDETTE_TEST_LLM_URL)", () => {
  test.each(["en", "zh"] as const)(
    "gives a verdict that can be read, in %s",
    async (language) => {
      const file = join(import.meta.dir, `../../config/prompts/risk.${language}.txt`);
      const group = aQuotaGroup("live", { baseUrl: url, model, keys: [{ id: "live", secret, priority: 1 }] });
      const accounts = accountsOf([group], systemClock);
      const assessor = createModelAssessor(
        {
          ...schedulerSettings,
          timeoutMs: patienceMs,
          language,
          prompt: parsePrompt(await Bun.file(file).text(), file),
        },
        {
          accounts,
          fetch,
          store: createMemoryStore({ clock: systemClock }),
          clock: systemClock,
          random: systemRandom,
          metrics: createMetrics(),
          log: silentLog,
        },
      );
      const capturedAt = systemClock.nowMs();
      const task = aTask({ capturedAt, deadlineAt: capturedAt + patienceMs, image: picture() });
      const { results, metadata, error } = await assessor.assess(task, new AbortController().signal);
      assessor.close();
      expect({ status: results[0]?.status, error }).toEqual({ status: "ok", error: undefined });
      expect(["confirmed", "rejected", "uncertain"]).toContain(results[0]?.verdict ?? "");
      expect(results[0]?.triggerObjectIds?.every((id) => [7, 9].includes(id)) ?? true).toBe(true);
      expect(metadata).toMatchObject({ llmModel: model, apiKeyId: "live" });
      expect(accounts.view().book.total.calls).toBeGreaterThan(0);
    },
    patienceMs + 10_000,
  );
});
