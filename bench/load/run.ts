/** One run: everything is started, warmed up, measured for a while, drained and read. */
import { loadavg } from "node:os";
import { delay, systemClock } from "../../runtime/clock.ts";
import type { Stats } from "../../tools/llm-sim/stats.ts";
import type { Child } from "./child.ts";
import { type Crowd, startCrowd } from "./crowd.ts";
import type { Heard } from "./listener.ts";
import { readMetrics, type Series, sumBy, sumOf } from "./metrics.ts";
import type { LoadOptions } from "./options.ts";
import { profileOf } from "./plan.ts";
import type { Threads } from "./processes.ts";
import { type Kept, readKept, type Window } from "./records.ts";
import { type Running, startAll } from "./system.ts";

export type Cost = {
  readonly name: string;
  /** True of the system itself, false of what loads it and of services beside it. */
  readonly isSystem: boolean;
  readonly cpuMs: number;
  readonly threads: Threads;
  readonly rssMaxMb: number;
};

export type Measured = {
  readonly profile: readonly string[];
  readonly window: Window;
  /** How many cameras were heard of before the window began. */
  readonly camerasHeard: number;
  readonly before: readonly Series[];
  readonly after: readonly Series[];
  readonly llm: { readonly before: Stats; readonly after: Stats } | null;
  /** Samples of the oldest record in work (ms) and of records behind. */
  readonly lagMs: readonly number[];
  readonly lagRecords: readonly number[];
  readonly costs: readonly Cost[];
  readonly heard: Heard;
  readonly kept: Kept;
  readonly loadBefore: number;
};

export type Say = (line: string) => void;

const pollMs = 250;
const progressMs = 5_000;
/** A reading of the metrics of a thousand cameras takes the process tens of milliseconds. */
const scrapeMs = (cameras: number): number => (cameras <= 200 ? 5_000 : 15_000);
const onlineMs = (cameras: number): number => 60_000 + 20 * cameras;
/** After the window: how long verdicts of its last frames are waited for, beyond the oldest one yet. */
const drainMs = 1_500;

const everyCamera = async (crowd: Crowd, { cameras, clients, camerasPerClient }: LoadOptions, say: Say): Promise<number> => {
  const watched = Math.min(cameras, clients * camerasPerClient);
  const endMs = systemClock.monotonicMs() + onlineMs(cameras);
  for (;;) {
    const { camerasHeard } = await crowd.progress();
    if (camerasHeard >= watched) return camerasHeard;
    if (systemClock.monotonicMs() > endMs) {
      say(`only ${camerasHeard} of ${watched} cameras were heard of`);
      return camerasHeard;
    }
    await delay(systemClock, pollMs);
  }
};

const statsOf = async (url: string): Promise<Stats> => (await (await fetch(`${url}/stats`)).json()) as Stats; // our own program's answer

type Look = { readonly cpuMs: number; readonly threads: Threads };
const lookAt = (children: readonly Child[]): Look[] =>
  children.map(({ cpuMs, threads }) => ({ cpuMs: cpuMs(), threads: threads() }));

const costsOf = (children: readonly Child[], before: readonly Look[], after: readonly Look[], isSystem: boolean): Cost[] =>
  children.map(({ name, rssMaxMb }, index) => {
    const [from, to] = [before[index], after[index]];
    const threads = [...(to?.threads ?? [])].map(([thread, ms]) => [thread, ms - (from?.threads.get(thread) ?? 0)] as const);
    return { name, isSystem, cpuMs: (to?.cpuMs ?? 0) - (from?.cpuMs ?? 0), threads: new Map(threads), rssMaxMb: rssMaxMb() };
  });

const secondsSince = (atMs: number): number => (systemClock.nowMs() - atMs) / 1_000;
const orNone = (ms: number | null): string => (ms === null || Number.isNaN(ms) ? "none" : `${ms} ms`);

/** Watches for the window's length: progress for people, lag for the report. */
const watch = async (running: Running, crowd: Crowd, options: LoadOptions, beginMs: number, say: Say) => {
  const [lagMs, lagRecords]: [number[], number[]] = [[], []];
  const endMs = beginMs + options.durationS * 1_000;
  let [scrapeDueMs, sayDueMs] = [beginMs, beginMs + progressMs];
  for (let nowMs = systemClock.nowMs(); nowMs < endMs; nowMs = systemClock.nowMs()) {
    if (running.system.some(({ hasEnded }) => hasEnded())) throw new Error(endWords(running));
    if (nowMs >= scrapeDueMs) {
      scrapeDueMs += scrapeMs(options.cameras);
      const series = await readMetrics(running.system.map(({ said }) => said));
      lagMs.push(Math.max(0, ...sumBy(series, "settlement_age_seconds", "topic").values()) * 1_000);
      lagRecords.push(sumOf(series, "kafka_consumer_lag"));
    }
    if (nowMs >= sayDueMs) {
      sayDueMs += progressMs;
      const { frames, verdicts, detectionP95Ms, verdictP95Ms } = await crowd.progress();
      const [seconds, rss] = [secondsSince(beginMs), Math.max(...running.system.map(({ rssMaxMb }) => rssMaxMb()))];
      say(
        `${seconds.toFixed(0).padStart(4)} s  ${(frames / seconds).toFixed(1)} fps, detection P95 ${orNone(detectionP95Ms)}; ${(verdicts / seconds).toFixed(1)} verdicts/s, P95 ${orNone(verdictP95Ms)}; lag ${lagRecords.at(-1)} records, RSS ${rss.toFixed(0)} MB`,
      );
    }
    await delay(systemClock, Math.max(1, Math.min(scrapeDueMs, sayDueMs, endMs) - systemClock.nowMs()));
  }
  return { lagMs, lagRecords };
};

const endWords = ({ system }: Running): string => {
  const dead = system.find(({ hasEnded }) => hasEnded());
  return `${dead?.name} ended under load: ${dead?.output().split("\n").slice(-4).join("\n")}`;
};

/** Verdicts of the window's last frames are on their way: they get as long as the slowest one took, and at most their deadline. */
const drain = async (crowd: Crowd, deadlineMs: number): Promise<void> => {
  const { verdictMaxMs } = await crowd.progress();
  await delay(systemClock, Math.min(deadlineMs, verdictMaxMs ?? 0) + drainMs);
};

export const measureLoad = async (options: LoadOptions, say: Say): Promise<Measured> => {
  const loadBefore = loadavg()[0] ?? 0;
  const running = await startAll(options);
  let crowd: Crowd | null = null;
  try {
    const { config } = running.loaded;
    const profile = profileOf(options, config);
    crowd = await startCrowd(running.url, options);
    const camerasHeard = await everyCamera(crowd, options, say);
    await delay(systemClock, options.warmUpS * 1_000);

    const urls = running.system.map(({ said }) => said);
    const llmBefore = running.llmUrl === null ? null : await statsOf(running.llmUrl);
    const before = await readMetrics(urls);
    const [systemBefore, servicesBefore, clientsBefore] = [lookAt(running.system), lookAt(running.services), crowd.cpuMs()];
    const beginMs = systemClock.nowMs();
    await crowd.begin(beginMs);
    const { lagMs, lagRecords } = await watch(running, crowd, options, beginMs, say);
    const endMs = systemClock.nowMs();
    await crowd.end(endMs);
    const costs: Cost[] = [
      ...costsOf(running.system, systemBefore, lookAt(running.system), true),
      ...costsOf(running.services, servicesBefore, lookAt(running.services), false),
      { name: "clients", isSystem: false, cpuMs: crowd.cpuMs() - clientsBefore, threads: new Map(), rssMaxMb: Number.NaN },
    ];
    const after = await readMetrics(urls);
    const llm = llmBefore && running.llmUrl !== null ? { before: llmBefore, after: await statsOf(running.llmUrl) } : null;
    await drain(crowd, config.tasks.deadlineMs);
    const heard = await crowd.heard();
    await crowd.stop();
    crowd = null;
    await running.endSystem();
    const window = { beginMs, endMs };
    const kept = await readKept(running.loaded, window, new Map(heard.updates));
    return { profile, window, camerasHeard, before, after, llm, lagMs, lagRecords, costs, heard, kept, loadBefore };
  } finally {
    await crowd?.stop();
    await running.end();
  }
};
