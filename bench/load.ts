/**
 * What many cameras cost the whole system, and how old detections and verdicts are when clients have them. Goal: 50 cameras at
 * 2 fps with 50 to 100 calls a second to a model that answers after a second, verdicts within 2 s of capture (P95). Not asked:
 * how well anything is recognised.
 */
import { writeFileSync } from "node:fs";
import { runLoad } from "./load/once.ts";
import { loadUsage, parseLoad } from "./load/options.ts";
import { saturate } from "./load/saturate.ts";
import { surroundings } from "./report.ts";

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`);

/** The command; gives the exit code. */
export const load = async (words: readonly string[], print: (text: string) => void): Promise<number> => {
  const options = parseLoad(words);
  if (options === null) {
    print(loadUsage);
    return 0;
  }
  const at = surroundings();
  print(`load at ${at.commit}, ${at.machine}, Bun ${at.bun}, load ${at.loadBefore}\n`);
  const command = ["bun run bench load", ...words.filter((_, index) => !isReport(words, index)).map(quoted)].join(" ");
  const { report, met } = await (options.saturate ? saturate(options, command, print) : runLoad(options, command, print));
  if (options.report !== null) writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
  return met ? 0 : 1;
};

/** Where the report goes and how it is headed is not part of what was run. */
const isReport = (words: readonly string[], index: number): boolean =>
  [words[index] ?? "", words[index - 1] ?? ""].some((word) => word === "--report" || word === "--title");
