/** The open incidents on the dashboard, in a real browser. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { factsOf } from "../../actors/aggregator/open-incidents.ts";
import { createApp, serve } from "../../edge/server.ts";
import { createCodec } from "../../protocols/codec.ts";
import { Incident, incidentRecordId } from "../../protocols/incident.ts";
import { topics } from "../../protocols/topics.ts";
import { systemClock } from "../../runtime/clock.ts";
import { encodeJpeg } from "../../runtime/jpeg.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";
import { aVerdict } from "../support/build.ts";
import { fakeEdge } from "../support/edge.ts";

const executablePath = "/usr/bin/chromium";
const missing = !existsSync(executablePath);
const limitMs = 60_000;
let browser: Browser;
beforeAll(async () => {
  if (!missing) browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
}, limitMs);
afterAll(async () => browser?.close());

const anIncident = (id: string, fields: Partial<Incident> = {}): Incident => ({
  ...{ type: "incident", id: id.repeat(32), revision: 1, phase: "new", cameraId: 1, groupKey: "g1", hazard: "near-miss" },
  ...{ level: "high", openedAt: 1_700_000_000_000, updatedAt: 1_700_000_000_000, messageIds: ["m1"] },
  ...{ verdicts: [aVerdict()], evidenceIds: [] },
  ...fields,
});

describe.skipIf(missing)("open incidents (needs /usr/bin/chromium)", () => {
  test(
    "are shown as they open, rise and end, and can be labelled",
    async () => {
      await using closing = new AsyncDisposableStack();
      const store = createMemoryStore({ clock: systemClock });
      const [kept, lost] = [`1-${"a".repeat(64)}`, `1-${"b".repeat(64)}`];
      const stalled = anIncident("a", { hazard: "stalled", level: "medium", evidenceIds: [lost] });
      const nearMiss = anIncident("b", { openedAt: 1_700_000_060_000, evidenceIds: [lost, kept] });
      const over = anIncident("c", { phase: "end", revision: 2 });
      for (const incident of [stalled, over]) await store.put(factsOf(incident));
      const jpeg = encodeJpeg(new Uint8Array(32 * 32 * 3).fill(90), 32, 32, 80);
      const edge = await fakeEdge({ store, evidence: { read: async (id) => (id === kept ? jpeg : null) } });
      const serving = serve(createApp(edge), edge, { host: "127.0.0.1", port: 0 });
      closing.defer(() => serving.stop(0));
      const codec = createCodec([Incident]);
      const tell = async (incident: Incident) => {
        await store.put(factsOf(incident));
        const { type } = incident;
        const record = { topic: topics.incidents.name, key: "1", id: incidentRecordId(incident), type, trace: "" };
        await edge.bus.append([{ ...record, bytes: codec.encode(incident) }]);
      };
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US", colorScheme: "dark" });
      closing.defer(() => context.close());
      const page = await context.newPage();
      await page.goto(serving.url);
      const items = page.locator("#incident-list > li");
      await items.first().waitFor();
      expect(await items.allTextContents()).toEqual([expect.stringContaining("stalled vehicle")]);

      await tell(nearMiss);
      await page.locator(`[data-incident="${nearMiss.id}"]`).waitFor();
      expect((await items.allTextContents()).map((text) => /near miss|stalled/.exec(text)?.[0])).toEqual([
        "near miss",
        "stalled",
      ]);
      if (Bun.env.SHOT) await page.screenshot({ path: Bun.env.SHOT });

      expect(await page.getByRole("img", { name: "Picture of the incident" }).count()).toBe(1);
      const picture = page.getByRole("link", { name: "Picture of the incident: near miss, camera 1" });
      expect(await picture.getAttribute("href")).toEndWith(`/api/evidence/${kept}`);

      const falseAlarm = items.first().getByRole("button", { name: "False alarm" });
      await falseAlarm.focus();
      await tell({ ...stalled, revision: 2, level: "high" });
      await items.nth(1).getByText("High").waitFor();
      expect(await falseAlarm.evaluate((button) => button === document.activeElement)).toBe(true);
      await falseAlarm.click();
      await items.first().getByText("A false alarm, says local").waitFor();
      expect((await (await fetch(`${serving.url}/api/incidents/${nearMiss.id}`)).json()) as object).toMatchObject({
        ack: { label: false },
      });

      await tell({ ...nearMiss, revision: 2, phase: "end", endedAt: nearMiss.updatedAt });
      await page.locator(`[data-incident="${nearMiss.id}"]`).waitFor({ state: "detached" });
      await tell({ ...stalled, revision: 3, phase: "end", endedAt: stalled.updatedAt });
      await page.locator("#incidents").waitFor({ state: "hidden" });
    },
    limitMs,
  );
});
