/** `digest.ts COUNT`: what the first seeds of the simulation lead to, a line each; the same under every runtime. */
import { argv } from "node:process";
import { pathToFileURL } from "node:url";
import { simulate } from "../sim/simulate.ts";

export const digest = async (count: number): Promise<string> => {
  let lines = "";
  for (let seed = 1; seed <= count; seed++) {
    const { violations, hash, steps } = await simulate(seed);
    lines += `seed ${seed}: ${hash} after ${steps} steps, ${violations.length} violations\n`;
  }
  return lines;
};

const [, program, count] = argv;
if (program !== undefined && import.meta.url === pathToFileURL(program).href) process.stdout.write(await digest(Number(count)));
