/** What a perfect detector would say of the picture: the boxes around what it shows of each road user. */
import type { Detection } from "../../../protocols/frame.ts";
import { blocksOf, projectBlock } from "./bodies.ts";
import type { Placement } from "./placement.ts";
import { nearM, project, type View } from "./view.ts";

/** Boxes smaller than this on their longer side are left out. */
export const smallestPx = 8;
/** Objects of which less than this share shows are left out. */
export const leastVisible = 0.2;
const clearConfidence = 0.9;

type Silhouette = {
  readonly place: Placement;
  readonly depth: number;
  /** Unclipped. */
  readonly full: readonly [number, number, number, number];
  readonly box: readonly [number, number, number, number];
};

const corners = new Float64Array(16);
const foot = new Float64Array(2);

const silhouetteOf = (view: View, place: Placement): Silhouette | null => {
  const depth = project(view, place.x, place.y, 0, foot, 0);
  if (depth < 3 * nearM) return null;
  let x1 = Number.POSITIVE_INFINITY;
  let y1 = Number.POSITIVE_INFINITY;
  let x2 = Number.NEGATIVE_INFINITY;
  let y2 = Number.NEGATIVE_INFINITY;
  for (const block of blocksOf(place)) {
    if (projectBlock(view, place, block, corners) < nearM) return null;
    for (let corner = 0; corner < 8; corner++) {
      const x = corners[2 * corner] ?? 0;
      const y = corners[2 * corner + 1] ?? 0;
      x1 = Math.min(x1, x);
      y1 = Math.min(y1, y);
      x2 = Math.max(x2, x);
      y2 = Math.max(y2, y);
    }
  }
  const box = [Math.max(0, x1), Math.max(0, y1), Math.min(view.width, x2), Math.min(view.height, y2)] as const;
  if (box[2] - box[0] <= 1 || box[3] - box[1] <= 1) return null;
  return { place, depth, full: [x1, y1, x2, y2], box };
};

const grid = 6;

/** The share of the whole box that lies in the picture and behind no nearer box, by sampling. */
const visibleShare = (one: Silhouette, nearer: readonly Silhouette[]): number => {
  const [x1, y1, x2, y2] = one.box;
  const [fx1, fy1, fx2, fy2] = one.full;
  const inPicture = ((x2 - x1) * (y2 - y1)) / ((fx2 - fx1) * (fy2 - fy1));
  const before = nearer.filter(({ box }) => box[0] < x2 && box[2] > x1 && box[1] < y2 && box[3] > y1);
  if (before.length === 0) return inPicture;
  let shown = 0;
  for (let row = 0; row < grid; row++) {
    const y = y1 + ((row + 0.5) / grid) * (y2 - y1);
    for (let column = 0; column < grid; column++) {
      const x = x1 + ((column + 0.5) / grid) * (x2 - x1);
      // A body does not fill the corners of its box.
      const hidden = before.some(({ box }) => {
        const inset = 0.1 * Math.min(box[2] - box[0], box[3] - box[1]);
        return x > box[0] + inset && x < box[2] - inset && y > box[1] + inset && y < box[3] - inset;
      });
      if (!hidden) shown += 1;
    }
  }
  return (inPicture * shown) / (grid * grid);
};

/** Small objects and half-hidden ones are less certain, as they are to a detector. */
const confidenceOf = (sizePx: number, visible: number): number => {
  const small = Math.max(0, 1 - sizePx / 36) * 0.35;
  const hidden = Math.max(0, 0.95 - visible) * 0.5;
  return Math.round(Math.max(0.3, clearConfidence - small - hidden) * 1_000) / 1_000;
};

export type Sighting = Detection & { readonly id: number; readonly visible: number };

/** The same with the id of each object and how much of it shows, nearest first. */
export const sightings = (view: View, objects: readonly Placement[]): Sighting[] => {
  const silhouettes: Silhouette[] = [];
  for (const place of objects) {
    const one = silhouetteOf(view, place);
    if (one) silhouettes.push(one);
  }
  silhouettes.sort((one, other) => one.depth - other.depth || one.place.id - other.place.id);
  const seen: Sighting[] = [];
  for (const [index, one] of silhouettes.entries()) {
    const sizePx = Math.max(one.box[2] - one.box[0], one.box[3] - one.box[1]);
    if (sizePx < smallestPx) continue;
    const visible = visibleShare(one, silhouettes.slice(0, index));
    if (visible < leastVisible) continue;
    const { id, class: name } = one.place;
    seen.push({ id, visible, class: name, confidence: confidenceOf(sizePx, visible), bbox: [...one.box] });
  }
  return seen;
};

export const truthOf = (view: View, objects: readonly Placement[]): Detection[] =>
  sightings(view, objects).map(({ class: name, confidence, bbox }) => ({ class: name, confidence, bbox }));
