/** The whole program with its facts on a real Redis that dies and comes back: verdicts go on, and one warning says so. */
import { expect, test } from "bun:test";
import { systemClock } from "../../runtime/clock.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { startVedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const missing = redisMissing();
const config = `
cameras:
  - { id: 1, name: near-miss, url: "sim://junction?seed=1&render=0&fps=4&act=near-miss" }
  - { id: 2, name: junction, url: "sim://junction?seed=2&render=0&fps=4" }
tasks: { cooldownMs: 500, changeLeast: 0, pictureBits: -1 }
`;

test.skipIf(missing !== null)(
  `verdicts go on while Redis is away${missing === null ? "" : `: ${missing}`}`,
  async () => {
    await using server = await startRedis();
    await using it = await startVedette({ config, set: [`store.redis=${server.url}`] });
    using viewer = view(it.url);
    const redis = server.client();
    const ready = async () =>
      ((await (await it.get("/readyz")).json()) as { checks: { store: { status: string } } }).checks.store;

    await viewer.message("risk_update", ({ final }) => final);
    await within(20_000, "facts in Redis", async () => (await redis.keys("vedette:fact:asked:*")).length > 0);
    // What the traffic monitor's programs read.
    const latest = JSON.parse(await within(20_000, "a merged result", () => redis.get("camera:1:latest")));
    expect(latest).toMatchObject({ cameraId: 1, riskAssessment: { groupCount: expect.any(Number) } });
    expect(JSON.parse((await redis.get(`detection:${latest.messageId}`)) ?? "")).toMatchObject({ messageId: latest.messageId });
    await server.kill();
    await it.line("store.failed");
    // Frames that were captured after the store had gone; ids are ordered by time.
    const goneAtMs = systemClock.nowMs();
    const { messageId: later } = await viewer.message("detection_result", ({ capturedAt }) => capturedAt > goneAtMs);
    await viewer.message("risk_update", ({ messageId, final, complete }) => final && complete && messageId > later);
    expect((await ready()).status).toBe("degraded");
    expect((await it.get("/readyz")).status).toBe(200);

    await server.start();
    await it.line("store.ready", ({ awayMs }) => awayMs !== undefined);
    await within(20_000, "a store that is up", async () => (await ready()).status === "up");
    // What was decided meanwhile has followed.
    await within(20_000, "the facts of the outage", async () => (await redis.keys("vedette:fact:admission:*")).length > 0);
    expect(it.lines.filter(({ event }) => event === "store.failed")).toHaveLength(1);
    it.kill("SIGTERM");
    expect(await it.exited).toBe(0);
  },
  60_000,
);
