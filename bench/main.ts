/** `bun run bench <name|all>`: measures, prints, and writes a report where asked to. One file a question. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { reasonOf } from "../runtime/errors.ts";
import { agreementText } from "./agree.ts";
import { type Bench, runBench } from "./bench.ts";
import { quickEffort, usualEffort } from "./harness.ts";
import type { Report } from "./report.ts";
import { readReport, writeResults } from "./results.ts";

type Entry = { readonly question: string; readonly load: () => Promise<Bench> };

/** Loaded when asked for, so that a bench pays for its own imports alone. */
const benches: Readonly<Record<string, Entry>> = {
  runtime: {
    question: "what a hop, an actor and a timer cost, beside nact, xstate, effect and rxjs",
    load: async () => (await import("./runtime.ts")).runtime(),
  },
  detector: {
    question: "how many detections a second the pipeline makes, beside bare onnxruntime-node",
    load: async () => (await import("./detector.ts")).detector(),
  },
  log: {
    question: "what an append to the embedded log costs, beside a bare bun:sqlite loop",
    load: async () => (await import("./log.ts")).log(),
  },
  kafka: {
    question: "what the Kafka driver costs, beside bare kafkajs and @platformatic/kafka, on a real broker",
    load: async () => (await import("./kafka.ts")).kafka(),
  },
  edge: {
    question: "what a broadcast to 1,000 clients costs, beside bare server.publish, and what stalled clients do to the others",
    load: async () => (await import("./edge.ts")).edge(),
  },
  start: {
    question: "how long it is from the start of the process to the first detection on a client",
    load: async () => (await import("./start.ts")).start(),
  },
  codec: {
    question: "what a message costs to encode and decode, beside @msgpack/msgpack",
    load: async () => (await import("./codec.ts")).codec(),
  },
  density: {
    question: "how many cameras one machine detects on at their rate, by model size, with and without decoding",
    load: async () => (await import("./density.ts")).density(),
  },
  peers: {
    question: "what task generator, scheduler and aggregator make of a backlog, beside a Python service that does the same",
    load: async () => (await import("./peers.ts")).peers(),
  },
  groups: {
    question: "what it costs to group a frame's objects and to follow them on the ground, beside all pairs",
    load: async () => (await import("./groups.ts")).groups(),
  },
  tracking: {
    question: "what the tracker costs a frame, and how well it keeps its ids, beside joining by overlap alone",
    load: async () => (await import("./tracking.ts")).tracking(),
  },
  llm: {
    question: "what the scheduler makes of a model's provider, at its load, at its limits and in trouble",
    load: async () => (await import("./llm.ts")).llm(),
  },
};

const names = Object.keys(benches);
const usage = `bun run bench <name|all> [--only TEXT] [--report FILE] [--quick]

${names.map((name) => `  ${name.padEnd(10)} ${benches[name]?.question}`).join("\n")}
  ${"all".padEnd(10)} each of these in turn
  ${"load".padEnd(10)} how old detections and verdicts are under the load of many cameras: bun run bench load --help
  ${"chaos".padEnd(10)} what is left when every part is killed again and again; bun run bench chaos --help
  ${"results".padEnd(10)} writes bench/RESULTS.md from the reports in bench/results
  ${"agree".padEnd(10)} A.json B.json: whether two reports agree within their spread, row by row

  --only TEXT     the contests with this in their name
  --report FILE   writes the figures as JSON; of "all", a list
  --quick         small sizes: for a look, not for the record
`;

/** The entries to run, or what is wrong with the command line. */
const parse = (args: readonly string[]) => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: "string", default: "" },
      report: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  const [name, ...more] = positionals;
  if (values.help) return { ...values, entries: [] };
  if (name === undefined) throw new Error(`say which bench to run: ${names.join(", ")} or all`);
  if (more.length > 0) throw new Error(`one bench at a time, not also ${more.join(" ")}`);
  const entries = name === "all" ? Object.values(benches) : [benches[name]];
  return {
    ...values,
    entries: entries.map((entry) => {
      if (entry) return entry;
      throw new Error(`there is no bench ${name}; there are ${[...names, ...Object.keys(commands)].join(", ")} and all`);
    }),
  };
};

const print = (text: string): void => void process.stdout.write(text);

const agree = ([one, other, ...more]: readonly string[]): number => {
  if (one === undefined || other === undefined || more.length > 0)
    throw new Error("agree takes two reports: agree A.json B.json");
  const { text, isAgreed } = agreementText(readReport(one), readReport(other));
  print(text);
  return isAgreed ? 0 : 1;
};

const results = (): number => {
  print(`RESULTS.md shows ${writeResults()} reports\n`);
  return 0;
};

/** Those that take words of their own; each gives the exit code. */
const commands: Readonly<Record<string, (words: readonly string[]) => number | Promise<number>>> = {
  load: async (words) => (await import("./load.ts")).load(words, print),
  // What it has killed may hold the process open.
  chaos: async (words) => process.exit(await (await import("./chaos.ts")).chaos(words, print)),
  results,
  agree,
};

const main = async (): Promise<void> => {
  const [command = "", ...words] = process.argv.slice(2);
  const special = commands[command];
  if (special) {
    process.exitCode = await special(words);
    return;
  }
  const { entries, only, report, quick, help } = parse(process.argv.slice(2));
  if (help) return print(usage);
  const reports: Report[] = [];
  for (const { load } of entries) {
    try {
      reports.push(await runBench(await load(), { effort: quick ? quickEffort : usualEffort, quick, only, print }));
    } catch (thrown) {
      if (entries.length === 1) throw thrown;
      // Of all of them some need what is not here, such as Java or a clip: the others are measured all the same.
      process.stderr.write(`bench: ${reasonOf(thrown)}\n`);
      process.exitCode = 1;
    }
  }
  if (report !== undefined) writeFileSync(report, `${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`);
};

try {
  await main();
} catch (thrown) {
  process.stderr.write(`bench: ${reasonOf(thrown)}\n`);
  process.exit(1);
}
