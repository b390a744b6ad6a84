/**
 * `bun run mutate [PATH]...`: plants small faults in the heart of the runtime, one at a time, and asks the tests whether they
 * notice. Prints a score for each file and writes down what nobody noticed. `docs/mutation.md` keeps the figures.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type Mutant, scoreOf, survivorText, type Tally, tallyOf } from "./mutate/report.ts";
import { hosts } from "./portable.ts";
import { run } from "./process.ts";
import { readWords } from "./words.ts";

type Target = {
  readonly sources: readonly string[];
  /** Few and quick: they run once for each fault. */
  readonly tests: readonly string[];
};

/** Actors at work: what cells and supervisors do together. */
const cellTests = [
  "test/unit/runtime/{cell,asks,watches,tell-graph,inlet}.test.ts",
  "test/unit/runtime/{cell,supervisor,inlet}/*.test.ts",
  "test/property/timers.test.ts",
];
const targets: readonly Target[] = [
  ...["settlement", "mailbox", "intensity"].map((name) => ({
    sources: [`runtime/${name}.ts`],
    tests: [`test/unit/runtime/${name}.test.ts`, `test/property/${name}.test.ts`],
  })),
  { sources: ["runtime/cell.ts", "runtime/cell/*.ts"], tests: cellTests },
  { sources: ["runtime/supervisor.ts", "runtime/supervisor/*.ts"], tests: cellTests },
];

const usage = `bun run mutate [--jobs N] [--at-least PERCENT] [--survivors FILE] [PATH]...

  --jobs N      faults tried at once (default 2)
  --at-least P  end with 1 when a file scores less (default 85)
  --survivors F where to write down what nobody noticed (default .cache/mutation/survivors.txt)
  PATH          only source files whose path contains it: ${targets.flatMap(({ sources }) => sources).join(", ")}
`;

const root = join(import.meta.dirname, "..");
const folder = join(root, ".cache", "mutation");
const node = hosts.find(({ name }) => name === "node")?.program ?? "node";
const stryker = join(root, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js");
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A fault that makes a test hang is noticed by the clock: after this, and half as long again as all tests took. */
const hangMs = 4_000;
const runTimeoutMs = 90 * 60_000;

const filesOf = (patterns: readonly string[]): string[] =>
  patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })].toSorted());

/** The mutants of these files; the tests run in a copy of the tree below `scratch`, so nothing here is touched. */
const mutate = async (
  scratch: string,
  files: readonly string[],
  tests: readonly string[],
  jobs: number,
): Promise<ReadonlyMap<string, Mutant[]>> => {
  const report = join(scratch, "report.json");
  const settings = join(scratch, "stryker.json");
  writeFileSync(
    settings,
    JSON.stringify({
      mutate: files,
      testRunner: "command",
      commandRunner: {
        command: [`"${process.execPath}"`, "test", "--timeout=3000", "--bail=1", ...tests.map((path) => `./${path}`)].join(" "),
      },
      coverageAnalysis: "off",
      disableTypeChecks: false,
      plugins: [],
      checkers: [],
      reporters: ["json"],
      jsonReporter: { fileName: report },
      tempDirName: relative(root, join(scratch, "tree")),
      concurrency: jobs,
      timeoutMS: hangMs,
      timeoutFactor: 1.5,
      logLevel: "warn",
      // Without tsconfig.json, which Stryker would rewrite by an interface that TypeScript 7 does not have.
      ignorePatterns: [
        "**",
        ...["package.json", "bunfig.toml", "runtime", "protocols", "test", "tools"].map((kept) => `!${kept}{,/**}`),
      ],
    }),
  );
  const { status, output } = await run(node, [stryker, "run", settings], { timeoutMs: runTimeoutMs, cwd: root });
  if (status !== 0) throw new Error(`Stryker ended with status ${status}:\n${output}`);
  const parsed = JSON.parse(readFileSync(report, "utf8")) as { files: Record<string, { mutants: Mutant[] }> }; // mutation-testing-report-schema
  return new Map(Object.entries(parsed.files).map(([path, { mutants }]) => [path, mutants]));
};

const options = {
  jobs: { type: "string", default: "2" },
  "at-least": { type: "string", default: "85" },
  survivors: { type: "string", default: join(folder, "survivors.txt") },
  help: { type: "boolean", short: "h", default: false },
} as const;

const main = async (): Promise<number> => {
  const { values, positionals } = readWords("mutate", { options, allowPositionals: true });
  if (values.help) {
    say(usage.trimEnd());
    return 0;
  }
  mkdirSync(folder, { recursive: true });
  const tallies: Tally[] = [];
  const survivors: string[] = [];
  for (const { sources, tests } of targets) {
    const files = filesOf(sources).filter((file) => positionals.length === 0 || positionals.some((path) => file.includes(path)));
    if (files.length === 0) continue;
    const scratch = mkdtempSync(join(folder, "run-"));
    const found = await mutate(scratch, files, filesOf(tests), Number(values.jobs)).finally(() =>
      rmSync(scratch, { recursive: true, force: true }),
    );
    for (const [file, mutants] of found) {
      const tally = tallyOf(file, mutants);
      tallies.push(tally);
      say(`${file}: ${scoreOf(tally).toFixed(1)} % (${tally.killed} killed, ${tally.timedOut} hung, ${tally.survived} survived)`);
      const lines = readFileSync(join(root, file), "utf8").split("\n");
      const survived = mutants
        .filter(({ status }) => status === "Survived")
        .toSorted((a, b) => a.location.start.line - b.location.start.line);
      survivors.push(...survived.map((mutant) => survivorText(file, mutant, lines)));
    }
  }
  if (tallies.length === 0) {
    say(`no file that is tested so has ${positionals.join(", ")} in its path`);
    return 2;
  }
  writeFileSync(values.survivors, `${survivors.join("\n")}\n`);
  say(`all: ${scoreOf(...tallies).toFixed(1)} %; what survived is in ${values.survivors}`);
  return tallies.every((tally) => scoreOf(tally) >= Number(values["at-least"])) ? 0 : 1;
};

process.exit(await main());
