/** `bun run sim [--seeds N] [--seed S]`: many simulated runs, with progress; ends with 1 and the seeds that failed. */
import { parseArgs } from "node:util";
import { simulate } from "../support/sim-pipeline.ts";

const usage = `bun run sim [--seeds N] [--seed S]
  --seeds N   seeds 1 to N (default 1000)
  --seed S    one seed, with what it found
`;

const { values } = parseArgs({
  options: { seeds: { type: "string" }, seed: { type: "string" }, help: { type: "boolean", short: "h" } },
});
const say = (text: string) => void process.stdout.write(text);

if (values.help) {
  say(usage);
} else if (values.seed !== undefined) {
  const outcome = await simulate(Number(values.seed));
  say(`${JSON.stringify(outcome, null, 2)}\n`);
  process.exitCode = outcome.violations.length === 0 ? 0 : 1;
} else {
  const count = Number(values.seeds ?? 1_000);
  const failed: number[] = [];
  let groups = 0;
  let crashes = 0;
  for (let seed = 1; seed <= count; seed++) {
    const outcome = await simulate(seed);
    groups += outcome.groups;
    crashes += outcome.crashes;
    if (outcome.violations.length > 0) {
      failed.push(seed);
      say(`seed ${seed}: ${outcome.violations.slice(0, 5).join("; ")}\n`);
    }
    if (seed % 100 === 0)
      say(`${seed} of ${count} seeds, ${groups} groups, ${crashes} process crashes, ${failed.length} failed\n`);
  }
  say(failed.length === 0 ? `${count} seeds passed\n` : `${failed.length} of ${count} seeds failed: ${failed.join(" ")}\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
