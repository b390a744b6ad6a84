/**
 * Charts as SVG files, drawn by ECharts without a browser. Colours are those of a light page; a style within the file gives
 * each its counterpart where the reader's page is dark.
 */
import { CustomChart, LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([CustomChart, LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

export type Plot = {
  /** Without ending. */
  readonly name: string;
  /** What it shows, for those who do not see it. */
  readonly alt: string;
  readonly svg: string;
};

/** The colours of a light page. */
export const colours = {
  paper: "#ffffff",
  ink: "#1f2328",
  muted: "#59636e",
  grid: "#d1d9e0",
  good: "#1a7f37",
  bad: "#cf222e",
  first: "#0969da",
  second: "#bc4c00",
  third: "#8250df",
  fourth: "#0a7d8c",
} as const;

/** Their counterparts on a dark one. */
const dark: Readonly<Record<keyof typeof colours, string>> = {
  paper: "#0d1117",
  ink: "#e6edf3",
  muted: "#9198a1",
  grid: "#3d444d",
  good: "#3fb950",
  bad: "#f85149",
  first: "#4493f8",
  second: "#f0883e",
  third: "#ab7df8",
  fourth: "#39c5cf",
};

export const seriesColours = [colours.first, colours.second, colours.third, colours.fourth] as const;

const style = (): string => {
  const rules = Object.entries(colours).flatMap(
    ([name, light]) =>
      ["fill", "stroke"].map((attribute) => `[${attribute}="${light}"]{${attribute}:${dark[name as keyof typeof colours]}}`), // its own keys
  );
  return `<style>@media (prefers-color-scheme: dark){${rules.join("")}}</style>`;
};

const font = "system-ui, sans-serif";

export const title = (text: string, subtext: string) => ({
  text,
  subtext,
  left: 16,
  top: 10,
  textStyle: { color: colours.ink, fontSize: 16, fontFamily: font },
  subtextStyle: { color: colours.muted, fontSize: 12, fontFamily: font },
});

export const legend = (names: readonly string[]) => ({
  data: [...names],
  right: 16,
  top: 12,
  itemWidth: 14,
  itemGap: 28,
  itemHeight: 10,
  textStyle: { color: colours.ink, fontFamily: font },
});

/** Of a number, named with its unit. */
export const numberAxis = (name: string, scale: "log" | "value", more: Readonly<Record<string, unknown>> = {}) => ({
  type: scale,
  name,
  nameLocation: "middle",
  nameGap: 32,
  nameTextStyle: { color: colours.ink, fontFamily: font },
  axisLabel: { color: colours.muted, fontFamily: font, hideOverlap: true, formatter: axisText },
  axisLine: { show: true, lineStyle: { color: colours.muted } },
  splitLine: { lineStyle: { color: colours.grid } },
  ...more,
});

export const nameAxis = (names: readonly string[], widthPx: number) => ({
  type: "category",
  data: [...names],
  inverse: true,
  axisLabel: { color: colours.ink, fontFamily: font, interval: 0, width: widthPx, overflow: "truncate", lineHeight: 15 },
  axisLine: { lineStyle: { color: colours.muted } },
  axisTick: { show: false },
});

const axisText = (value: number): string => value.toLocaleString("en", { maximumSignificantDigits: 3 });

/** The same options give the same text. */
export const plot = (
  { name, alt, width, height }: { readonly name: string; readonly alt: string; readonly width: number; readonly height: number },
  options: EChartsCoreOption,
): Plot => {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ animation: false, backgroundColor: colours.paper, ...options });
  const drawn = chart.renderToSVGString({ useViewBox: true });
  chart.dispose();
  const open = drawn.indexOf(">") + 1;
  // Charts are numbered as they are made, and styled for a pointer that a picture never meets.
  const plain = drawn
    .slice(open)
    .replaceAll(/ class="zr\d+-cls-\d+"| pointer-events="visible"| stroke="#\w+" stroke-width="0"/g, "")
    .replaceAll(/<style[\s\S]*?<\/style>/g, "")
    .replaceAll(/zr\d+-/g, "c-");
  return { name, alt, svg: `${drawn.slice(0, open)}\n<title>${alt}</title>\n${style()}\n${plain.trim()}\n` };
};
