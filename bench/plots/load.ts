/** What runs of `bench load` say: where the time goes, what cameras cost, and how many are too many. */
import type { ReportFile } from "../results.ts";
import { colours, legend, nameAxis, numberAxis, type Plot, plot, seriesColours, title } from "./chart.ts";

const width = 860;

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")
    .slice(0, 60);

const nameOf = ({ title: name, command = "" }: ReportFile): string => name ?? command.replace("bun run bench ", "");
const optionOf = ({ command = "" }: ReportFile, option: string, usual: string): string =>
  new RegExp(`--${option}[ =](\\S+)`).exec(command)?.[1] ?? usual;

/** Shorter than the clocks can tell. */
const leastMs = 0.1;

const marks = [
  { name: "P50", symbol: "circle", colour: colours.first },
  { name: "P95", symbol: "rect", colour: colours.second },
  { name: "P99", symbol: "triangle", colour: colours.bad },
] as const;

/** Of each stage the middle and the tail, in the order in which a frame meets them. */
export const stagePlot = (report: ReportFile): Plot | null => {
  const rows = report.results.filter(({ name, unit }) => unit === "ms" && (name.startsWith("stage.") || name.endsWith(".e2e")));
  if (rows.length === 0) return null;
  const figures = rows.map(({ median, p95, p99 }) => [median, p95, p99]);
  const name = nameOf(report);
  const alt = `Latency by stage, ${name}: ${rows.map((row) => `${row.name} P95 ${row.p95 ?? row.median} ms`).join(", ")}`;
  return plot(
    { name: `stages-${slug(name)}`, alt, width, height: 130 + rows.length * 26 },
    {
      title: title(`Latency by stage: ${name}`, `${report.cameras ?? "?"} cameras at ${report.fps ?? "?"} frames/s`),
      legend: { ...legend(marks.map((mark) => mark.name)), top: 34 },
      grid: { left: 150, right: 32, top: 68, bottom: 56 },
      xAxis: numberAxis("milliseconds", "log", { min: leastMs }),
      yAxis: nameAxis(
        rows.map((row) => row.name),
        130,
      ),
      series: marks.map((mark, index) => ({
        type: "scatter",
        name: mark.name,
        symbol: mark.symbol,
        symbolSize: 10,
        itemStyle: { color: mark.colour },
        data: figures.flatMap((values, row) => {
          const value = values[index];
          return value === undefined ? [] : [[Math.max(leastMs, value), row]];
        }),
      })),
    },
  );
};

type Cost = { readonly cameras: number; readonly cpu: number; readonly rss: number };

const figureOf = ({ results }: ReportFile, name: string): number | undefined => {
  const row = results.find((each) => each.name === name);
  return row && (row.beside?.mean ?? row.median);
};

/** Every run and every step of a search, where it says what the system's process took. */
const costsOf = (report: ReportFile): Cost[] => {
  const steps = (report.steps ?? []).map(({ cameras, figures }) => ({
    cameras,
    cpu: figures["cpu.vedette"],
    rss: figures["rss.max"],
  }));
  const own = { cameras: report.cameras ?? 0, cpu: figureOf(report, "cpu.vedette"), rss: figureOf(report, "rss.max") };
  return [...steps, own].flatMap(({ cameras, cpu, rss }) =>
    cameras > 0 && cpu !== undefined && rss !== undefined ? [{ cameras, cpu, rss }] : [],
  );
};

/** Two plots one above the other over the same number of cameras. */
const overCameras = (upper: string, lower: string, scale: "log" | "value") => ({
  grid: [
    { left: 80, right: 32, top: 96, height: 190 },
    { left: 80, right: 32, top: 330, height: 190 },
  ],
  xAxis: [numberAxis("", "log", { gridIndex: 0 }), numberAxis("cameras", "log", { gridIndex: 1 })],
  yAxis: [numberAxis(upper, scale, { gridIndex: 0, nameGap: 56 }), numberAxis(lower, "value", { gridIndex: 1, nameGap: 56 })],
});

/** CPU time and memory of the system over the number of cameras, by where the pictures come from. */
export const costPlot = (reports: readonly ReportFile[]): Plot | null => {
  const bySource = Map.groupBy(
    reports.filter((report) => costsOf(report).length > 0),
    (report) => `${optionOf(report, "source", "simulated")}, ${optionOf(report, "bus", "embedded")} bus`,
  );
  if (bySource.size === 0) return null;
  const sources = [...bySource].map(
    ([source, from]) => [source, from.flatMap(costsOf).toSorted((one, other) => one.cameras - other.cameras)] as const,
  );
  const alt = `Cost against cameras: ${sources.map(([source, costs]) => `${source}, ${costs.length} runs up to ${costs.at(-1)?.cameras ?? 0} cameras`).join("; ")}`;
  const line = (name: string, place: number, index: number, data: readonly (readonly number[])[]) => ({
    type: "line",
    name,
    xAxisIndex: place,
    yAxisIndex: place,
    symbol: "circle",
    symbolSize: 7,
    lineStyle: { color: seriesColours[index % seriesColours.length], width: 1.5 },
    itemStyle: { color: seriesColours[index % seriesColours.length] },
    data,
  });
  return plot(
    { name: "cost", alt, width, height: 585 },
    {
      title: title(
        "Cost against cameras",
        "of the process that has the pipeline; where pictures are decoded, decoding and detection included",
      ),
      legend: { ...legend(sources.map(([source]) => source)), icon: "circle", top: 58, left: 12, right: undefined },
      ...overCameras("CPU, % of a core", "resident memory, MB", "log"),
      series: sources.flatMap(([source, costs], index) => [
        line(
          source,
          0,
          index,
          costs.map(({ cameras, cpu }) => [cameras, Math.max(leastMs, cpu)]),
        ),
        line(
          source,
          1,
          index,
          costs.map(({ cameras, rss }) => [cameras, rss]),
        ),
      ]),
    },
  );
};

/** The steps of a search: which numbers of cameras held what was expected, and what became of latency and rate. */
export const saturationPlot = (report: ReportFile): Plot | null => {
  const steps = (report.steps ?? []).toSorted((one, other) => one.cameras - other.cameras);
  if (steps.length === 0) return null;
  const name = nameOf(report);
  const held = steps.filter((step) => step.held).map(({ cameras }) => cameras);
  const alt = `Saturation, ${name}: ${Math.max(0, ...held)} cameras hold, of ${steps.length} numbers tried`;
  const kinds = [
    { name: "held", isHeld: true, symbol: "circle", colour: colours.good },
    { name: "not held", isHeld: false, symbol: "diamond", colour: colours.bad },
  ] as const;
  const points = (figure: string, place: number, least: number) =>
    kinds.map((kind) => ({
      type: "scatter",
      name: kind.name,
      xAxisIndex: place,
      yAxisIndex: place,
      symbol: kind.symbol,
      symbolSize: 10,
      itemStyle: { color: kind.colour },
      data: steps.flatMap((step) => {
        const value = step.figures[figure];
        return step.held === kind.isHeld && value !== undefined ? [[step.cameras, Math.max(least, value)]] : [];
      }),
    }));
  return plot(
    { name: `saturation-${slug(name)}`, alt, width, height: 585 },
    {
      title: title(`Saturation: ${name}`, "each point is a run; held: all that was expected"),
      legend: { ...legend(kinds.map((kind) => kind.name)), top: 34 },
      ...overCameras("detection P95, ms", "frames/s of a camera", "log"),
      series: [...points("detection.e2e", 0, leastMs), ...points("fps.achieved", 1, 0)],
    },
  );
};
