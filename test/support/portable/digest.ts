/**
 * `digest.ts COUNT`: what the first seeds of the simulation lead to, a line each; the same under every runtime. Seeds with the
 * real scheduler are left out: it is no part of the portable core, and the text of a parser's error is the runtime's own.
 */
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { mixOf } from "../sim/faults.ts";
import { simulate } from "../sim/simulate.ts";

export const digest = async (count: number): Promise<string> => {
  let lines = "";
  for (let seed = 1, left = count; left > 0; seed++) {
    if (mixOf(seed).scheduler === "model") continue;
    left--;
    const { violations, hash, steps } = await simulate(seed);
    lines += `seed ${seed}: ${hash} after ${steps} steps, ${violations.length} violations\n`;
  }
  return lines;
};

const [, program, count] = argv;
if (program !== undefined && import.meta.url === pathToFileURL(program).href) process.stdout.write(await digest(Number(count)));
