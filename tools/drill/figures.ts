/** Whether a figure moved: blocks of measurement without (A, A) and with (B) what is looked at, interleaved. */

export const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
};

const median = (values: readonly number[]): number => quantile(values, 0.5);

export type Comparison = {
  /** Medians over the rounds. */
  readonly first: number;
  readonly second: number;
  readonly treated: number;
  /** By how much two blocks of the same kind differ, in the median round, as a share. */
  readonly spread: number;
  readonly moved: number;
  /** Design section 5: max(10 %, 2 × the A/A spread). */
  readonly allowed: number;
  readonly isWithin: boolean;
};

/** One figure of each block; the arrays are in the order of the rounds. */
export const compareBlocks = (first: readonly number[], second: readonly number[], treated: readonly number[]): Comparison => {
  const untreated = first.map((value, round) => (value + (second[round] ?? value)) / 2);
  const spread = median(first.map((value, round) => Math.abs((second[round] ?? value) / value - 1)));
  const moved = median(treated.map((value, round) => value / (untreated[round] ?? value) - 1));
  const allowed = Math.max(0.1, 2 * spread);
  return {
    first: median(first),
    second: median(second),
    treated: median(treated),
    spread,
    moved,
    allowed,
    isWithin: moved <= allowed,
  };
};
