/** Which seeds a simulation runs: the one named by SEED, else those that ever failed and the first `count`. */
import failed from "../sim/seeds.json" with { type: "json" };

export const seedsOf = (count: number): readonly number[] => {
  const named = process.env.SEED;
  if (named !== undefined) return [Number(named)];
  return [...new Set([...failed.map(({ seed }) => seed), ...Array.from({ length: count }, (_, index) => index + 1)])];
};
