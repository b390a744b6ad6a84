/**
 * A small software rasteriser: filled polygons with anti-aliasing into an RGB buffer. Coverage is exact along a row and
 * sampled four times down it; spans are kept as differences and summed up once a row, as font rasterisers do.
 */

export type Canvas = { readonly width: number; readonly height: number; readonly pixels: Uint8Array };

export type Rgb = readonly [number, number, number];

export const rgb = (hex: number): Rgb => [(hex >> 16) & 255, (hex >> 8) & 255, hex & 255];

export const mix = (one: Rgb, other: Rgb, part: number): Rgb => [
  one[0] + (other[0] - one[0]) * part,
  one[1] + (other[1] - one[1]) * part,
  one[2] + (other[2] - one[2]) * part,
];

export const shade = (colour: Rgb, factor: number): Rgb => [
  Math.min(255, colour[0] * factor),
  Math.min(255, colour[1] * factor),
  Math.min(255, colour[2] * factor),
];

const samples = 4;
const edgesMax = 64;
const crossings = new Float64Array(edgesMax);
let differences = new Float64Array(0);
/** The part of `differences` that the row in hand has touched. */
let rowFrom = 0;
let rowTo = 0;

/** Insertion sort of the first `count` crossings: there are two of them nearly always. */
const sortCrossings = (count: number): void => {
  for (let index = 1; index < count; index++) {
    const value = crossings[index] ?? 0;
    let place = index - 1;
    while (place >= 0 && (crossings[place] ?? 0) > value) {
      crossings[place + 1] = crossings[place] ?? 0;
      place -= 1;
    }
    crossings[place + 1] = value;
  }
};

/** Where the polygon's edges cross the line `y`. */
const crossAt = (points: ArrayLike<number>, count: number, y: number): number => {
  let found = 0;
  let x0 = points[2 * count - 2] ?? 0;
  let y0 = points[2 * count - 1] ?? 0;
  for (let index = 0; index < count; index++) {
    const x1 = points[2 * index] ?? 0;
    const y1 = points[2 * index + 1] ?? 0;
    if (y0 <= y !== y1 <= y && found < edgesMax) crossings[found++] = x0 + ((y - y0) / (y1 - y0)) * (x1 - x0);
    x0 = x1;
    y0 = y1;
  }
  return found;
};

const addEdge = (x: number, width: number, weight: number): void => {
  const at = Math.min(Math.max(x, 0), width);
  const index = Math.floor(at);
  const part = at - index;
  if (index < rowFrom) rowFrom = index;
  if (index + 2 > rowTo) rowTo = index + 2;
  differences[index] = (differences[index] ?? 0) + weight * (1 - part);
  differences[index + 1] = (differences[index + 1] ?? 0) + weight * part;
};

const blendRow = (canvas: Canvas, y: number, colour: Rgb, alpha: number): void => {
  const { pixels, width } = canvas;
  const fromX = rowFrom;
  const toX = Math.min(width, rowTo);
  const [red, green, blue] = colour;
  let cover = 0;
  let at = (y * width + fromX) * 3;
  for (let x = fromX; x < toX; x++, at += 3) {
    cover += differences[x] ?? 0;
    differences[x] = 0;
    const part = cover * alpha;
    if (part > 0.995) {
      pixels[at] = red;
      pixels[at + 1] = green;
      pixels[at + 2] = blue;
    } else if (part > 0.004) {
      const r = pixels[at] ?? 0;
      const g = pixels[at + 1] ?? 0;
      const b = pixels[at + 2] ?? 0;
      pixels[at] = r + (red - r) * part + 0.5;
      pixels[at + 1] = g + (green - g) * part + 0.5;
      pixels[at + 2] = b + (blue - b) * part + 0.5;
    }
  }
};

/** Fills the polygon of `count` points `x, y, x, y, …` by the even-odd rule. Points may lie outside the canvas. */
export const fill = (canvas: Canvas, points: ArrayLike<number>, count: number, colour: Rgb, alpha = 1): void => {
  const { width, height } = canvas;
  if (differences.length < width + 2) differences = new Float64Array(width + 2);
  let top = Number.POSITIVE_INFINITY;
  let bottom = Number.NEGATIVE_INFINITY;
  let left = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < count; index++) {
    const x = points[2 * index] ?? 0;
    const y = points[2 * index + 1] ?? 0;
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
    left = Math.min(left, x);
    right = Math.max(right, x);
  }
  if (!(right > 0 && left < width)) return;
  const lastY = Math.min(height - 1, Math.floor(bottom));
  for (let y = Math.max(0, Math.floor(top)); y <= lastY; y++) {
    rowFrom = width;
    rowTo = 0;
    for (let sample = 0; sample < samples; sample++) {
      const found = crossAt(points, count, y + (sample + 0.5) / samples);
      if (found > 2) sortCrossings(found);
      for (let pair = 0; pair + 1 < found; pair += 2) {
        const one = crossings[pair] ?? 0;
        const other = crossings[pair + 1] ?? 0;
        addEdge(Math.min(one, other), width, 1 / samples);
        addEdge(Math.max(one, other), width, -1 / samples);
      }
    }
    blendRow(canvas, y, colour, alpha);
    // What lies just right of the canvas is never drawn, but must not reach the next row.
    differences[width] = 0;
    differences[width + 1] = 0;
  }
};

const disc = new Float64Array(2 * 16);

/** An ellipse as a sixteen-cornered polygon. */
export const fillEllipse = (
  canvas: Canvas,
  x: number,
  y: number,
  radiusX: number,
  radiusY: number,
  colour: Rgb,
  alpha = 1,
): void => {
  for (let index = 0; index < 16; index++) {
    const angle = (index * Math.PI) / 8;
    disc[2 * index] = x + radiusX * Math.cos(angle);
    disc[2 * index + 1] = y + radiusY * Math.sin(angle);
  }
  fill(canvas, disc, 16, colour, alpha);
};

const band = new Float64Array(8);

/** A straight stroke of even width. */
export const stroke = (
  canvas: Canvas,
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  widthPx: number,
  colour: Rgb,
  alpha = 1,
): void => {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 1e-6) return;
  const nx = (-(y1 - y0) / length) * (widthPx / 2);
  const ny = ((x1 - x0) / length) * (widthPx / 2);
  band.set([x0 + nx, y0 + ny, x1 + nx, y1 + ny, x1 - nx, y1 - ny, x0 - nx, y0 - ny]);
  fill(canvas, band, 4, colour, alpha);
};

/** Convex hull of `count` points, Andrew's monotone chain; writes it into `out` and returns its number of points. */
export const hull = (points: ArrayLike<number>, count: number, out: Float64Array): number => {
  const order = Array.from({ length: count }, (_, index) => index).sort(
    (one, other) =>
      (points[2 * one] ?? 0) - (points[2 * other] ?? 0) || (points[2 * one + 1] ?? 0) - (points[2 * other + 1] ?? 0),
  );
  let size = 0;
  const add = (index: number, floor: number) => {
    const x = points[2 * index] ?? 0;
    const y = points[2 * index + 1] ?? 0;
    while (size >= floor) {
      const ax = out[2 * size - 4] ?? 0;
      const ay = out[2 * size - 3] ?? 0;
      const bx = out[2 * size - 2] ?? 0;
      const by = out[2 * size - 1] ?? 0;
      if ((bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0) break;
      size -= 1;
    }
    out[2 * size] = x;
    out[2 * size + 1] = y;
    size += 1;
  };
  for (const index of order) add(index, 2);
  const lower = size + 1;
  for (const index of order.slice(0, -1).reverse()) add(index, lower);
  return Math.max(0, size - 1);
};
