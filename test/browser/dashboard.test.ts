/** The dashboard in a real browser, over a real server with a hub that is fed by hand. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { createApp, type Serving, serve } from "../../edge/server.ts";
import type { LiveDetection } from "../../protocols/detection.ts";
import { systemClock } from "../../runtime/clock.ts";
import { encodeJpeg } from "../../runtime/jpeg.ts";
import {
  aCamera,
  aDetection,
  aGroup,
  aRiskUpdate,
  asOutgoing,
  aVerdict,
  type EdgeOptions,
  type FakeEdge,
  fakeEdge,
} from "../support/edge.ts";
import { within } from "../support/wait.ts";

const executablePath = "/usr/bin/chromium";
const missing = !existsSync(executablePath);
const limitMs = 60_000;

let browser: Browser;
let folder: string;
const closers: (() => unknown)[] = [];
beforeAll(async () => {
  if (missing) return;
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  folder = await mkdtemp(join(tmpdir(), "vedette-dashboard-"));
}, limitMs);
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(async () => {
  await browser?.close();
  // The pictures are for people: KEEP_SCREENSHOTS=1 leaves them and the test says where.
  if (folder && process.env.KEEP_SCREENSHOTS) process.stdout.write(`screenshots: ${folder}\n`);
  else if (folder) await rm(folder, { recursive: true, force: true });
});

/** A grey street with a light square where the car is. */
const jpeg = (() => {
  const [width, height] = [320, 180];
  const pixels = new Uint8Array(width * height * 3).fill(90);
  for (let y = 50; y < 85; y++) pixels.fill(220, (y * width + 28) * 3, (y * width + 75) * 3);
  return encodeJpeg(pixels, width, height, 80);
})();

const seeds = [aCamera(1, { name: "plaza" }), aCamera(2, { name: "gate <i>north</i>" })];
const startEdge = async (options: EdgeOptions = {}, port = 0): Promise<FakeEdge & { readonly serving: Serving }> => {
  const edge = await fakeEdge({ seeds, ...options });
  const serving = serve(createApp(edge), edge, { host: "127.0.0.1", port });
  closers.push(() => serving.stop(0));
  for (const { id } of seeds) tell(edge, id, "online", "Online");
  return { ...edge, serving };
};
const tell = (edge: FakeEdge, cameraId: number, state: "online" | "offline", message: string): void => {
  const status = { type: "camera_status", cameraId, status: state === "online" ? 1 : 0, message, state } as const;
  edge.cameras.noteStatus(status);
  edge.live.status(status);
};
const show = (edge: FakeEdge, cameraId: number, fields: Partial<LiveDetection> = {}): void =>
  edge.live.detection(aDetection(cameraId, { capturedAt: edge.clock.nowMs(), ...fields }), () => jpeg);

const openPage = async (
  url: string,
  size: { readonly width: number; readonly height: number },
  options = {},
): Promise<{ page: Page; errors: string[] }> => {
  const context = await browser.newContext({ viewport: size, locale: "en-US", colorScheme: "dark", ...options });
  closers.push(() => context.close());
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
};
const wide = { width: 1440, height: 900 };
const narrow = { width: 390, height: 844 };

/** Shows results until the page says what is waited for. */
const showUntil = (
  edge: FakeEdge,
  page: Page,
  what: string,
  look: () => Promise<boolean>,
  ids: readonly number[] = [1, 2],
): Promise<true> =>
  within(20_000, what, async () => {
    for (const id of ids) show(edge, id);
    await page.waitForTimeout(50);
    return look();
  });
/** How many pixels of a camera's canvas have nearly this colour. */
const pixelsLike = (page: Page, cameraId: number, red: number, green: number, blue: number): Promise<number> =>
  page.evaluate(
    ({ cameraId, red, green, blue }) => {
      const canvas = document.querySelector<HTMLCanvasElement>(`[data-camera="${cameraId}"] canvas`);
      const data = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? new Uint8ClampedArray();
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        const distance =
          Math.abs((data[at] ?? 0) - red) + Math.abs((data[at + 1] ?? 0) - green) + Math.abs((data[at + 2] ?? 0) - blue);
        if (distance < 30) count += 1;
      }
      return count;
    },
    { cameraId, red, green, blue },
  );
const textOf = async (page: Page, selector: string): Promise<string> =>
  (await page.locator(selector).first().textContent()) ?? "";

describe.skipIf(missing)("the dashboard (needs /usr/bin/chromium)", () => {
  test(
    "draws the picture, the boxes and the risk of each camera",
    async () => {
      const edge = await startEdge();
      const { page, errors } = await openPage(edge.serving.url, wide);
      await showUntil(edge, page, "a drawn picture", async () => (await pixelsLike(page, 1, 220, 220, 220)) > 500);
      expect(await pixelsLike(page, 1, 0x8f, 0xdc, 0xf0)).toBeGreaterThan(100); // boxes of objects
      expect(await pixelsLike(page, 1, 0xff, 0xbb, 0x55)).toBeGreaterThan(100); // the group, of medium risk
      expect(await page.locator(".tile h3").allInnerTexts()).toEqual(["plaza", "gate <i>north</i>"]);
      await within(20_000, "the level", async () => (await textOf(page, '[data-camera="1"] .level')) === "Medium");
      expect(await textOf(page, '[data-camera="1"] .state')).toBe("Online");
      expect(await page.locator('[data-camera="1"] canvas').getAttribute("aria-label")).toBe(
        "plaza: 2 objects, 1 groups, risk Medium",
      );
      await within(20_000, "the totals", async () => (await textOf(page, "#total-cameras")) === "2 / 2");
      await page.screenshot({ path: join(folder, "wide.png") });
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "asks for the pictures of what came into sight before the connection stood, and says which are missing",
    async () => {
      const edge = await startEdge();
      const { page } = await openPage("about:blank", wide);
      await page.route("**/api/snapshot", async (route) => {
        await new Promise((resolve) => systemClock.after(1_000, () => resolve(null)));
        await route.continue();
      });
      await page.goto(edge.serving.url);
      await within(20_000, "word that pictures are missing", async () => {
        edge.live.detection(aDetection(1, { capturedAt: edge.clock.nowMs() }), null);
        await page.waitForTimeout(50);
        return (await textOf(page, '[data-camera="1"] .veil')) === "Boxes without their picture";
      });
      await showUntil(edge, page, "a drawn picture", async () => (await pixelsLike(page, 1, 220, 220, 220)) > 500);
      await page.locator('[data-camera="1"] .veil').waitFor({ state: "hidden" });
    },
    limitMs,
  );

  test(
    "says what was judged, by whom, and what could not be judged; text is never markup",
    async () => {
      const edge = await startEdge();
      const harmless = aVerdict("a", {
        riskLevel: "none",
        verdict: "rejected",
        description: "Nothing happens.",
        assessedBy: "qwen-vl-plus",
      });
      const high = aVerdict("b", { description: "A car <img src=x onerror=alert(1)> closes in.", assessedBy: "qwen-vl-plus" });
      const failed = aVerdict("c", {
        status: "expired",
        verdict: null,
        riskLevel: null,
        confidence: null,
        description: "",
        riskTypes: [],
      });
      const updates = [harmless, high, failed].map((verdict, at) =>
        aRiskUpdate(1, { capturedAt: edge.clock.nowMs() - 10_000 + at * 1_000, results: [verdict] }),
      );
      await edge.bus.append(updates.slice(0, 2).map(asOutgoing));
      const { page, errors } = await openPage(edge.serving.url, wide);
      await within(
        20_000,
        "what was said before the page was opened",
        async () => (await page.locator(".feed > li").count()) === 1,
      );
      await edge.bus.append(updates.slice(2).map(asOutgoing));
      await within(20_000, "what is said now", async () => (await page.locator(".feed > li").count()) === 2);

      expect(await page.locator(".feed .level").allInnerTexts()).toEqual(["Unknown", "High"]);
      expect(await textOf(page, ".feed > li:nth-child(1) .meta")).toBe("No verdict: not assessed in time");
      expect(await textOf(page, ".feed > li:nth-child(2) .said")).toBe("A car <img src=x onerror=alert(1)> closes in.");
      expect(await textOf(page, ".feed > li:nth-child(2) .meta")).toBe("Confirmed by qwen-vl-plus · near miss");
      await page.selectOption("#level", "none");
      await within(20_000, "all results", async () => (await page.locator(".feed > li").count()) === 3);
      expect([await page.locator("img").count(), errors]).toEqual([0, []]);
    },
    limitMs,
  );

  test(
    "says that it is stale while the server is away, and is live again when it comes back",
    async () => {
      const edge = await startEdge();
      const { page } = await openPage(edge.serving.url, wide);
      await showUntil(edge, page, "a live page", async () => (await textOf(page, '[data-camera="1"] .level')) === "Medium");
      expect(await textOf(page, "#link")).toBe("Live");
      await edge.serving.stop(0);
      await within(20_000, "the loss", async () => /Stale since \d\d:\d\d:\d\d/.test(await textOf(page, "#link")));
      await within(20_000, "levels to be unknown", async () => (await textOf(page, '[data-camera="1"] .level')) === "Unknown");
      expect(await textOf(page, "#total-cameras")).toBe("– / 2");
      expect(await textOf(page, '[data-camera="1"] .state')).toBe("Not heard of");
      expect(await textOf(page, "#retry")).toMatch(/^next try in \d+ s$/);

      const again = await startEdge({ bus: edge.bus }, edge.serving.port);
      await within(20_000, "the reconnection", async () => (await textOf(page, "#link")) === "Live");
      await showUntil(again, page, "levels again", async () => (await textOf(page, '[data-camera="1"] .level')) === "Medium");
    },
    limitMs,
  );

  test(
    "adds a camera by its address, shows why one is refused, and removes one that is named",
    async () => {
      const edge = await startEdge();
      const { page } = await openPage(edge.serving.url, wide);
      await page.click("#add-open");
      await page.keyboard.type("ramp");
      await page.fill("#add-url", "sim://junction?seed=9");
      await page.click("#add-check");
      await within(
        20_000,
        "the check",
        async () => (await textOf(page, "#add-answer")) === "Works: h264 640×360, first frame after 12 ms",
      );
      await page.fill("#add-fps", "99");
      await page.keyboard.press("Enter");
      await within(20_000, "the refusal", async () => (await page.getAttribute("#add-fps", "aria-invalid")) === "true");
      await page.fill("#add-fps", "4");
      await page.keyboard.press("Enter");
      await within(20_000, "the tile", async () => (await page.locator(".tile").count()) === 3);
      expect(edge.cameras.get(3)).toMatchObject({ name: "ramp", fps: 4 });
      await page.getByRole("button", { name: "Remove ramp" }).click();
      await page.getByRole("heading", { name: "Remove ramp?" }).waitFor();
      await page.keyboard.press("Escape");
      expect(edge.cameras.get(3)).toMatchObject({ name: "ramp" });
      await page.getByRole("button", { name: "Remove ramp" }).click();
      await page.getByRole("button", { name: "Remove", exact: true }).click();
      await within(20_000, "the tile to go", async () => (await page.locator(".tile").count()) === 2);
      tell(edge, 2, "offline", "connection refused");
      await within(20_000, "the reason", async () => (await textOf(page, '[data-camera="2"] .veil')) === "connection refused");
    },
    limitMs,
  );

  test.each([
    ["390 px", narrow, {}],
    ["360 px, in Chinese and light", { width: 360, height: 740 }, { locale: "zh-CN", colorScheme: "light" }],
  ])(
    "fits a screen of %s and shows one view at a time",
    async (name, size, options) => {
      const edge = await startEdge();
      await edge.bus.append([asOutgoing(aRiskUpdate(1, { capturedAt: edge.clock.nowMs() }))]);
      const { page, errors } = await openPage(edge.serving.url, size, options);
      await showUntil(edge, page, "a drawn picture", async () => (await pixelsLike(page, 1, 220, 220, 220)) > 500);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      expect([await page.locator("#tiles").isVisible(), await page.locator("#feed").isVisible()]).toEqual([true, false]);
      await page.screenshot({ path: join(folder, `${name}.png`) });
      await page.click("#view-risks");
      expect([await page.locator("#tiles").isVisible(), await page.locator("#feed").isVisible()]).toEqual([false, true]);
      expect(await page.locator(".feed > li").count()).toBe(1);
      await page.screenshot({ path: join(folder, `${name}-risks.png`) });
      expect(errors).toEqual([]);
    },
    limitMs,
  );

  test(
    "asks for pictures only of what is seen",
    async () => {
      const many = Array.from({ length: 20 }, (_, index) => aCamera(index + 1));
      const edge = await startEdge({ seeds: many });
      let encoded = new Set<number>();
      const { page } = await openPage(edge.serving.url, narrow);
      const showAll = () => {
        for (const { id } of many) {
          edge.live.detection(aDetection(id, { trafficGroups: [aGroup(1)] }), () => {
            encoded.add(id);
            return jpeg;
          });
        }
      };
      await within(20_000, "pictures of what is on the screen", async () => {
        showAll();
        await page.waitForTimeout(100);
        return encoded.has(1);
      });
      expect([...encoded].every((id) => id <= 5)).toBe(true);
      await page.locator('[data-camera="20"]').scrollIntoViewIfNeeded();
      await within(20_000, "pictures of what came into sight", async () => {
        showAll();
        await page.waitForTimeout(100);
        return encoded.has(20);
      });
      encoded = new Set();
      await within(20_000, "no more of what went out of sight", async () => {
        encoded.clear();
        showAll();
        await page.waitForTimeout(250);
        showAll();
        return encoded.has(20) && !encoded.has(1);
      });
    },
    limitMs,
  );

  test(
    "asks for a token where one is needed, and can be used by keyboard alone",
    async () => {
      const tokens = [{ name: "eyes", token: "eye-token", role: "viewer" }] as const;
      const edge = await startEdge({ tokens });
      const { page } = await openPage(edge.serving.url, wide);
      await page.waitForSelector("#login[open]");
      await page.keyboard.type("wrong");
      await page.keyboard.press("Enter");
      await within(20_000, "the refusal", async () => (await textOf(page, "#login-answer")) === "this token is not known");
      await page.keyboard.press("Control+A");
      await page.keyboard.type("eye-token");
      await page.keyboard.press("Enter");
      await within(20_000, "the board", async () => (await page.locator(".tile").count()) === 2);
      expect([await page.locator("#add-open").isVisible(), await page.locator("#logout").isVisible()]).toEqual([false, true]);
      expect(await page.getByRole("button", { name: "Remove" }).count()).toBe(0);
      await page.keyboard.press("Tab"); // the link over everything
      await page.keyboard.press("Enter");
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("risks");
    },
    limitMs,
  );
});
