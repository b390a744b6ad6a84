import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { letterbox, pad, pictureSize } from "../../../../actors/camera/fit.ts";
import { framePoolLayout } from "../../../../runtime/frame-pool.ts";

const { pictureBytes } = framePoolLayout(1, 416);

describe("picture size", () => {
  test.each([
    ["a small picture is kept", [640, 360], [640, 360]],
    ["720p is kept", [1280, 720], [1280, 720]],
    ["1080p becomes 720p", [1920, 1080], [1280, 720]],
    ["4:3 fits by its bytes", [1600, 1200], [1108, 831]],
    ["an upright picture fits by its bytes", [1080, 1920], [720, 1280]],
    ["a wide panorama fits by its width", [5120, 1024], [1280, 256]],
  ])("%s", (_, [width = 0, height = 0], size) => {
    expect(Object.values(pictureSize({ width, height }, pictureBytes, 1280))).toEqual(size);
  });

  test("any size fits and keeps its shape", () => {
    const side = fc.integer({ min: 16, max: 8192 });
    fc.assert(
      fc.property(side, side, (width, height) => {
        const size = pictureSize({ width, height }, pictureBytes, 1280);
        expect(size.width * size.height * 3).toBeLessThanOrEqual(pictureBytes);
        expect(size.width).toBeLessThanOrEqual(Math.min(width, 1280));
        expect(Math.abs(size.height - (size.width * height) / width)).toBeLessThanOrEqual(1 + height / width);
      }),
    );
  });
});

describe("letterbox", () => {
  test.each([
    ["a landscape", [768, 576], { width: 416, height: 312, scale: 416 / 768 }],
    ["an upright picture", [720, 1280], { width: 234, height: 416, scale: 0.325 }],
    ["a square", [500, 500], { width: 416, height: 416, scale: 0.832 }],
    ["a picture smaller than the input is enlarged", [208, 104], { width: 416, height: 208, scale: 2 }],
  ])("%s", (_, [width = 0, height = 0], fitted) => {
    expect(letterbox({ width, height }, 416)).toEqual(fitted);
  });

  test.each([
    ["below a landscape", { width: 4, height: 2 }],
    ["beside an upright picture", { width: 2, height: 4 }],
    ["below and beside", { width: 3, height: 2 }],
    ["nowhere around a square", { width: 4, height: 4 }],
  ])("pads %s", (_, image) => {
    const input = new Uint8Array(4 * 4 * 3);
    pad(input, 4, image);
    const expected = Array.from({ length: 48 }, (_value, at) => {
      const x = Math.floor(at / 3) % 4;
      const y = Math.floor(at / 12);
      return x < image.width && y < image.height ? 0 : 114;
    });
    expect([...input]).toEqual(expected);
  });
});
