import { describe, expect, test } from "bun:test";
import { decompressSync, FORMAT_RGB } from "@julusian/jpeg-turbo";
import { encodeCrop, encodeJpeg } from "../../../runtime/jpeg.ts";
import { seededRandom } from "../../../runtime/random.ts";

const decode = (jpeg: Uint8Array) => decompressSync(Buffer.from(jpeg), { format: FORMAT_RGB });

/** Each pixel's red is its column, its green is its row. */
const ramp = (width: number, height: number): Uint8Array => {
  const picture = new Uint8Array(new SharedArrayBuffer(width * height * 3));
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) picture.set([x, y, 0], (y * width + x) * 3);
  return picture;
};

const noise = (width: number, height: number): Uint8Array => {
  const random = seededRandom(5);
  return Uint8Array.from({ length: width * height * 3 }, () => Math.floor(random.next() * 256));
};

describe("encodeJpeg", () => {
  test("keeps size and colours, and reads shared memory", () => {
    const { width, height, data } = decode(encodeJpeg(ramp(200, 100), 200, 100, 95));
    expect([width, height]).toEqual([200, 100]);
    const at = (60 * 200 + 150) * 3;
    expect(Math.abs((data[at] ?? 0) - 150)).toBeLessThan(6);
    expect(Math.abs((data[at + 1] ?? 0) - 60)).toBeLessThan(6);
  });

  test("refuses a picture with too few bytes", () => {
    expect(() => encodeJpeg(new Uint8Array(10), 4, 4, 80)).toThrow("a 4x4 picture has 48 bytes, got 10");
  });
});

describe("encodeCrop", () => {
  const limits = { quality: 90, maxBytes: 65_536 };
  const sizes: [string, [number, number, number, number], number, [number, number] | null][] = [
    ["adds the margin on each side", [50, 40, 80, 60], 12, [54, 44]],
    ["clips at the picture's edge", [-20, 5, 30, 300], 12, [42, 100]],
    ["truncates to whole pixels", [10.9, 10.9, 20.9, 20.9], 0, [10, 10]],
    ["gives nothing for a box outside", [300, 10, 320, 30], 12, null],
    ["gives nothing for an empty box", [50, 50, 50, 50], 0, null],
    ["gives nothing for a box that is not a number", [Number.NaN, 0, 10, 10], 0, null],
  ];
  test.each(sizes)("%s", (_, box, margin, size) => {
    const jpeg = encodeCrop(ramp(200, 100), 200, 100, box, margin, limits);
    const decoded = jpeg && decode(jpeg);
    expect(decoded && [decoded.width, decoded.height]).toEqual(size);
  });

  test("a crop at the end of the picture is the same whether memory goes on behind it or not", () => {
    const picture = noise(200, 100);
    const longer = new Uint8Array(picture.length + 1_000);
    longer.set(picture);
    const cut = (pixels: Uint8Array) => encodeCrop(pixels, 200, 100, [150, 70, 200, 100], 12, limits);
    expect(cut(picture)).toEqual(cut(longer));
    expect(cut(picture)?.length).toBeGreaterThan(500);
  });

  test("cuts the right place", () => {
    const jpeg = encodeCrop(ramp(200, 100), 200, 100, [100, 50, 120, 70], 0, { ...limits, quality: 100 });
    const { data } = decode(jpeg ?? new Uint8Array());
    expect(Math.abs((data[0] ?? 0) - 100)).toBeLessThan(8);
    expect(Math.abs((data[1] ?? 0) - 50)).toBeLessThan(8);
  });

  test("makes incompressible pixels fit the limit", () => {
    const jpeg = encodeCrop(noise(400, 300), 400, 300, [0, 0, 400, 300], 0, { quality: 95, maxBytes: 8_000 });
    expect(jpeg?.byteLength).toBeLessThanOrEqual(8_000);
    expect(decode(jpeg ?? new Uint8Array()).width).toBeLessThan(400);
  });

  test("gives up rather than exceed a limit that no picture meets", () => {
    expect(encodeCrop(noise(64, 64), 64, 64, [0, 0, 64, 64], 0, { quality: 95, maxBytes: 100 })).toBeNull();
  });

  test("brings the longer side down and keeps the average", () => {
    const flat = new Uint8Array(300 * 150 * 3).fill(90);
    const jpeg = encodeCrop(flat, 300, 150, [0, 0, 300, 150], 0, { ...limits, sideMax: 100 });
    const { width, height, data } = decode(jpeg ?? new Uint8Array());
    expect([width, height]).toEqual([100, 50]);
    expect(Math.abs((data[500] ?? 0) - 90)).toBeLessThan(3);
  });
});
