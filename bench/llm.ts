/** What the scheduler does with a model's provider: at its target load, at its limits, and in trouble. */
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import type { Contest, Outcome } from "./harness.ts";
import type { Case, RigOutcome } from "./llm/rig.ts";
import type { Target } from "./report.ts";

const rig = join(import.meta.dirname, "llm/rig.ts");
/** Enough for every case: a request beyond it would wait unseen. */
const requestsMax = "4000";

const runCase = async (given: Case): Promise<Outcome> => {
  const child = Bun.spawn([process.execPath, rig, JSON.stringify(given)], {
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: requestsMax },
    stdout: "pipe",
    stderr: "inherit",
  });
  const said = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the run ended with ${child.exitCode}`);
  const { latenciesMs, figures } = JSON.parse(said) as RigOutcome; // what the rig writes
  return { values: latenciesMs, hash: 0, beside: figures };
};

const usual: Case = {
  providers: [["--latency", "1-3s", "--level", "low"]],
  groups: [{ provider: 0, keys: ["sk-1"], limits: {} }],
  tasksPerSecond: 20,
  maxConcurrent: 200,
  deadlineMs: 10_000,
  seconds: 15,
  imageBytes: 24_000,
};
const keys = Array.from({ length: 10 }, (_, index) => `sk-${index}`);
const troubled = (overrides: Partial<Case>): Case => ({ ...usual, ...overrides });
const provider = (...args: string[]): Partial<Case> => ({ providers: [["--latency", "200ms-1s", "--level", "low", ...args]] });
const withKeys = { groups: [{ provider: 0, keys, limits: {} }] };

/** A minute, of which the first third is for the compiler: what a call costs is asked of a process that has been at work. */
const steady: Case = { ...usual, tasksPerSecond: 100, maxConcurrent: 400, seconds: 60 };
const cases: readonly { readonly name: string; readonly given: Case; readonly target?: Target }[] = [
  {
    name: "100 calls/s of 1-3 s",
    given: steady,
    target: { of: "p95", limit: 3_300 },
  },
  {
    name: "100 tasks/s by rules, no call",
    given: { ...steady, groups: [{ provider: 0, keys: [], limits: {} }] },
  },
  { name: "100 tasks/s written, none taken", given: { ...steady, isIdle: true } },
  { name: "1,000 in flight", given: { ...usual, tasksPerSecond: 500, maxConcurrent: 1_000, imageBytes: 8_000 } },
  {
    name: "three times the quota",
    given: {
      ...usual,
      providers: [["--latency", "200ms-1s", "--level", "low", "--rps", "20", "--jitter", "50ms"]],
      groups: [{ provider: 0, keys: ["sk-1"], limits: { rps: 20 } }],
      tasksPerSecond: 60,
      seconds: 120,
      imageBytes: 2_000,
    },
  },
  { name: "429 storm", given: troubled(provider("--profile", "429")) },
  { name: "5xx storm", given: troubled({ ...provider("--profile", "5xx"), ...withKeys }) },
  { name: "one dead key of ten", given: troubled({ ...provider("--accounts", `a=${keys.slice(1).join(",")}`), ...withKeys }) },
  { name: "all keys dead", given: troubled({ ...provider("--accounts", "a=sk-other"), ...withKeys }) },
  { name: "answers after 29 s", given: troubled(provider("--profile", "slow")) },
  { name: "garbage", given: troubled(provider("--profile", "garbage")) },
  { name: "garbage without end", given: troubled(provider("--profile", "flood")) },
];

/** A run is as long as it is: a smaller size cuts it short. */
const contestOf = (given: Case, target: Target | undefined): Contest => ({
  unit: "ms",
  subject: { name: "scheduler", run: (size) => runCase({ ...given, seconds: Math.min(given.seconds, Math.max(2, size)) }) },
  ...(target === undefined ? {} : { target }),
  size: given.seconds,
  rounds: 1,
  warmUps: 0,
});

export const llm = (): Bench => ({
  name: "llm",
  notes: [
    "From capture to result, whatever it says; the provider is llm-sim in a process of its own, on this machine.",
    "CPU is the whole process: log in memory, mailbox, desk, HTTP client with its thread, collector, compiler; and the bench.",
    "Scheduler CPU per call is that minus the case in which tasks are written and none is taken: the bench alone.",
    "By rules the same tasks take the same way without a call: the difference to that is what the call itself costs.",
    "The loop counts as held when a timer is late and the process was busy for as long.",
  ],
  contests: cases.map(({ name, given, target }) => ({ name, open: () => contestOf(given, target) })),
});
