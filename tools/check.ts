/** `bun run check`: types, lint, dead code and the fast levels of tests, two at a time. One line each; the output of what failed. */
import { join } from "node:path";
import { systemClock } from "../runtime/clock.ts";
import { fastLevels } from "./levels.ts";
import { run } from "./process.ts";
import { readWords } from "./words.ts";

type Step = { readonly name: string; readonly args: readonly string[] };

const bunx = ["x", "--no-install"];
const tests: readonly Step[] = fastLevels.map(({ name }) => ({
  name: `tests: ${name}`,
  args: [join(import.meta.dirname, "test.ts"), "--fast", "--level", name],
}));
const statics: readonly Step[] = [
  { name: "types", args: [...bunx, "tsc", "-p", ".", "--incremental", "--tsBuildInfoFile", ".cache/types.tsbuildinfo"] },
  { name: "lint and format", args: [...bunx, "biome", "check", "--error-on-warnings"] },
  { name: "dead code", args: [...bunx, "knip", "--no-progress"] },
];

const root = join(import.meta.dirname, "..");
const atOnce = 2;
const stepMs = 300_000;
const usage = `bun run check [--static]

  --static   without the tests, for those who run all of them next
`;
const { values } = readWords("check", { options: { static: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const waiting = [...(values.static ? [] : tests), ...statics];
const stepCount = waiting.length;
let failures = 0;

const work = async (): Promise<void> => {
  for (let step = waiting.shift(); step; step = waiting.shift()) {
    const outcome = await run(process.execPath, step.args, { timeoutMs: stepMs, cwd: root });
    const isFine = outcome.status === 0;
    if (!isFine) failures += 1;
    const verdict = isFine ? "ok" : outcome.timedOut ? `failed: no end after ${stepMs / 1000} s` : "failed";
    process.stdout.write(`${step.name}: ${verdict} (${(outcome.tookMs / 1000).toFixed(1)} s)\n`);
    if (!isFine) process.stdout.write(`${outcome.output.trimEnd()}\n`);
  }
};

const startedAtMs = systemClock.monotonicMs();
await Promise.all(Array.from({ length: atOnce }, work));
const seconds = ((systemClock.monotonicMs() - startedAtMs) / 1000).toFixed(1);
process.stdout.write(
  failures === 0 ? `check: ok (${seconds} s)\n` : `check: ${failures} of ${stepCount} failed (${seconds} s)\n`,
);
process.exit(failures === 0 ? 0 : 1);
