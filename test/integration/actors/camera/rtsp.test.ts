import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { pictureChecksum } from "../../../../actors/camera/health.ts";
import { openMedia } from "../../../../actors/camera/node-av.ts";
import { probe } from "../../../../actors/camera/probe.ts";
import { systemClock } from "../../../../runtime/clock.ts";
import { createFramePool, framePoolLayout } from "../../../../runtime/frame-pool.ts";
import { h264Clip } from "../../../../tools/rtsp/h264.ts";
import { type RtspServer, startRtspServer } from "../../../../tools/rtsp/server.ts";
import { testMedia } from "../../../support/media.ts";
import { pickedRateOf, watchSource } from "../../../support/source-probe.ts";
import { within } from "../../../support/wait.ts";

setDefaultTimeout(60_000);

const clip = testMedia("media/vtest.avi");
const quick = { backoff: { baseMs: 200, capMs: 400, resetAfterMs: 30_000 } };
const check = async (target: string) => ({ kind: "rtsp" as const, target });

describe.skipIf(clip === null)("an RTSP camera (needs vtest.avi)", () => {
  let server: RtspServer;
  beforeAll(async () => {
    server = await startRtspServer({ clip: await h264Clip(clip ?? "", { width: 640, height: 360, framesMax: 100 }), fps: 10 });
  });
  afterAll(() => server.close());

  test("picks no more than the wanted rate, and stays connected once", async () => {
    await using source = watchSource(server.url, { settings: { fps: 5 } });
    await source.reaches("online");
    await within(20_000, "20 frames", () => source.frames.length >= 20);
    expect(pickedRateOf(source)).toBeLessThan(6.5); // of ten a second
    expect(server.clients()).toBe(1);
    expect(source.drops).toEqual([]);
    await source.close();
    await within(20_000, "the connection to end", () => server.clients() === 0);
  });

  test("what is wanted looks the same whether the rest is decoded or not", async () => {
    const pool = createFramePool(framePoolLayout(1, 64));
    const framesRead = 24;
    /** By its place in the stream, what a frame shows; null when it was skipped. */
    const looks = async (isWanted?: (index: number) => boolean): Promise<(number | null)[]> => {
      const signal = AbortSignal.timeout(40_000);
      const options = { clock: systemClock, signal, timeoutMs: 5_000, undecodable() {} };
      const media = await openMedia({ kind: "rtsp", target: server.url }, options);
      const seen: (number | null)[] = [];
      try {
        while (seen.length < framesRead) {
          const frame = await media.next(isWanted && (() => isWanted(seen.length)));
          if (frame?.isSkipped) seen.push(null);
          else {
            const lease = pool.acquire();
            if (!frame || !lease) throw new Error("the stream ended");
            media.write(pool, lease);
            seen.push(pictureChecksum(pool.picture(lease), 640 * 360 * 3));
            pool.release(lease);
          }
        }
      } finally {
        await media.close();
      }
      return seen;
    };
    const all = await looks();
    const wanted = await looks((index) => index % 3 === 0);
    expect(new Set(all).size).toBe(framesRead);
    expect(wanted.filter((look) => look === null).length).toBeGreaterThan(6);
    expect(wanted.map((look, index) => look ?? all[index])).toEqual(all);
    for (let index = 0; index < framesRead; index += 3) expect(wanted[index]).not.toBeNull();
  });

  test("that stalls is stale, and online again when it goes on", async () => {
    await using source = watchSource(server.url, quick);
    await source.reaches("online");
    server.stall();
    expect(await source.reaches("stale")).toBe("no frame for 2 s");
    server.resume();
    await source.reaches("online");
  });

  test("that stalls for good is offline in the end, and closing it does not wait", async () => {
    await using source = watchSource(server.url, { ...quick, silenceMs: 2500, openTimeoutMs: 300_000 });
    await source.reaches("online");
    server.stall();
    expect(await source.reaches("offline")).toBe("no frame for 2.5 s");
    await source.close();
    server.resume();
  });

  test("that vanishes is offline, and online when it comes back at the same address", async () => {
    await using source = watchSource(server.url, quick);
    await source.reaches("online");
    server.kill();
    await source.reaches("offline");
    await within(20_000, "a refused connection", () => source.states.some(({ reason }) => reason === "connection refused"));
    server.listen();
    await source.reaches("online");
    const before = source.frames.length;
    await within(20_000, "new frames", () => source.frames.length > before + 2);
    expect(source.frames.at(-1)?.segment).toBeGreaterThan(0);
  });

  test.each([
    [401, "server returned 401 unauthorized (authorization failed)"],
    [404, "server returned 404 not found"],
  ] as const)("that answers %d says so", async (status, reason) => {
    server.refuse(status);
    await using source = watchSource(server.url.replace("//", "//user:secret@"), quick);
    expect(await source.reaches("offline")).toBe(reason);
    server.refuse(null);
    await source.reaches("online");
  });

  test("that hangs while it is opened does not hold up the close, nor another camera", async () => {
    const mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    await using healthy = watchSource(server.url, { settings: { fps: 10 } });
    // One: each holds a thread of a small pool, which a start of the program makes larger. It would hang longer than the test.
    const hanging = watchSource(`rtsp://127.0.0.1:${mute.port}/x`, { openTimeoutMs: 300_000, silenceMs: 300_000 });
    await healthy.reaches("online");
    await within(20_000, "20 frames", () => healthy.frames.length >= 20);
    expect(hanging.states.map(({ state }) => state)).toEqual(["connecting"]);
    await hanging.close();
    mute.stop(true);
  });

  test("is probed", async () => {
    const ports = { open: openMedia, check, clock: systemClock };
    expect(await probe(server.url, ports)).toMatchObject({ ok: true, codec: "h264", width: 640, height: 360, fps: 10 });
    server.refuse(404);
    expect(await probe(server.url, ports)).toMatchObject({ ok: false, error: "server returned 404 not found" });
    server.refuse(null);
  });
});

test.skipIf(clip === null)("the test server also runs as a program (needs vtest.avi)", async () => {
  const path = await h264Clip(clip ?? "", { width: 640, height: 360, framesMax: 100 });
  const script = new URL("../../../../tools/rtsp/server.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, script, "--clip", path, "--fps", "25"], { stdout: "pipe", stderr: "inherit" });
  try {
    const { value } = await child.stdout.getReader().read();
    const url = Buffer.from(value ?? [])
      .toString()
      .trim();
    expect(await probe(url, { open: openMedia, check, clock: systemClock })).toMatchObject({ ok: true, width: 640 });
  } finally {
    child.kill();
    await child.exited;
  }
});

test("a probe of a host that accepts and says nothing ends in time", async () => {
  const mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const ports = { open: openMedia, check, clock: systemClock, timeoutMs: 1000 };
  const result = await probe(`rtsp://127.0.0.1:${mute.port}/x`, ports);
  expect(result).toMatchObject({ ok: false, error: "no picture within 1 s" });
  mute.stop(true);
});
