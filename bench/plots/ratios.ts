/** How far each figure is from its target, with its spread: 1 is the target, and more is better whatever is measured. */
import type { CustomSeriesRenderItem } from "echarts/types/dist/echarts";
import type { ReportFile } from "../results.ts";
import { colours, nameAxis, numberAxis, type Plot, plot, title } from "./chart.ts";

type Row = ReportFile["results"][number];

/** The figure as a multiple of its target, and the range of that. */
type Bar = {
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly met: boolean;
};

/** Of these units more is better; a time or a size wants to be low. */
const wantsMore = (unit: string): boolean => unit.endsWith("/s") || unit === "cameras" || unit === "%";

/** Lines that fit beside the bars. */
const lineMax = 64;
const line = (text: string): string => (text.length > lineMax ? `${text.slice(0, lineMax - 1)}…` : text);
const labelOf = (first: string, second: string): string => `${line(first)}\n${line(second)}`;

const said = (value: number): string => value.toLocaleString("en", { maximumSignificantDigits: 3 });

const barOf = (bench: string, row: Row): Bar[] => {
  const { target, targetOf, met = false, versus, name, unit } = row;
  if (target === undefined || targetOf === undefined) return [];
  const rival = versus === undefined ? "" : ` against ${typeof versus === "string" ? versus : versus.name}`;
  if (targetOf === "ratio") {
    const { ratio = Number.NaN, ratioMin = ratio, ratioMax = ratio } = row;
    const label = labelOf(`${bench}: ${name}`, `${said(ratio)} of ${said(target)} times${rival}`);
    return [{ label, value: ratio / target, least: ratioMin / target, most: ratioMax / target, met }];
  }
  const figure = { median: row.median, p95: row.p95, p99: row.p99, max: row.max, mean: row.beside?.mean }[targetOf] ?? row.median;
  const share = (value: number): number => (wantsMore(unit) ? value / target : target / value);
  // The range is that of single samples, so it says something beside a median alone.
  const [one, other] = targetOf === "median" ? [share(row.min), share(row.max)] : [share(figure), share(figure)];
  const label = labelOf(`${bench}: ${name}`, `${targetOf} ${said(figure)} ${unit}, target ${said(target)}`);
  return [{ label, value: share(figure), least: Math.min(one, other), most: Math.max(one, other), met }];
};

const width = 960;
const labelPx = 430;
const rowPx = 40;
/** What lies further out is drawn at the edge. */
const farthest = 16;

const clamped = (value: number): number => Math.min(farthest, Math.max(1 / farthest, value));

const drawBar: CustomSeriesRenderItem = (_, api) => {
  const row = Number(api.value(0));
  const at = (value: unknown): [number, number] => {
    const [x = 0, y = 0] = api.coord([Number(value), row]);
    return [x, y];
  };
  const [value, y] = at(api.value(1));
  const [target] = at(1);
  const [[least], [most]] = [at(api.value(2)), at(api.value(3))];
  const colour = Number(api.value(4)) === 1 ? colours.good : colours.bad;
  const stroke = (x1: number, y1: number, x2: number, y2: number) => ({
    type: "line" as const,
    shape: { x1, y1, x2, y2 },
    style: { stroke: colours.ink, fill: "none", lineWidth: 1.5 },
  });
  return {
    type: "group",
    children: [
      {
        type: "rect",
        shape: { x: Math.min(target, value), y: y - 7, width: Math.max(1, Math.abs(value - target)), height: 14 },
        style: { fill: colour },
      },
      stroke(least, y, most, y),
      stroke(least, y - 4, least, y + 4),
      stroke(most, y - 4, most, y + 4),
    ],
  };
};

/** Null where no report has a target. */
export const ratioPlot = (reports: readonly ReportFile[]): Plot | null => {
  const bars = reports.flatMap(({ bench, title: name, results }) => {
    const head = name === undefined ? bench : `${bench}, ${name}`;
    return results.flatMap((row) => barOf(head, row));
  });
  if (bars.length === 0) return null;
  const met = bars.filter((bar) => bar.met).length;
  const alt = `Figures as multiples of their targets with their spread; ${met} of ${bars.length} targets are met`;
  const height = 130 + bars.length * rowPx;
  return plot(
    { name: "targets", alt, width, height },
    {
      title: title(
        "Figures and their targets",
        "1 is the target, further right is better; the thin line is the range of all rounds",
      ),
      grid: { left: labelPx + 20, right: 32, top: 64, bottom: 56 },
      xAxis: numberAxis("multiple of the target", "log", { logBase: 2, min: 1 / farthest, max: farthest }),
      yAxis: nameAxis(
        bars.map(({ label }) => label),
        labelPx,
      ),
      series: [
        {
          type: "custom",
          renderItem: drawBar,
          encode: { x: [1, 2, 3], y: 0 },
          data: bars.map(({ value, least, most, met: isMet }, row) => [
            row,
            clamped(value),
            clamped(least),
            clamped(most),
            isMet ? 1 : 0,
          ]),
        },
      ],
    },
  );
};
