/** The words of a command line of ours, or one line that says what is wrong with them. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { reasonOf } from "../runtime/errors.ts";

const wrongUsage = 64; // EX_USAGE of sysexits.h

export const refuseWords = (program: string, why: string): never => {
  process.stderr.write(`${program}: ${why} (--help tells all options)\n`);
  process.exit(wrongUsage);
};

export const readWords = <const Config extends ParseArgsConfig>(program: string, config: Config) => {
  try {
    return parseArgs(config);
  } catch (thrown) {
    return refuseWords(program, reasonOf(thrown).split(/\.\s/)[0] ?? "");
  }
};
