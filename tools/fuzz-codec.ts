/**
 * `bun tools/fuzz-codec.ts --count N --seed S`: harmed, unfit and hostile bytes for every kind of message, judged by the codec
 * and by the library with zod. Ends with 1 at the first throw or difference; its seed shows it again with `--count 1`.
 */
import { parseArgs } from "node:util";
import { inputsPerCase, runCase, subjectsOf } from "./fuzz-codec/compare.ts";
import { declared } from "./fuzz-codec/declared.ts";

const usage = "bun tools/fuzz-codec.ts [--count 100000] [--seed 1]\n";
const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const [count, first] = [Number(values.count), Number(values.seed)];
const subjects = subjectsOf(declared.values());
const cases = Math.ceil(count / inputsPerCase);
for (let seed = first; seed < first + cases; seed++) {
  const found = runCase(subjects, seed);
  if (!found) continue;
  process.stdout.write(`${found.what}\n${found.detail}\n`);
  process.exit(1);
}
process.stdout.write(`${cases * inputsPerCase} inputs, seeds ${first} to ${first + cases - 1}: no throw, no difference\n`);
