/** `bun run sim`: many simulated runs, with progress; ends with 1 and a line for each seed that failed. */
import { systemClock } from "../../runtime/clock.ts";
import { readWords, refuseWords } from "../../tools/words.ts";
import { describeMix, mixOf } from "../support/sim/faults.ts";
import { notice, plantedBugs } from "../support/sim/planted.ts";
import { simulate } from "../support/sim/simulate.ts";
import type { Played, Range } from "./worker.ts";

const usage = `bun run sim [--seeds N] [--from M] [--jobs J] | --seed S | --planted
  --seeds N   how many seeds (default 1000)
  --from M    the first of them (default 1)
  --jobs J    how many at once, each in a Worker (default 1)
  --seed S    one seed twice, with what it found
  --planted   which seed notices each planted bug, as a table
`;

const { values } = readWords("sim", {
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: "1" },
    seed: { type: "string" },
    planted: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);

const positive = (name: "seeds" | "from" | "jobs"): number => {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number > 0) return number;
  return refuseWords("sim", `--${name} takes a whole number above 0, not ${JSON.stringify(values[name])}`);
};

const one = async (seed: number): Promise<boolean> => {
  const [outcome, again] = [await simulate(seed), await simulate(seed)];
  say(describeMix(mixOf(seed)));
  say(JSON.stringify(outcome, null, 2));
  if (outcome.hash !== again.hash) say("the second run of the seed was another one");
  return outcome.violations.length === 0 && outcome.hash === again.hash;
};

const planted = async (): Promise<boolean> => {
  let isBlind = false;
  say("| planted bug | seed | what the run says |\n|---|---|---|");
  for (const bug of plantedBugs) {
    const noticed = await notice(bug, 200);
    isBlind ||= noticed === null;
    say(`| ${bug.name} | ${noticed?.seed ?? "none of 200"} | ${noticed?.says ?? ""} |`);
  }
  return !isBlind;
};

const rangeSeeds = 25;
const progressEvery = 100;

const many = async (from: number, count: number, jobs: number): Promise<boolean> => {
  const sinceMs = systemClock.monotonicMs();
  const sums = { groups: 0, crashes: 0, restarts: 0, deadLetters: 0, steps: 0 };
  const failed: number[] = [];
  let longestCalmMs = 0;
  let done = 0;
  let next = from;

  const status = () => {
    const seconds = ((systemClock.monotonicMs() - sinceMs) / 1_000).toFixed(1);
    const { groups, crashes, restarts, deadLetters } = sums;
    say(
      `${done} of ${count} seeds in ${seconds} s: ${groups} groups, ${crashes} process crashes, ${restarts} restarts, ` +
        `${deadLetters} dead letters, rest after ${longestCalmMs / 1_000} s at most, ${failed.length} failed`,
    );
  };
  const ended = ({ seed, outcome, failure }: Played) => {
    done++;
    const says = outcome ? outcome.violations : [failure];
    if (says.length > 0) {
      failed.push(seed);
      say(`bun run sim --seed ${seed}   # ${says.slice(0, 3).join("; ")} (${describeMix(mixOf(seed))})`);
    }
    if (outcome) for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += outcome[name]; // its own keys
    longestCalmMs = Math.max(longestCalmMs, outcome?.calmMs ?? 0);
    if (done % progressEvery === 0) status();
  };

  /** One Worker, range after range. */
  const job = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
      let left = 0;
      const more = () => {
        if (next >= from + count) {
          worker.terminate();
          return resolve();
        }
        const range: Range = { from: next, to: Math.min(next + rangeSeeds, from + count) - 1 };
        next = range.to + 1;
        left = range.to - range.from + 1;
        worker.postMessage(range);
      };
      worker.onmessage = ({ data }: MessageEvent<Played>) => {
        ended(data);
        if (--left === 0) more();
      };
      worker.onerror = ({ message }) => reject(new Error(message));
      more();
    });

  await Promise.all(Array.from({ length: jobs }, job));
  if (done % progressEvery !== 0) status();
  say(failed.length === 0 ? `${count} seeds passed` : `${failed.length} of ${count} seeds failed: ${failed.join(" ")}`);
  return failed.length === 0;
};

const main = (): Promise<boolean> => {
  if (values.planted) return planted();
  if (values.seed !== undefined) return one(Number(values.seed));
  return many(positive("from"), positive("seeds"), positive("jobs"));
};

if (values.help) say(usage);
else process.exitCode = (await main()) ? 0 : 1;
