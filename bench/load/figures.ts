/** The figures of a run by the names of the contract, in the order in which they are read. */
import type { Stats } from "../../tools/llm-sim/stats.ts";
import { growth, histogramMs, sumBy } from "./metrics.ts";
import type { Measured } from "./run.ts";
import { type Figures, figuresOfValues, single } from "./tally.ts";

export type LoadUnit = "ms" | "1/s" | "MB" | "%" | "count" | "groups";
export type Row = { readonly unit: LoadUnit; readonly figures: Figures };

const stages = ["capture", "detect", "show", "record", "admit", "queue", "llm", "merge", "deliver"];
export const stagesSaid: Readonly<Record<string, string>> = {
  "detection.e2e": "capture → detection on a client",
  "verdict.e2e": "capture → verdict of a task on a client",
  "verdict.added": "P95 of verdict.e2e less P95 of stage.llm",
  "stage.capture": "the slot that a frame was due in → noted as captured",
  "stage.detect": "captured → detected on",
  "stage.show": "detected on → on a client",
  "stage.record": "detected on → durable in detection-results",
  "stage.admit": "durable there → task durable in assessment-tasks",
  "stage.queue": "task durable → result durable, less the model's time",
  "stage.llm": "the model's time, all attempts",
  "stage.merge": "result durable → risk update durable in incidents",
  "stage.deliver": "risk update durable → on a client",
  "fps.achieved": "detections of a camera on a client",
  "frames.late": "more than 500 ms after their slot on a client, or dropped",
  "cpu.perFrame": "processor time of the system for each frame on a client",
  "loop.late": "upper bounds of the histogram's buckets",
  "lag.ms": "age of the oldest record in work, samples",
};

/** Frames that were let go anywhere on their way to a client. */
const isFrame = (type: string): boolean => type.startsWith("frame") || type === "source.frame" || type === "detection_result";

type Dropped = { readonly actor: string; readonly type: string; readonly reason: string; readonly count: number };

export const droppedIn = ({ before, after }: Measured): Dropped[] =>
  [
    ...growth(
      sumBy(before, "dropped_total", "actor", "type", "reason"),
      sumBy(after, "dropped_total", "actor", "type", "reason"),
    ),
  ].map(([labels, count]) => {
    const [actor = "", type = "", reason = ""] = labels.split("/");
    return { actor, type, reason, count };
  });

const dropRows = (dropped: readonly Dropped[]): [string, Row][] => {
  const byReason = new Map<string, number>();
  for (const { reason, count } of dropped) byReason.set(reason, (byReason.get(reason) ?? 0) + count);
  return [...byReason].map(([reason, count]) => [`drops.${reason}`, { unit: "count", figures: single(count) }]);
};

const llmRows = ({ llm }: Measured, seconds: number): [string, Row][] => {
  if (llm === null) return [];
  const between = (pick: (stats: Stats) => number) => pick(llm.after) - pick(llm.before);
  const [calls, ok] = [between(({ requests }) => requests), between(({ ok }) => ok)];
  return [
    ["llm.calls", { unit: "count", figures: single(calls) }],
    ["llm.ok", { unit: "count", figures: single(ok) }],
    ["llm.rate", { unit: "1/s", figures: single(calls / seconds) }],
    ["llm.inFlight", { unit: "count", figures: single(llm.after.maxInFlight) }],
    ["llm.violations", { unit: "count", figures: single(between(({ violations }) => violations)) }],
  ];
};

/** Of the system's own processes, milliseconds. */
const cpuOf = (costs: Measured["costs"]): number => costs.reduce((sum, { isSystem, cpuMs }) => sum + (isSystem ? cpuMs : 0), 0);

export const rowsOf = (measured: Measured): Map<string, Row> => {
  const { heard, kept, window, costs, lagMs, lagRecords, before, after } = measured;
  const seconds = (window.endMs - window.beginMs) / 1_000;
  const ms = (figures: Figures): Row => ({ unit: "ms", figures });
  const all = { ...heard.figures, ...kept.figures };
  const named = (name: string): [string, Row][] => {
    const figures = all[name];
    return figures && figures.samples > 0 ? [[name, ms(figures)]] : [];
  };
  const dropped = droppedIn(measured);
  const lost = dropped.reduce((sum, { type, count }) => sum + (isFrame(type) ? count : 0), 0);
  const late = (100 * (heard.late + lost)) / Math.max(1, heard.frames + lost);
  const [verdict, llm] = [all["verdict.e2e"], all["stage.llm"]];
  const fps = all["fps.achieved"];
  const groups = all["groups.perFrame"];
  const rows: [string, Row][] = [
    ...named("detection.e2e"),
    ...named("verdict.e2e"),
    ...(verdict && llm && verdict.samples > 0 && llm.samples > 0
      ? [["verdict.added", ms(single(verdict.p95 - llm.p95))] as [string, Row]]
      : []),
    ...stages.flatMap((stage) => named(`stage.${stage}`)),
    ...(fps ? [["fps.achieved", { unit: "1/s", figures: fps }] as [string, Row]] : []),
    ["fps.total", { unit: "1/s", figures: single(heard.frames / seconds) }],
    ["frames.late", { unit: "%", figures: single(late) }],
    ...dropRows(dropped),
    ...(groups ? [["groups.perFrame", { unit: "groups", figures: groups }] as [string, Row]] : []),
    ["tasks.rate", { unit: "1/s", figures: single(kept.tasks / seconds) }],
    ["verdict.missing", { unit: "count", figures: single(kept.tasks - heard.verdicts) }],
    ...llmRows(measured, seconds),
    ["lag.ms", ms(figuresOfValues(lagMs))],
    ["lag.records", { unit: "count", figures: figuresOfValues(lagRecords) }],
    ["loop.late", ms(histogramMs(before, after, "event_loop_lag_seconds"))],
    ...costs.map(({ name, cpuMs }): [string, Row] => [`cpu.${name}`, { unit: "%", figures: single(cpuMs / 10 / seconds) }]),
    ["cpu.perFrame", ms(single(cpuOf(costs) / Math.max(1, heard.frames)))],
    [
      "rss.max",
      { unit: "MB", figures: figuresOfValues(costs.filter(({ isSystem }) => isSystem).map(({ rssMaxMb }) => rssMaxMb)) },
    ],
  ];
  // Where there is no /proc nothing is known of costs.
  return new Map(rows.filter(([, { figures }]) => figures.samples > 0 && Number.isFinite(figures.mean)));
};
