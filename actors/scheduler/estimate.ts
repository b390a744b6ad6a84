/**
 * How many tokens a call will take, before the provider says it: a figure of the task, corrected by the largest ratio of late.
 * Limits in tokens are held by it until the call's own report, so it leans high.
 */

export type Estimate = {
  readonly of: (tokens: number) => number;
  readonly learn: (guessed: number, used: number) => void;
  /** The figure of late tasks, uncorrected. */
  readonly usual: () => number;
};

const samplesMax = 64;
const samplesMin = 8;

export const createEstimate = (): Estimate => {
  const ratios: number[] = [];
  let largest = 1;
  let usual = 0;
  return {
    of: (tokens) => Math.ceil(tokens * largest),
    learn(guessed, used) {
      if (guessed <= 0) return;
      usual += (guessed - usual) / (ratios.length === 0 ? 1 : 16);
      ratios.push(used / guessed);
      if (ratios.length > samplesMax) ratios.shift();
      if (ratios.length >= samplesMin) largest = Math.max(...ratios);
      else largest = Math.max(1, ...ratios);
    },
    usual: () => usual,
  };
};
