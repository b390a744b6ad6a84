/**
 * `bun run test`: every level of tests, each in a process of its own, so that a crash of one does not hide the others.
 * First those that need nothing but this repository, two at a time, then those whose service can be provided, one by one, since
 * they go by real time. What could not run is named.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { systemClock } from "../runtime/clock.ts";
import { type Failure, readJunit, sumTallies, type Tally } from "./junit.ts";
import { fastLevels, filesOf, type Level, levels } from "./levels.ts";
import { run } from "./process.ts";
import { followTests } from "./test-progress.ts";
import { readWords } from "./words.ts";

const levelNames = [...new Set(levels.map(({ name }) => name))].join(", ");
const usage = `bun run test [--fast] [--level NAME]... [--limit S] [--randomize] [--seed N] [PATH]...

  --fast        only what takes seconds: ${fastLevels.map(({ name }) => name).join(", ")} without long runs and benches,
                and with properties tried a quarter as often
  --level NAME  only this level, more by repeating: ${levelNames}
  --limit S     ends after so many seconds; what had not run by then has failed
  --randomize   tests in random order; bun prints the seed
  --seed N      the order of that seed again
  PATH          only test files whose path contains it
`;

const root = join(import.meta.dirname, "..");
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Of one test that names none: generous, for a machine that others use too. */
const testTimeoutMs = 60_000;

/** One level, and what went wrong beside its tests. */
type Result = { readonly tally: Tally; readonly troubles: readonly string[] };

/** The program that runs these files, and its arguments. */
const commandOf = (
  { name, host }: Level,
  files: readonly string[],
  flags: readonly string[],
  report: string,
): [string, string[]] => {
  if (host) return [host.program, [...host.args, "test/support/portable/run.ts", report, ...files]];
  // What was started in the background, a broker or by `vedette up`, is an orphan on purpose.
  const orphans = name === "kafka" || name === "e2e" ? [] : ["--no-orphans"];
  const args = ["test", ...orphans, `--timeout=${testTimeoutMs}`, "--reporter=junit", `--reporter-outfile=${report}`, ...flags];
  return [process.execPath, [...args, ...files.map((file) => `./${file}`)]];
};

type LevelRun = {
  readonly folder: string;
  readonly leftMs: number;
  readonly env: Readonly<Record<string, string>>;
  readonly say: (text: string) => void;
};

const labelOf = ({ name, host }: Level): string => (host ? `${name} (${host.name})` : name);

const runLevel = async (
  level: Level,
  files: readonly string[],
  flags: readonly string[],
  { folder, leftMs, env, say }: LevelRun,
): Promise<Result> => {
  const label = labelOf(level);
  const report = join(folder, `${label}.xml`);
  const progress = followTests(say);
  const timeoutMs = Math.min(level.timeoutMs, leftMs);
  const outcome = await run(...commandOf(level, files, flags, report), { timeoutMs, line: progress.line, cwd: root, env });
  // A process that crashed or was ended wrote none: what it printed must do, and its end is a failure of its own.
  const isWhole = existsSync(report);
  const tally = isWhole ? readJunit(readFileSync(report, "utf8")) : progress.tally();
  const { passed, failures, skipped } = tally;
  const skips = skipped.length === 0 ? "" : `, ${skipped.length} skipped`;
  say(`${label}: ${passed} passed, ${failures.length} failed${skips} (${(outcome.tookMs / 1000).toFixed(1)} s)`);
  const troubles: string[] = [];
  if (outcome.timedOut) troubles.push(`${label}: cut off after ${Math.round(timeoutMs / 1000)} s, ${progress.place()}`);
  else if (!isWhole || (outcome.status !== 0 && failures.length === 0))
    troubles.push(`${label}: its process ended with status ${outcome.status}, ${progress.place()}${outcome.output}`);
  else if (passed + failures.length + skipped.length === 0) troubles.push(`${label}: no test was found in ${files.length} files`);
  return { tally, troubles };
};

const saysMax = 12;
/** The test, and the first lines of what it said, indented. */
const linesOf = ({ test, says }: Failure): string =>
  [`failed: ${test}`, ...says.split("\n").filter((text) => text.trim() !== "")].slice(0, saysMax).join("\n    ");

const options = {
  fast: { type: "boolean", default: false },
  level: { type: "string", multiple: true },
  limit: { type: "string" },
  randomize: { type: "boolean", default: false },
  seed: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

const parse = () => readWords("test", { options, allowPositionals: true });

const main = async (): Promise<number> => {
  const { values, positionals } = parse();
  if (values.help) {
    say(usage.trimEnd());
    return 0;
  }
  const names = values.level ?? [];
  const unknown = names.filter((asked) => !levels.some((level) => level.name === asked));
  if (unknown.length > 0) {
    say(`no level is called ${unknown.join(", ")}; there are ${levelNames}`);
    return 2;
  }
  const limitMs = values.limit === undefined ? Number.POSITIVE_INFINITY : Number(values.limit) * 1000;
  if (!(limitMs > 0)) {
    say(`--limit takes seconds, not ${values.limit}`);
    return 2;
  }
  const wanted = positionals.map((path) => (isAbsolute(path) ? relative(root, path) : path).replace(/^\.\//, ""));
  const chosen = (values.fast ? fastLevels : levels).filter(({ name }) => names.length === 0 || names.includes(name));
  const flags = [...(values.randomize ? ["--randomize"] : []), ...(values.seed === undefined ? [] : [`--seed=${values.seed}`])];
  const env: Readonly<Record<string, string>> = values.fast ? { FAST_TESTS: "1" } : {};
  const folder = mkdtempSync(join(tmpdir(), "vedette-test-"));
  const endMs = systemClock.monotonicMs() + limitMs;
  const nothing: Tally = { passed: 0, failures: [], skipped: [] };
  const results: Result[] = [];
  const play = async (level: Level, say: (text: string) => void): Promise<Result> => {
    const files = filesOf(level, wanted);
    if (files.length === 0) return { tally: nothing, troubles: [] };
    const reason = (await level.provide?.()) ?? null;
    const leftMs = endMs - systemClock.monotonicMs();
    if (leftMs <= 0) return { tally: nothing, troubles: [`${labelOf(level)}: not begun, the time was up`] };
    if (reason === null) return runLevel(level, files, flags, { folder, leftMs, env, say });
    const skipped = (level.host ? [level.name] : files).map((what) => `${what}: ${reason}`);
    return { tally: { ...nothing, skipped }, troubles: [] };
  };
  const pure = chosen.filter(({ isPure }) => isPure);
  const work = async () => {
    for (let level = pure.shift(); level; level = pure.shift()) {
      const told: string[] = []; // shown together at its end
      results.push(await play(level, (text) => told.push(text)));
      for (const text of told) say(text);
    }
  };
  await Promise.all([work(), work()]);
  for (const level of chosen) if (!level.isPure) results.push(await play(level, say));
  rmSync(folder, { recursive: true, force: true });

  const total = sumTallies(results.map(({ tally }) => tally));
  const troubles = results.flatMap((result) => result.troubles);
  const failed = total.failures.length + troubles.length;
  if (total.skipped.length > 0) say(`skipped:\n${total.skipped.map((name) => `  ${name}`).join("\n")}`);
  for (const failure of total.failures) say(linesOf(failure));
  for (const trouble of troubles) say(`failed: ${trouble}`);
  if (total.passed + failed === 0) say("no test ran");
  say(`${total.passed} passed, ${failed} failed`);
  return failed > 0 || total.passed === 0 ? 1 : 0;
};

process.exit(await main());
