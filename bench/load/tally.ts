/**
 * Exact quantiles of whole milliseconds: one count for each. The clocks that are compared tell whole milliseconds, so nothing
 * is lost by it; what takes longer than a minute counts as a minute.
 */
export type Figures = {
  readonly samples: number;
  readonly mean: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly p95: number;
  readonly p99: number;
};

export type Tally = { readonly add: (ms: number, count?: number) => void; readonly figures: () => Figures };

const longestMs = 60_000;

/** Of values at these places, each so often. Nearest rank: the least value that at least this share does not exceed. */
const figuresOf = (values: readonly (readonly [value: number, count: number])[]): Figures => {
  const samples = values.reduce((sum, [, count]) => sum + count, 0);
  const sum = values.reduce((total, [value, count]) => total + value * count, 0);
  const at = (share: number): number => {
    let rest = Math.max(1, Math.ceil(share * samples));
    for (const [value, count] of values) {
      rest -= count;
      if (rest <= 0) return value;
    }
    return Number.NaN;
  };
  return {
    ...{ samples, mean: sum / samples, median: at(0.5), min: at(0), max: at(1), p95: at(0.95), p99: at(0.99) },
  };
};

export const createTally = (): Tally => {
  const counts: number[] = [];
  return {
    add(ms, count = 1) {
      const place = Math.min(longestMs, Math.max(0, Math.round(ms)));
      counts[place] = (counts[place] ?? 0) + count;
    },
    // The array has holes, which `flatMap` passes over.
    figures: () => figuresOf(counts.flatMap((count, ms) => [[ms, count] as const])),
  };
};

/** Of values of any kind, few enough to be kept. */
export const figuresOfValues = (values: readonly number[]): Figures =>
  figuresOf(values.toSorted((one, other) => one - other).map((value) => [value, 1] as const));

/** A figure that is one number. */
export const single = (value: number): Figures => figuresOfValues([value]);

/** A histogram of Prometheus: the upper bound of the bucket that a quantile falls into. `buckets` are cumulative. */
export const figuresOfBuckets = (buckets: readonly (readonly [upTo: number, count: number])[], sum: number): Figures => {
  const values = buckets.map(([upTo, count], index) => [upTo, count - (buckets[index - 1]?.[1] ?? 0)] as const);
  const figures = figuresOf(values.filter(([, count]) => count > 0));
  return { ...figures, mean: sum / figures.samples };
};
