/** The panel of the models in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { createApp, serve } from "../../edge/server.ts";
import { accountsOf, aQuotaGroup } from "../support/accounts.ts";
import { fakeEdge } from "../support/edge.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const executablePath = "/usr/bin/chromium";
const missing = !existsSync(executablePath);
const limitMs = 60_000;
let browser: Browser;
beforeAll(async () => {
  if (!missing) browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}, limitMs);
afterAll(async () => browser?.close());

const price = { input: 0.21, output: 0.63 };
const withCalls = () => {
  const clock = virtualClock();
  const key = (id: string) => ({ id, secret: `sk-0123456789-${id}`, priority: 1 });
  const groups = [
    aQuotaGroup("main", {
      model: "qwen-vl-plus",
      limits: { rpm: 1_200, tpm: 1_000_000 },
      price,
      keys: [key("k-01"), key("k-02")],
    }),
    aQuotaGroup("spare", { model: "gpt-4o-mini" }),
  ];
  const accounts = accountsOf(groups, clock, { budget: { currency: "USD", day: { hardCost: 5 }, cameraDay: {} } });
  const usage = { promptTokens: 900_000, completionTokens: 100_000 };
  accounts.ledger.enter({ group: "main", keyId: "k-01", cameraId: 1, price, usage, answered: true }, clock.nowMs());
  accounts.disable("main", "k-02", "HTTP 401: Incorrect API key provided");
  const seat = accounts.quota.take(0, null, 1_000);
  if (seat)
    accounts.quota.release(seat, { action: "retry-after", cause: "requests", afterMs: 30_000, reason: "HTTP 429" }, true, 0);
  return accounts;
};

describe.skipIf(missing)("the panel of the models (needs /usr/bin/chromium)", () => {
  test(
    "shows groups, keys, spending and what was not asked, and no secret",
    async () => {
      const edge = await fakeEdge({ llm: { accounts: withCalls(), keys: { changed: () => null, read: () => [] } } });
      edge.metrics.callsAvoided.inc({ reason: "budget" }, 7);
      await using closing = new AsyncDisposableStack();
      const serving = serve(createApp(edge), edge, { host: "127.0.0.1", port: 0 });
      closing.defer(() => serving.stop(0));
      const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "en-US", colorScheme: "dark" });
      closing.defer(() => context.close());
      const page = await context.newPage();
      await page.goto(serving.url);
      await page.locator("#quota-open").click();
      await page.locator("#quota-body section").first().waitFor();
      const text = await page.locator("#quota").textContent();
      for (const part of [
        "main · qwen-vl-plus",
        "Paused",
        "HTTP 429",
        "k-02",
        "Disabled",
        "Incorrect API key",
        "Calls avoided: 7",
      ])
        expect(text).toContain(part);
      expect(text).toContain("0.25 / 5 USD");
      expect(await page.content()).not.toContain("0123456789");
      // Nothing is wider than the narrow page.
      const overflow = await page.locator("#quota").evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      if (process.env.KEEP_SCREENSHOTS) await page.screenshot({ path: `${process.env.KEEP_SCREENSHOTS}/quota.png` });
      await page.locator("#quota-close").click();
      expect(await page.locator("#quota").isVisible()).toBe(false);
    },
    limitMs,
  );
});
