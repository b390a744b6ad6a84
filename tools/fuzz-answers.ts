/**
 * `bun tools/fuzz-answers.ts --count N --seed S`: harmed answers of the corpus, read as the scheduler reads them. None may throw,
 * garbage is never an assessment, and a "high" is never made "none". Ends with 1 at the first that is wrong; its seed shows it
 * again with `--count 1`.
 */
import { parseArgs } from "node:util";
import { answerFamilies } from "./fuzz-answers/corpus.ts";
import { runCase, seedsOf } from "./fuzz-answers/judge.ts";

const usage = "bun tools/fuzz-answers.ts [--count 1000000] [--seed 1]\n";
const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const [count, first] = [Number(values.count), Number(values.seed)];
const seeds = seedsOf(answerFamilies().flatMap(({ rows }) => rows));
for (let seed = first; seed < first + count; seed++) {
  const wrong = runCase(seeds, seed);
  if (!wrong) continue;
  process.stdout.write(`seed ${seed}, of "${wrong.name}": ${wrong.what}\n${JSON.stringify(wrong.text)}\n`);
  process.exit(1);
}
process.stdout.write(`${count} mutations of ${seeds.length} answers, seeds ${first} to ${first + count - 1}: none wrong\n`);
