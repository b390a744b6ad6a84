/**
 * Follows what a test process prints, line by line: shows it without the tests that passed, and knows what had ended, where a
 * process that is cut off writes no report.
 */
import type { Failure, Tally } from "./junit.ts";

export type Progress = {
  readonly line: (text: string) => void;
  /** What has ended until now. */
  readonly tally: () => Tally;
  /** Where it stands: the file, and the last test that ended in it. */
  readonly place: () => string;
};

/** How Bun begins, and how it sums up. */
const sums = /^(bun test v|Ran \d+ tests? across | *\d+ (pass|fail|skip|todo|filtered out|expect\(\) calls)$)/;
/** Of what a test prints before it fails, so much is kept: the message comes last. */
const keptLines = 40;

export const followTests = (print: (text: string) => void): Progress => {
  const failures: Failure[] = [];
  const skipped: string[] = [];
  let passed = 0;
  let file = "";
  let isFileShown = true;
  let last = "";
  let said: string[] = [];

  const show = (text: string) => {
    if (!isFileShown) print(`\n${file}:`);
    isFileShown = true;
    print(text);
  };

  return {
    line(text) {
      const opens = /^(\S+\.test\.ts):$/.exec(text)?.[1];
      if (opens !== undefined) {
        file = opens;
        isFileShown = false;
        last = "";
        said = [];
        return;
      }
      const [, verdict, name = ""] = /^\((pass|fail|skip|todo)\) (.*?)(?: \[[\d.]+ms\])?$/.exec(text) ?? [];
      if (verdict === undefined) {
        if (text === "" || sums.test(text)) return;
        said.push(text);
        if (said.length > keptLines) said.shift();
        show(text);
        return;
      }
      last = name;
      if (verdict === "pass") passed++;
      else if (verdict === "fail") {
        failures.push({ test: `${file}: ${name}`, says: said.join("\n") });
        show(text);
      } else skipped.push(`${file}: ${name}`);
      said = [];
    },
    tally: () => ({ passed, failures, skipped }),
    place() {
      if (file === "") return "before its first file";
      return last === "" ? `in ${file}, before its first test had ended` : `in ${file}, after "${last}"`;
    },
  };
};
