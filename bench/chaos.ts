/**
 * `bun run bench chaos`: a split system on real servers, killed again and again under load, and judged by what it leaves behind.
 * `docs/chaos.md` says what is asserted.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import type { Finding } from "./chaos/judge.ts";
import { type ChaosOptions, parseChaos, roleNames, usage } from "./chaos/options.ts";
import { countFaults, planOf } from "./chaos/plan.ts";
import { startPlant } from "./chaos/plant.ts";
import { createRounds, describeFault } from "./chaos/round.ts";
import { spreadOf, surroundings } from "./report.ts";
import type { ReportFile } from "./results.ts";

const cooldownMs = 3_000;
const findingsShown = 40;

const countNames = [
  ...["kills", "broker", "redis", "cuts", "records", "groups", "admitted", "shown", "refused", "refusedUnkept"],
  ...["overdue", "dead", "copies", "paidAgain", "calls", "callsCut", "sentTwice", "connections", "lagged"],
] as const;
type CountName = (typeof countNames)[number] | string;

const State = z.object({
  options: z.object({
    cameras: z.number(),
    fps: z.number(),
    seed: z.number(),
    roles: z.array(z.enum(roleNames)),
    kills: z.number(),
    broker: z.number(),
    redis: z.number(),
    cuts: z.number(),
    perRound: z.number(),
    gapMs: z.number(),
  }),
  roundsDone: z.number(),
  counts: z.record(z.string(), z.number()),
  recoveries: z.record(z.string(), z.array(z.number())),
  findings: z.array(
    z.object({
      kind: z.enum(["lost", "twice", "differs", "paid-twice", "unreadable", "unsettled", "stuck", "ended"]),
      id: z.string(),
      says: z.string(),
    }),
  ),
});
type State = z.output<typeof State>;

export const fresh = (options: ChaosOptions): State => ({
  options: { ...options, roles: [...options.roles] },
  roundsDone: 0,
  counts: {},
  recoveries: {},
  findings: [],
});

const readState = (path: string): State => {
  const read = State.safeParse(JSON.parse(readFileSync(path, "utf8")));
  if (!read.success) throw new Error(`${path} is no state of a run: ${z.prettifyError(read.error)}`);
  return read.data;
};

export type ChaosOutcome = { readonly report: ReportFile; readonly findings: readonly Finding[] };

/** Runs what `state` has not had yet; `saved` is called after each round. */
export const runChaos = async (
  initial: State,
  print: (text: string) => void,
  saved: (state: State) => void = () => {},
): Promise<ChaosOutcome> => {
  const state = structuredClone(initial);
  const { options } = state;
  const rounds = planOf(options);
  const all = rounds.flat();
  const add = (name: CountName, more: number) => {
    state.counts[name] = (state.counts[name] ?? 0) + more;
  };
  const at = surroundings();
  print(
    `chaos at ${at.commit}: ${all.length} faults in ${rounds.length} rounds, ${options.cameras} cameras at ${options.fps} fps\n`,
  );
  const plant = await startPlant(options);
  const { run, end } = createRounds({ plant, say: print, cooldownMs });
  let done = rounds.slice(0, state.roundsDone).flat().length;
  let isKept = true;
  try {
    for (const [index, faults] of rounds.entries()) {
      if (index < state.roundsDone) continue;
      const { made, cut } = plant.book;
      const before = {
        calls: made(),
        cut: cut(),
        sentTwice: plant.viewer.sentTwice(),
        connections: plant.viewer.connections(),
        lagged: plant.viewer.lagged(),
      };
      print(`round ${index + 1} of ${rounds.length}: ${faults.length} faults\n`);
      const { findings, recoveries, ...counts } = await run(faults, (fault, { tookMs }) =>
        print(`  ${++done} of ${all.length}: ${describeFault(fault)}, works again after ${tookMs.toFixed(0)} ms\n`),
      );
      for (const [name, count] of Object.entries({ ...counts, ...countFaults(faults) })) add(name, count);
      add("calls", made() - before.calls);
      add("callsCut", cut() - before.cut);
      add("sentTwice", plant.viewer.sentTwice() - before.sentTwice);
      add("connections", plant.viewer.connections() - before.connections);
      add("lagged", plant.viewer.lagged() - before.lagged);
      for (const { key, tookMs } of recoveries) state.recoveries[key] = [...(state.recoveries[key] ?? []), Math.round(tookMs)];
      state.findings.push(...findings);
      state.roundsDone = index + 1;
      saved(state);
      const { records, groups, admitted, shown, refused, refusedUnkept } = counts;
      print(
        `  at rest: ${records} records, ${groups} groups, ${admitted} with a task, ${shown} shown, ${refused + refusedUnkept} refused, ${findings.length} findings\n`,
      );
      tell(findings, print);
      if (findings.some(({ kind }) => kind === "stuck")) break; // what does not work tells nothing further
    }
    const last = await end();
    state.findings.push(...last);
    tell(last, print);
    isKept = state.findings.length > 0;
  } finally {
    await plant.close(isKept);
    if (isKept) print(`logs and data stay in ${plant.folder}\n`);
  }
  return { report: reportOf(state, at), findings: state.findings };
};

const tell = (findings: readonly Finding[], print: (text: string) => void): void => {
  for (const { kind, id, says } of findings.slice(0, findingsShown)) print(`  ${kind}: ${id}: ${says}\n`);
  if (findings.length > findingsShown) print(`  and ${findings.length - findingsShown} more\n`);
};

const notes = [
  "Every role is a process of its own, on a real Kafka broker and a real Redis, each behind links that can be cut.",
  "A role works again at the first record that it writes after its kill (eyes: one of each camera; edge: the first event that a client hears);",
  "broker, Redis and a cut when a client is shown a verdict on a frame captured after it was mended, counted from then.",
  "Consumer groups have a session of 6 s and a heartbeat of 1 s; a member that was killed is missed for a session.",
];

const reportOf = (state: State, at: ReturnType<typeof surroundings>): ReportFile => {
  const { options, counts, recoveries, findings } = state;
  const found = (kind: Finding["kind"]) => findings.filter((finding) => finding.kind === kind).length;
  const one = (name: string, value: number, target?: number) => ({
    ...{ name, unit: "count", samples: 1, median: value, min: value, max: value },
    ...(target === undefined ? {} : { target, targetOf: "most", met: value <= target }),
  });
  return {
    bench: "chaos",
    ...at,
    notes: [...notes, `${options.cameras} cameras at ${options.fps} fps, seed ${options.seed}, ${state.roundsDone} rounds.`],
    results: [
      ...Object.entries(recoveries).map(([key, values]) => {
        const spread = spreadOf(values);
        const p95 = spread.p95 ?? spread.max;
        return { name: `works again: ${key}`, unit: "ms", ...spread, p95 };
      }),
      ...countNames.map((name) => one(name, counts[name] ?? 0)),
      one("lost", found("lost"), 0),
      one("shown twice, or with two ends", found("twice"), 0),
      one("copies that differ", found("differs"), 0),
      one("paid twice", found("paid-twice"), 0),
      one(
        "unreadable, not at rest, not back, or ended by itself",
        found("unreadable") + found("unsettled") + found("stuck") + found("ended"),
        0,
      ),
    ],
  };
};

/** The command; resolves with its exit status. */
export const chaos = async (args: readonly string[], print: (text: string) => void): Promise<number> => {
  const { report: reportFile, state: stateFile, help, ...options } = parseChaos(args);
  if (help) {
    print(usage);
    return 0;
  }
  const initial = stateFile !== null && existsSync(stateFile) ? readState(stateFile) : fresh(options);
  const { report, findings } = await runChaos(initial, print, (state) => {
    if (stateFile !== null) writeFileSync(stateFile, `${JSON.stringify(state, null, 2)}\n`);
  });
  if (reportFile !== null) writeFileSync(reportFile, `${JSON.stringify(report, null, 2)}\n`);
  for (const { name, unit, median, p95, max } of report.results)
    print(unit === "ms" ? `${name}: P50 ${median} ms, P95 ${p95} ms, most ${max} ms\n` : `${name}: ${median}\n`);
  print(findings.length === 0 ? "every guarantee held\n" : `${findings.length} findings\n`);
  return findings.length === 0 ? 0 : 1;
};
