import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { h264Clip } from "../../../../tools/rtsp/h264.ts";
import { testMedia } from "../../../support/media.ts";
import { watchSource } from "../../../support/source-probe.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { within } from "../../../support/wait.ts";

setDefaultTimeout(60_000);

const clip = testMedia("media/vtest.avi") ?? "";

describe.skipIf(clip === "")("a file (needs vtest.avi)", () => {
  const mediaDirs = [dirname(clip)];

  test.each([
    [2, 9],
    [5, 21],
  ])("at %d frames per second gives each that is due, and none before its time", async (fps, count) => {
    await using source = watchSource(`file:${clip}`, { mediaDirs, settings: { fps } });
    await within(20_000, `${count} frames`, () => source.frames.length >= count);
    const periods = source.frames.slice(1).map(({ mediaTimeMs }, at) => mediaTimeMs - (source.frames[at]?.mediaTimeMs ?? 0));
    expect(new Set(periods)).toEqual(new Set([1000 / fps]));
    expect(source.drops).toEqual([]);
    // The first one's way into its slot may have taken a while, but not half the film.
    const shownMs = (source.frames[count - 1]?.capturedAt ?? 0) - (source.frames[0]?.capturedAt ?? 0);
    expect(shownMs).toBeGreaterThan(((count - 1) * 1000) / fps / 2);
  });

  test("gives the picture, the letterboxed input and the header", async () => {
    const seen: unknown[] = [];
    await using source = watchSource(`file:${clip}`, {
      mediaDirs,
      look(pool, lease, frame) {
        const picture = pool.picture(lease);
        const input = pool.input(lease);
        const mean = picture.subarray(0, 768 * 576 * 3).reduce((sum, byte) => sum + byte, 0) / (768 * 576 * 3);
        seen.push({
          ...pool.header(lease),
          image: [frame.imageWidth, frame.imageHeight],
          hasPicture: mean > 60 && mean < 200,
          hasImage: input.subarray(0, 312 * 416 * 3).some((byte) => byte !== 114),
          isPadded: input.subarray(312 * 416 * 3).every((byte) => byte === 114),
        });
      },
    });
    await within(20_000, "a frame", () => source.frames.length > 0);
    expect(seen[0]).toEqual({
      pictureWidth: 768,
      pictureHeight: 576,
      inputScale: 416 / 768,
      image: [768, 576],
      hasPicture: true,
      hasImage: true,
      isPadded: true,
    });
  });

  test("that is looped opens a segment each time and plays on without a gap", async () => {
    const short = await h264Clip(clip, { width: 320, height: 240, framesMax: 20 });
    await using source = watchSource(`file:${short}`, { mediaDirs: [dirname(short)], settings: { loop: true, fps: 10 } });
    await within(20_000, "three rounds", () => source.frames.some(({ segment }) => segment === 3));
    expect([...new Set(source.frames.map(({ segment }) => segment))]).toEqual([0, 1, 2, 3]);
    // 20 frames at 25 a second, three times.
    expect(source.frames.filter(({ segment }) => segment < 3)).toHaveLength((3 * 800 * 10) / 1000);
    expect(source.states.map(({ state }) => state)).toEqual(["connecting", "online"]);
  });

  test("that ends is offline", async () => {
    const short = await h264Clip(clip, { width: 320, height: 240, framesMax: 20 });
    await using source = watchSource(`file:${short}`, { mediaDirs: [dirname(short)] });
    expect(await source.reaches("offline")).toBe("the recording has ended");
  });

  test("behind a link that leads out of the allowed directories is refused", async () => {
    await using directory = await tempDir();
    await symlink(clip, join(directory.path, "link.avi"));
    await using source = watchSource(`file:${join(directory.path, "link.avi")}`, { mediaDirs: [directory.path] });
    expect(await source.reaches("failed")).toContain("add its directory to cameras.mediaDirs");
  });
});

test("a text file is no video, and is tried again", async () => {
  await using directory = await tempDir();
  await Bun.write(join(directory.path, "notes.avi"), "this is not a video\n".repeat(5000));
  await using source = watchSource(`file:${join(directory.path, "notes.avi")}`, { mediaDirs: [directory.path] });
  expect(await source.reaches("offline")).toBe("invalid data found when processing input");
});

test.each([
  ["a concat script", "ffconcat version 1.0\nfile other.avi\n", "not a kind of video that may be opened"],
  [
    "a playlist",
    "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "invalid data found when processing input",
  ],
])("%s in a media directory leads nowhere", async (_, text, reason) => {
  await using directory = await tempDir();
  await Bun.write(join(directory.path, "trap.avi"), text.padEnd(4000, "\n"));
  await using source = watchSource(`file:${join(directory.path, "trap.avi")}`, { mediaDirs: [directory.path] });
  expect(await source.reaches("offline")).toBe(reason);
});

test("closing while a frame waits for its time takes no time", async () => {
  await using directory = await tempDir();
  const source = watchSource(`file:${clip}`, {
    mediaDirs: [clip === "" ? directory.path : dirname(clip)],
    settings: { fps: 0.001 },
  });
  await within(20_000, "a first word", () => source.states.length > 0);
  await source.close();
  expect(source.pool.stats().free).toBe(3);
});
