import { expect, test } from "bun:test";
import { join } from "node:path";

const sheet = await Bun.file(join(import.meta.dir, "../../../../edge/dashboard/style.css")).text();
const [dark = "", light = ""] = sheet.split("@media (prefers-color-scheme: light)");

const colours = (part: string): Readonly<Record<string, string>> =>
  Object.fromEntries([...part.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map(([, name, value]) => [name, value]));

/** Relative luminance and contrast ratio as WCAG 2 defines them. */
const luminance = (colour: string): number => {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one: string, other: string): number => {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};

const texts = ["text", "muted", "good", "high", "medium", "low", "none", "unknown"];
const pairs = [
  ...texts.flatMap((text) => ["surface", "ground", "raised"].map((on) => [text, on, 4.5] as const)),
  ["on-accent", "accent", 4.5] as const,
  ["ground", "high", 4.5] as const, // the count on its red mark
  ["control", "surface", 3] as const, // borders of inputs and buttons
  ["accent", "surface", 3] as const, // the mark of the focus
];

test.each([
  ["dark", colours(dark)],
  ["light", colours(light)],
])("in the %s scheme every text can be read (WCAG AA)", (_scheme, palette) => {
  const poor = pairs.flatMap(([text, on, least]) => {
    const ratio = contrast(palette[text] ?? "#000000", palette[on] ?? "#000000");
    return ratio < least ? [`${text} on ${on}: ${ratio.toFixed(2)} < ${least}`] : [];
  });
  expect(poor).toEqual([]);
});
