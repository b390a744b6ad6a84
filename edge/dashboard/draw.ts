/** Draws one frame: the picture, the objects in it, and the groups with their risk. */
import type { DetectedObject, TrafficGroup } from "../../protocols/detection.ts";
import type { Box, RiskLevel } from "../../protocols/ids.ts";
import { isWord, say } from "./text.ts";

export type Drawing = {
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly objects: readonly DetectedObject[];
  readonly groups: readonly { readonly group: TrafficGroup; readonly level: RiskLevel }[];
  readonly picture: ImageBitmap | null;
};

/** On pictures, which are neither dark nor light, colours stand on a dark plate of their own. */
const plate = "rgb(10 13 15 / 0.82)";
const objectColour = "#8fdcf0";
const levelColour: Readonly<Record<RiskLevel, string>> = { none: "#b4c2c9", low: "#eee170", medium: "#ffbb55", high: "#ff8377" };
const levelMark: Readonly<Record<RiskLevel, string>> = { none: "", low: "● ", medium: "◆ ", high: "▲ " };

const levelRank = (level: RiskLevel): number => Object.keys(levelMark).indexOf(level);

type Rectangle = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
type Frame = { readonly scale: number; readonly left: number; readonly top: number };

const place = ([x1, y1, x2, y2]: Box, { scale, left, top }: Frame): Rectangle => ({
  x: left + x1 * scale,
  y: top + y1 * scale,
  width: (x2 - x1) * scale,
  height: (y2 - y1) * scale,
});

const grown = ({ x, y, width, height }: Rectangle, by: number): Rectangle => ({
  x: x - by,
  y: y - by,
  width: width + 2 * by,
  height: height + 2 * by,
});

/** Labels stand above their box, else below it; those that would cover one another are left out, unless they are needed. */
const createLabels = (context: CanvasRenderingContext2D, unit: number) => {
  const taken: Rectangle[] = [];
  const { canvas } = context;
  const height = 17 * unit;
  const covers = (one: Rectangle): boolean =>
    taken.some(
      (other) =>
        one.x < other.x + other.width &&
        one.x + one.width > other.x &&
        one.y < other.y + other.height &&
        one.y + one.height > other.y,
    );
  context.textBaseline = "middle";
  return (text: string, box: Rectangle, colour: string, isNeeded: boolean): void => {
    const width = context.measureText(text).width + 8 * unit;
    const x = Math.max(0, Math.min(box.x, canvas.width - width));
    const within = (y: number): Rectangle => ({ x, y: Math.max(0, Math.min(y, canvas.height - height)), width, height });
    const above = within(box.y - height);
    const free = [above, within(box.y + box.height)].find((place) => !covers(place));
    const chosen = free ?? (isNeeded ? above : null);
    if (!chosen) return;
    taken.push(chosen);
    context.fillStyle = plate;
    context.fillRect(chosen.x, chosen.y, width, height);
    context.fillStyle = colour;
    context.fillText(text, chosen.x + 4 * unit, chosen.y + height / 2 + unit / 2);
  };
};

const groupText = (group: TrafficGroup, level: RiskLevel): string => {
  const hazards = group.hazards.map(({ type }) => (isWord(type) ? say(type) : type));
  return `${levelMark[level]}${[say(level), ...new Set(hazards)].join(" · ")}`;
};

/** `unit` is one CSS pixel in pixels of the canvas. */
export const draw = (context: CanvasRenderingContext2D, drawing: Drawing, unit: number): void => {
  const { canvas } = context;
  const { imageWidth, imageHeight, picture, objects, groups } = drawing;
  const scale = Math.min(canvas.width / imageWidth, canvas.height / imageHeight);
  const frame = { scale, left: (canvas.width - imageWidth * scale) / 2, top: (canvas.height - imageHeight * scale) / 2 };

  context.fillStyle = "#0a0d0f";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, frame.left, frame.top, imageWidth * scale, imageHeight * scale);

  context.font = `${12 * unit}px system-ui, "Noto Sans CJK SC", sans-serif`;
  const label = createLabels(context, unit);

  const margin = 4 * unit;
  const byRisk = groups
    .map(({ group, level }) => ({ group, level, box: grown(place(group.bbox, frame), margin) }))
    .sort((one, other) => levelRank(one.level) - levelRank(other.level));
  for (const { level, box } of byRisk) {
    context.strokeStyle = levelColour[level];
    context.lineWidth = (level === "none" ? 1 : 2) * unit;
    context.setLineDash(level === "none" ? [margin, margin] : []);
    context.strokeRect(box.x, box.y, box.width, box.height);
  }
  context.setLineDash([]);
  context.strokeStyle = objectColour;
  context.lineWidth = 1.5 * unit;
  const boxes = objects.map(({ class: kind, trackId, bbox }) => ({ text: `${kind} ${trackId}`, box: place(bbox, frame) }));
  for (const { box } of boxes) context.strokeRect(box.x, box.y, box.width, box.height);

  // What is dangerous is named first, so that the names of mere objects give way.
  for (const { group, level, box } of byRisk.reverse()) {
    if (level !== "none") label(groupText(group, level), box, levelColour[level], true);
  }
  for (const { text, box } of boxes) if (box.width > 8 * unit) label(text, box, objectColour, false);
};
