/** `vedette up|down|status`: processes in the background, one for all roles or one for each, with logs and pids in data.dir. */
import { spawnSync } from "node:child_process";
import type { Config } from "../../config/schema.ts";
import { roleNames } from "../../config/schema.ts";
import { delay } from "../../runtime/clock.ts";
import { StartRefused } from "../../runtime/errors.ts";
import { type Command, exit, type Given, type Option, type Session } from "./command.ts";
import { launch, linesOf, urlIn, wordsOf } from "./processes/launch.ts";
import { createRunFiles, type ProcessName, type RunFiles } from "./processes/run-files.ts";
import { columns, plain } from "./text.ts";

/** Sinks start before sources, and stop after them. */
const sinksFirst: readonly ProcessName[] = ["edge", "aggregator", "scheduler", "task-generator", "eyes", "all"];
const lookMs = 200;
const readyDefaultS = 60;
/** The shutdown budget of a process, and a little. */
const endMs = 12_000;
const killedMs = 3_000;
/** A process that loads its model holds its loop for a second or two. */
const askMs = 10_000;

const rolesOption: Option = {
  name: "roles",
  value: "LIST",
  does: `all in one process, or one process each of ${roleNames.join(",")}`,
};

const rolesOf = (given: Given): readonly ProcessName[] | null => {
  const text = given.text("roles");
  if (text === undefined) return null;
  const names = text.split(",").map((name) => name.trim());
  const known: readonly string[] = ["all", ...roleNames];
  const foreign = names.find((name) => !known.includes(name));
  if (foreign !== undefined)
    throw new StartRefused(exit.usage, `--roles: there is no role ${JSON.stringify(foreign)}: there are ${known.join(", ")}`);
  if (names.includes("all") && names.length > 1)
    throw new StartRefused(exit.usage, "--roles: all is every role in one process; leave the others out");
  return sinksFirst.filter((name) => names.includes(name));
};

type Report = {
  readonly name: ProcessName;
  readonly state: "ready" | "degraded" | "not ready" | "no answer" | "stopped";
  readonly pid: number | null;
  readonly url: string | null;
  readonly log: string;
  readonly detail: string;
};

type Readiness = { readonly status: string; readonly checks: Readonly<Record<string, { status: string; detail?: string }>> };

/** What the process says of itself. */
const reportOf = async (files: RunFiles, name: ProcessName): Promise<Report> => {
  const log = files.logOf(name);
  const pid = files.pidOf(name);
  if (pid === null) return { name, state: "stopped", pid, url: null, log, detail: "" };
  const url = urlIn(linesOf(log));
  if (url === null) return { name, state: "not ready", pid, url, log, detail: "starts" };
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(askMs) });
    const { status, checks } = (await response.json()) as Readiness; // our own process
    const troubles = Object.entries(checks).filter(([, check]) => check.status !== "up");
    const detail = plain(troubles.map(([check, { detail: why }]) => `${check}: ${why ?? ""}`).join("; ")).slice(0, 300);
    const state = status === "down" ? "not ready" : status === "degraded" ? "degraded" : "ready";
    return { name, state, pid, url, log, detail };
  } catch {
    return { name, state: "no answer", pid, url, log, detail: `nothing answers at ${url}/readyz` };
  }
};

const isReady = ({ state }: Report): boolean => state === "ready" || state === "degraded";

const wordsFor = (session: Session, files: RunFiles, name: ProcessName): string[] => [
  ...wordsOf(session.sources),
  ...["--roles", name, "--set", `data.dir=${files.dataOf(name)}`],
  // Only the edge and a whole process have an address that people know.
  ...(name === "all" || name === "edge" ? [] : ["--set", "observability.port=0"]),
];

const lastWords = (log: string): string => linesOf(log).at(-1)?.slice(0, 300) ?? `nothing was written to ${log}`;

/** Starts one and waits until it is ready, has ended, or `limitMs` are over. */
const startOne = async (session: Session, files: RunFiles, name: ProcessName, limitMs: number): Promise<Report> => {
  const running = files.pidOf(name);
  const launched = running === null ? await launch(wordsFor(session, files, name), files.logOf(name)) : null;
  if (launched) files.note(name, launched.pid);
  const endAtMs = session.clock.monotonicMs() + limitMs;
  for (;;) {
    const ended = launched?.ended() ?? null;
    if (ended !== null) {
      files.forget(name);
      const log = files.logOf(name);
      return { name, state: "stopped", pid: null, url: null, log, detail: `ended with ${ended}: ${lastWords(log)}` };
    }
    const report = await reportOf(files, name);
    if (isReady(report) || session.clock.monotonicMs() >= endAtMs) return report;
    await delay(session.clock, lookMs, session.signal);
  }
};

const endOne = async ({ clock }: Session, files: RunFiles, name: ProcessName): Promise<string> => {
  const pid = files.pidOf(name);
  if (pid === null) return "was not running";
  const untilGone = async (limitMs: number) => {
    const endAtMs = clock.monotonicMs() + limitMs;
    while (files.pidOf(name) === pid && clock.monotonicMs() < endAtMs) await delay(clock, lookMs);
    return files.pidOf(name) !== pid;
  };
  // Windows has no signals; there, the tree goes at once and the log brings back what was in work.
  if (process.platform === "win32") spawnSync("taskkill", ["/PID", String(pid), "/T", "/F"]);
  else process.kill(pid, "SIGTERM");
  if (await untilGone(endMs)) {
    files.forget(name);
    return "stopped";
  }
  process.kill(pid, "SIGKILL");
  if (!(await untilGone(killedMs))) return `does not end: process ${pid}`;
  files.forget(name);
  return `did not end within ${endMs / 1000} s and was killed`;
};

const say = (session: Session, reports: readonly Report[]): void => {
  const rows = reports.map(({ name, state, pid, url, log }) => [name, state, pid === null ? "-" : `pid ${pid}`, url ?? "-", log]);
  for (const line of columns(rows)) session.out(line);
  for (const { name, detail } of reports) if (detail !== "") session.note(`${name}: ${detail}`);
};

const filesOf = ({ data }: Config): RunFiles => createRunFiles(data.dir);

/** Refuses (78) at once what every process would refuse in its log. */
const check = (session: Session, names: readonly ProcessName[]): Config => {
  const configs = names.map((name) => session.config(`roles=${name}`).config);
  return configs[0] ?? session.config().config;
};

const all: readonly ProcessName[] = ["all"];

export const up: Command = {
  name: "up",
  does: "Starts processes in the background and waits until they are ready",
  actions: [
    {
      name: "",
      does: "",
      options: [rolesOption, { name: "timeout", value: "S", does: `wait so long for each (default ${readyDefaultS})` }],
      async run(given, session) {
        const names = rolesOf(given) ?? all;
        const files = filesOf(check(session, names));
        const other = names.includes("all") ? files.names().find((name) => name !== "all") : files.pidOf("all") && "all";
        if (other)
          throw new StartRefused(exit.failed, `${other} runs here already, in a way that excludes this: bun run vedette down`);
        const limitMs = (given.number("timeout", { from: 1, to: 3_600 }) ?? readyDefaultS) * 1_000;
        const reports = await Promise.all(names.map((name) => startOne(session, files, name, limitMs)));
        say(session, reports);
        return reports.every(isReady) ? exit.ok : exit.failed;
      },
    },
  ],
  notes: [
    "Logs are data.dir/logs/NAME.log, pids data.dir/run/NAME.pid. What is running already is left alone.",
    "A process of one role has a data directory of its own below data.dir/roles, and its health on a free port, which status shows.",
  ],
};

export const down: Command = {
  name: "down",
  does: "Ends processes in the background, in order: what is in work is finished or left for the next start",
  actions: [
    {
      name: "",
      does: "",
      options: [{ ...rolesOption, does: "only these; every one that runs when left out" }],
      async run(given, session) {
        const files = filesOf(session.config().config);
        const names = rolesOf(given) ?? files.names();
        if (names.length === 0) session.out("nothing is running");
        const ends = await Promise.all(names.map((name) => endOne(session, files, name)));
        for (const [index, name] of names.entries()) session.out(`${name} ${ends[index]}`);
        return ends.some((end) => end.startsWith("does not end")) ? exit.failed : exit.ok;
      },
    },
  ],
};

export const status: Command = {
  name: "status",
  does: "Says which processes run in the background, where, and whether they are ready",
  actions: [
    {
      name: "",
      does: "",
      options: [
        { ...rolesOption, does: "these; every one that runs when left out" },
        { name: "json", does: "one JSON object a line" },
      ],
      async run(given, session) {
        const files = filesOf(session.config().config);
        const names = rolesOf(given) ?? files.names();
        const reports = await Promise.all(names.map((name) => reportOf(files, name)));
        if (given.isSet("json")) for (const report of reports) session.out(JSON.stringify(report));
        else if (reports.length === 0) session.out("nothing is running");
        else say(session, reports);
        return reports.length > 0 && reports.every(isReady) ? exit.ok : exit.failed;
      },
    },
  ],
};
