/** A bench: one question, its contests, and what the figures mean. */
import { type Contest, type Effort, measure } from "./harness.ts";
import { linesOf, type Report, type Result, surroundings } from "./report.ts";

export type Bench = {
  readonly name: string;
  /** What is compared, and what is not: printed before the figures. */
  readonly notes: readonly string[];
  /** Opened and measured one after the other. */
  readonly contests: readonly { readonly name: string; readonly open: () => Contest | Promise<Contest> }[];
  /** Gives back what the contests share. */
  readonly close?: () => void | Promise<void>;
};

export type RunOptions = {
  readonly effort: Effort;
  readonly quick: boolean;
  /** Contests whose name holds this text. */
  readonly only: string;
  readonly print: (text: string) => void;
};

/** Measures each contest and prints its results as they come. */
export const runBench = async (
  { name, notes, contests, close }: Bench,
  { effort, quick, only, print }: RunOptions,
): Promise<Report> => {
  const chosen = contests.filter((contest) => contest.name.includes(only));
  if (chosen.length === 0) throw new Error(`${name} has no contest with "${only}" in its name`);
  const at = surroundings();
  print(`${name} at ${at.commit}, ${at.machine}, Bun ${at.bun}, load ${at.loadBefore}${quick ? ", quick" : ""}\n`);
  for (const note of notes) print(`  ${note}\n`);
  const results: Result[] = [];
  try {
    for (const contest of chosen) {
      for (const result of await measure(contest.name, await contest.open(), effort)) {
        print(linesOf(result, results.at(-1)?.name === result.name));
        results.push(result);
      }
    }
  } finally {
    await close?.();
  }
  return { bench: name, ...at, quick, notes, results };
};
