import { describe, expect, test } from "bun:test";
import { createHealth, pictureChecksum, staleMsOf } from "../../../../actors/camera/health.ts";

const limits = { staleMs: 2000, frozenMs: 30_000 };

describe("health", () => {
  test("waits for the first frame, however long it takes", () => {
    expect(createHealth(0, limits).state(100_000)).toBe("waiting");
  });

  test("is stale without frames and online again with the next", () => {
    const health = createHealth(0, limits);
    health.frame(1000);
    expect([health.state(2999), health.state(3000)]).toEqual(["online", "stale"]);
    health.frame(3100);
    expect(health.state(3100)).toBe("online");
    expect(health.deliveredMs()).toBe(2100);
  });

  test("is frozen after 30 s of the same picture and online with another", () => {
    const health = createHealth(0, limits);
    const states: string[] = [];
    for (let atMs = 0; atMs <= 32_000; atMs += 1000) {
      health.frame(atMs);
      health.picture(atMs, atMs < 32_000 ? 7 : 8);
      states.push(health.state(atMs));
    }
    expect(states.indexOf("frozen")).toBe(30);
    expect(states.at(-1)).toBe("online");
  });

  test("a source that says nothing is stale, not frozen", () => {
    const health = createHealth(0, limits);
    health.frame(0);
    health.picture(0, 7);
    expect(health.state(60_000)).toBe("stale");
  });

  test("a file may stand still", () => {
    const health = createHealth(0, { ...limits, frozenMs: null });
    for (let atMs = 0; atMs <= 60_000; atMs += 1000) {
      health.frame(atMs);
      health.picture(atMs, 7);
    }
    expect(health.state(60_000)).toBe("online");
  });

  test.each([
    [30, 2000],
    [2, 2000],
    [1, 3000],
    [0.05, 60_000],
  ])("at %d frames per second it is stale after %d ms", (fps, ms) => {
    expect(staleMsOf(fps)).toBe(ms);
  });
});

describe("checksum", () => {
  const picture = new Uint8Array(640 * 360 * 3).map((_, at) => (at * 31) % 256);
  test("is the same for the same picture and ignores what lies behind it", () => {
    const longer = new Uint8Array(picture.length + 999).fill(9);
    longer.set(picture);
    expect(pictureChecksum(longer, picture.length)).toBe(pictureChecksum(picture, picture.length));
  });
  test("sees an object of 40 × 60 pixels move", () => {
    const moved = picture.slice();
    for (let y = 100; y < 160; y++) moved.fill(200, (y * 640 + 300) * 3, (y * 640 + 340) * 3);
    expect(pictureChecksum(moved, moved.length)).not.toBe(pictureChecksum(picture, picture.length));
  });
});
