/** A bench: one question, its contests, and what the figures mean. */
import type { Contest, Effort } from "./harness.ts";
import { measure } from "./harness.ts";
import { linesOf, type Report, type Result, surroundings } from "./report.ts";

export type Bench = {
  readonly name: string;
  /** What is compared, and what is not: printed before the figures. */
  readonly notes: readonly string[];
  /** One after the other; each is closed before the next is made. */
  readonly contests: readonly (() => Contest | Promise<Contest>)[];
};

/** Measures each contest and prints its results as they come. */
export const runBench = async (bench: Bench, effort: Effort, quick: boolean, print: (text: string) => void): Promise<Report> => {
  const { name, notes, contests } = bench;
  const at = surroundings();
  print(`${name} at ${at.commit}, ${at.machine}, Bun ${at.bun}, load ${at.loadBefore}${quick ? ", quick" : ""}\n`);
  for (const note of notes) print(`  ${note}\n`);
  const results: Result[] = [];
  for (const contestOf of contests) {
    for (const result of await measure(await contestOf(), effort)) {
      print(linesOf(result, results.at(-1)?.name === result.name));
      results.push(result);
    }
  }
  return { bench: name, ...at, quick, notes, results };
};
