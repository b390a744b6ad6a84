/** One run of the load, printed and judged. */
import { judgeAll } from "./expect.ts";
import { rowsOf } from "./figures.ts";
import type { LoadOptions } from "./options.ts";
import { type LoadReport, reportOf, tableOf } from "./report.ts";
import { measureLoad, type Say } from "./run.ts";

/** Shorter runs are for a look, not for the record. */
const recordS = 60;

export type LoadOutcome = { readonly report: LoadReport; readonly met: boolean };

export const runLoad = async (options: LoadOptions, command: string, print: (text: string) => void): Promise<LoadOutcome> => {
  const say: Say = (line) => print(`  ${line}\n`);
  const measured = await measureLoad(options, say);
  const rows = rowsOf(measured);
  const judged = judgeAll(options.expect, new Map([...rows].map(([name, { figures }]) => [name, figures])));
  const { title, cameras, fps, durationS } = options;
  const report = reportOf(measured, rows, judged, { command, title, cameras, fps, isShort: durationS < recordS });
  for (const line of measured.profile) say(line);
  print(tableOf(measured, rows, judged));
  return { report, met: judged.every(({ met }) => met) };
};
