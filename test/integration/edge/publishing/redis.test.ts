/** Read as programs of the traffic monitor read: by their own client, at their keys and channels. */
import { describe, expect, test } from "bun:test";
import { createPublications } from "../../../../edge/publishing/redis.ts";
import { systemClock } from "../../../../runtime/clock.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { systemRandom } from "../../../../runtime/random.ts";
import { connectRedis } from "../../../../runtime/store-redis/connection.ts";
import detectionSample from "../../../fixtures/seed/redis-detection.json" with { type: "json" };
import mergedSample from "../../../fixtures/seed/redis-merged.json" with { type: "json" };
import { aDetectionResult } from "../../../support/build.ts";
import { aRiskUpdate } from "../../../support/edge.ts";
import { redisMissing, startRedis } from "../../../support/redis.ts";
import { differences } from "../../../support/same-kinds.ts";
import { thrownBy } from "../../../support/thrown.ts";
import { within } from "../../../support/wait.ts";

const missing = redisMissing();

const setUp = async (pictures: "ids" | "base64" = "ids") => {
  const server = await startRedis();
  const ports = { clock: systemClock, random: systemRandom, log: silentLog };
  const connection = await connectRedis({ url: server.url, password: null }, ports);
  const reader = server.client();
  const read = async (key: string) => JSON.parse((await reader.get(key)) ?? "null");
  return {
    ...{ server, connection, reader, read },
    publications: createPublications(connection, pictures, systemClock),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await server[Symbol.asyncDispose]();
    },
  };
};

const frame = (messageId: string, capturedAt: number, cameraId = 101) => aDetectionResult({ messageId, capturedAt, cameraId });
const verdict = (messageId: string, capturedAt: number, fields = {}) => aRiskUpdate(101, { messageId, capturedAt, ...fields });

describe.skipIf(missing !== null)(missing ?? "with a redis-server", () => {
  test("frames, merged results and alerts stand where the monitor's do, as long, in its fields", async () => {
    await using it = await setUp("base64");
    const { publications, reader, read } = it;
    await publications.detection(frame("m1", 1_000));
    expect(differences(await read("detection:m1"), detectionSample)).toEqual([]);
    await publications.update(verdict("m1", 1_000, { llmLatency: 1.5, llmModel: "qwen-vl-plus" }));
    const latest = await read("camera:101:latest");
    expect(differences(latest, mergedSample)).toEqual([]);
    expect(await reader.lrange("alerts:101", 0, -1)).toEqual([JSON.stringify(latest)]);
    for (const key of ["detection:m1", "camera:101:latest"]) {
      const leftMs = await reader.pttl(key);
      expect(leftMs).toBeGreaterThan(290_000);
      expect(leftMs).toBeLessThanOrEqual(300_000);
    }
    expect(await reader.ttl("alerts:101")).toBeGreaterThan(23 * 3_600);
  });

  test("pictures are ids unless the pictures themselves are asked for", async () => {
    await using it = await setUp();
    await it.publications.detection(frame("m1", 1_000));
    const [image] = (await it.read("detection:m1")).groupImages;
    expect(image.evidenceId).toMatch(/^[0-9a-f]{64}$/);
    expect(image).not.toHaveProperty("imageBase64");
  });

  test("an older frame's late verdict is told, and does not replace the newest", async () => {
    await using it = await setUp();
    const { publications, reader, read } = it;
    for (const [id, at] of [
      ["m1", 1_000],
      ["m2", 2_000],
    ] as const)
      await publications.detection(frame(id, at));
    await publications.update(verdict("m2", 2_000));
    await publications.update(verdict("m1", 1_000));
    expect(await read("camera:101:latest")).toMatchObject({ messageId: "m2" });
    expect(await reader.llen("alerts:101")).toBe(2);
  });

  test("only the last word on a frame of high risk is an alert; told again it is one alert; the last hundred are kept", async () => {
    await using it = await setUp();
    const { publications, reader } = it;
    await publications.detection(frame("m1", 1_000));
    await publications.update(verdict("m1", 1_000, { final: false }));
    await publications.update(verdict("m1", 1_000, { maxRiskLevel: "medium" }));
    expect(await reader.llen("alerts:101")).toBe(0);
    const last = verdict("m1", 1_000);
    await publications.update(last);
    await publications.update(last);
    expect(await reader.llen("alerts:101")).toBe(1);
    for (let index = 2; index < 112; index++) {
      await publications.detection(frame(`m${index}`, index * 1_000));
      await publications.update(verdict(`m${index}`, index * 1_000));
    }
    expect(await reader.llen("alerts:101")).toBe(100);
    expect(JSON.parse((await reader.lindex("alerts:101", 0)) ?? "")).toMatchObject({ messageId: "m111" });
  });

  test("verdicts without their frame are told with the monitor's warning, and kept nowhere", async () => {
    await using it = await setUp();
    const heard: string[] = [];
    const listener = it.server.client().on("message", (_channel, text) => heard.push(text));
    await listener.subscribe("camera:101");
    await it.publications.update(verdict("gone", 1_000));
    await within(20_000, "the message", () => heard.length === 1);
    expect(JSON.parse(heard[0] ?? "")).toMatchObject({ riskAssessment: { warning: expect.stringContaining("partial") } });
    expect(await it.reader.keys("*")).toEqual([]);
  });

  test("a verdict that is here before its frame waits for it a moment", async () => {
    await using it = await setUp();
    const nowMs = systemClock.nowMs();
    const telling = it.publications.update(verdict("m1", nowMs));
    await it.publications.detection(frame("m1", nowMs));
    await telling;
    expect(await it.read("camera:101:latest")).toMatchObject({ messageId: "m1" });
  });

  test("who listens hears again after the server died and came back, and so do those who read", async () => {
    await using it = await setUp();
    const { server, publications } = it;
    const heard: string[] = [];
    const listener = server.client().on("message", (channel, text) => heard.push(`${channel} ${JSON.parse(text).messageId}`));
    await listener.subscribe("camera:101");
    await publications.update(verdict("m1", 1_000));
    await within(20_000, "the first message", () => heard.length === 1);
    await server.kill();
    expect(await thrownBy(publications.update(verdict("m2", 2_000)))).toMatchObject({ code: "unavailable" });
    await server.start();
    await within(20_000, "a message after the outage", async () => {
      await publications.update(verdict("m3", 3_000)).catch(() => {});
      return heard.includes("camera:101 m3");
    });
    expect(heard).not.toContain("camera:101 m2");
  }, 20_000);
});
