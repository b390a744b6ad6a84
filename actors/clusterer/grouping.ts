/**
 * Groups of road users by distance of centres: single linkage, so a group is a connected component of the graph whose edges
 * are pairs within the distance. Pairs are found by a sweep from left to right, so that the cost is that of the neighbours, not
 * of all pairs.
 */
import type { Box } from "../../protocols/ids.ts";

export type Groupable = { readonly class: string; readonly confidence: number; readonly bbox: Box };

export type GroupingOptions = {
  /** Greatest distance of two centres, inclusive. */
  readonly distancePx: number;
  readonly minMembers: number;
  /**
   * When given, the distance is this many mean diagonals of the two boxes instead of `distancePx`: near and far road users
   * are then grouped alike, whatever the resolution.
   */
  readonly relativeDistance?: number | undefined;
  /** When given, no group grows wider or higher than this: against chains along a whole road. */
  readonly maxDiameterPx?: number | null | undefined;
};

export const groupingDefaults: GroupingOptions = { distancePx: 150, minMembers: 2 };

export type Group = {
  /** Indices into the objects, ascending. */
  readonly memberIndices: number[];
  readonly bbox: Box;
  /** Distinct, sorted. */
  readonly classes: string[];
  readonly averageConfidence: number;
};

type Link = { readonly a: number; readonly b: number; readonly distance: number };

/** Groups in the order of their first member. */
export const groupObjects = (objects: readonly Groupable[], options: GroupingOptions): Group[] => {
  if (objects.length < options.minMembers) return [];
  const { maxDiameterPx } = options;
  const rootOf = maxDiameterPx ? joinWithin(objects, options, maxDiameterPx) : join(objects, options);
  const members = new Map<number, number[]>();
  objects.forEach((_, index) => {
    const root = rootOf(index);
    const known = members.get(root);
    if (known) known.push(index);
    else members.set(root, [index]);
  });
  return [...members.values()]
    .filter(({ length }) => length >= options.minMembers)
    .map((indices) => describeGroup(objects, indices));
};

export const describeGroup = (objects: readonly Groupable[], memberIndices: number[]): Group => {
  const bbox: [number, number, number, number] = [
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  const classes = new Set<string>();
  let confidence = 0;
  for (const index of memberIndices) {
    const object = objects[index];
    if (!object) continue;
    bbox[0] = Math.min(bbox[0], object.bbox[0]);
    bbox[1] = Math.min(bbox[1], object.bbox[1]);
    bbox[2] = Math.max(bbox[2], object.bbox[2]);
    bbox[3] = Math.max(bbox[3], object.bbox[3]);
    classes.add(object.class);
    confidence += object.confidence;
  }
  return { memberIndices, bbox, classes: [...classes].sort(), averageConfidence: confidence / memberIndices.length };
};

const diagonalOf = ([x1, y1, x2, y2]: Box): number => Math.hypot(x2 - x1, y2 - y1);

/** Visits each pair of objects within the distance, once. */
const visitLinks = (
  objects: readonly Groupable[],
  { distancePx, relativeDistance }: GroupingOptions,
  visit: (a: number, b: number, distance: number) => void,
): void => {
  const xs = objects.map(({ bbox }) => (bbox[0] + bbox[2]) / 2);
  const ys = objects.map(({ bbox }) => (bbox[1] + bbox[3]) / 2);
  const reaches = objects.map(
    ({ bbox }) => (relativeDistance === undefined ? distancePx : relativeDistance * diagonalOf(bbox)) / 2,
  );
  const reachMax = reaches.reduce((most, reach) => Math.max(most, reach), 0);

  const order = xs.map((_, index) => index).sort((one, other) => (xs[one] ?? 0) - (xs[other] ?? 0));
  for (let right = 1; right < order.length; right++) {
    const b = order[right] ?? 0;
    const [x, y, reach] = [xs[b] ?? 0, ys[b] ?? 0, reaches[b] ?? 0];
    // Two reaches add up to the pair's distance.
    for (let left = right - 1; left >= 0; left--) {
      const a = order[left] ?? 0;
      const [dx, dy] = [x - (xs[a] ?? 0), y - (ys[a] ?? 0)];
      if (dx > reachMax + reach) break;
      const distance = Math.sqrt(dx * dx + dy * dy);
      if (distance <= (reaches[a] ?? 0) + reach) visit(Math.min(a, b), Math.max(a, b), distance);
    }
  }
};

/** Union-find with path halving; the lower index is the root, so a root is its group's first member. */
const unionFind = (count: number) => {
  const parent = new Int32Array(count).map((_, index) => index);
  const find = (start: number): number => {
    let node = start;
    for (let up = parent[node] ?? node; up !== node; up = parent[node] ?? node) {
      parent[node] = parent[up] ?? up;
      node = up;
    }
    return node;
  };
  const union = (a: number, b: number): void => {
    const [first, second] = [find(a), find(b)];
    parent[Math.max(first, second)] = Math.min(first, second);
  };
  return { find, union };
};

const join = (objects: readonly Groupable[], options: GroupingOptions): ((index: number) => number) => {
  const { find, union } = unionFind(objects.length);
  visitLinks(objects, options, union);
  return find;
};

/** Closest pairs first (Kruskal), so that what stands together stays together where a chain must be cut. */
const joinWithin = (
  objects: readonly Groupable[],
  options: GroupingOptions,
  maxDiameterPx: number,
): ((index: number) => number) => {
  const links: Link[] = [];
  visitLinks(objects, options, (a, b, distance) => links.push({ a, b, distance }));
  links.sort((one, other) => one.distance - other.distance || one.b - other.b || one.a - other.a);
  const { find, union } = unionFind(objects.length);
  const boxes = objects.map(({ bbox }) => bbox);
  for (const { a, b } of links) {
    const [rootA, rootB] = [find(a), find(b)];
    const [boxA, boxB] = [boxes[rootA], boxes[rootB]];
    if (rootA === rootB || !boxA || !boxB) continue;
    const merged: Box = [
      Math.min(boxA[0], boxB[0]),
      Math.min(boxA[1], boxB[1]),
      Math.max(boxA[2], boxB[2]),
      Math.max(boxA[3], boxB[3]),
    ];
    if (Math.max(merged[2] - merged[0], merged[3] - merged[1]) > maxDiameterPx) continue;
    union(a, b);
    boxes[find(a)] = merged;
  }
  return find;
};
