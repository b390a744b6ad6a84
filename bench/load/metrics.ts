/** The metrics of the processes under load, as `/metrics` shows them. */
import { type Figures, figuresOfBuckets } from "./tally.ts";

export type Series = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** Prometheus text format 0.0.4, without its comments. */
export const parseMetrics = (text: string): Series[] =>
  [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = "", labels = "", value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])),
    value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
  }));

/** Of several processes together. */
export const readMetrics = async (urls: readonly string[]): Promise<Series[]> => {
  const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  return texts.flatMap(parseMetrics);
};

/** Sums by a label, or by several joined. */
export const sumBy = (series: readonly Series[], name: string, ...labels: readonly string[]): Map<string, number> => {
  const sums = new Map<string, number>();
  for (const each of series) {
    if (each.name !== name) continue;
    const key = labels.map((label) => each.labels[label] ?? "").join("/");
    sums.set(key, (sums.get(key) ?? 0) + each.value);
  }
  return sums;
};

/** What came between two readings; without what did not move. */
export const growth = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Map<string, number> =>
  new Map([...after].map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const).filter(([, value]) => value !== 0));

const total = (sums: ReadonlyMap<string, number>): number => [...sums.values()].reduce((sum, value) => sum + value, 0);
export const sumOf = (series: readonly Series[], name: string): number => total(sumBy(series, name));

const bucketsOf = (series: readonly Series[], name: string): Map<string, number> => sumBy(series, `${name}_bucket`, "le");

/** A histogram in seconds, in milliseconds, between two readings. What is above its last bound counts as that bound. */
export const histogramMs = (before: readonly Series[], after: readonly Series[], name: string): Figures => {
  const [earlier, later] = [bucketsOf(before, name), bucketsOf(after, name)];
  const last = Math.max(...[...later.keys()].filter((le) => le !== "+Inf").map(Number));
  const buckets = [...later].map(([le, count]) => {
    const upTo = (le === "+Inf" ? last : Number(le)) * 1_000;
    return [upTo, count - (earlier.get(le) ?? 0)] as const;
  });
  return figuresOfBuckets(buckets, (sumOf(after, `${name}_sum`) - sumOf(before, `${name}_sum`)) * 1_000);
};
