/** The assessor with a model: looks for an answer already paid for, waits at the desk, reads the answer, keeps it. */
import type { AssessmentTask } from "../../protocols/task.ts";
import type { AssessmentResult } from "../../protocols/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Random } from "../../runtime/random.ts";
import type { Store } from "../../runtime/store.ts";
import { createDesk, type DeskSettings } from "./desk.ts";
import { createMeter } from "./meter.ts";
import { callChat, type Fetch } from "./openai.ts";
import { type PromptTemplate, renderPrompt } from "./prompt.ts";
import { createQuota, type GroupView, type QuotaSettings } from "./quota.ts";
import { answerKey, decodeAnswer, encodeAnswer, isWorthKeeping, resultOf } from "./result.ts";
import type { Language } from "./rules.ts";

export type ModelSettings = DeskSettings &
  QuotaSettings & {
    readonly prompt: PromptTemplate;
    readonly language: Language;
  };

export type ModelPorts = {
  readonly fetch: Fetch;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
};

export type ModelAssessor = {
  /** Rejects only when `signal` is aborted. A task already under way gives the same promise. */
  readonly assess: (task: AssessmentTask, signal: AbortSignal) => Promise<AssessmentResult>;
  readonly quota: () => readonly GroupView[];
  /** Brings the gauges up to date. */
  readonly report: () => void;
  readonly close: () => void;
};

/** The asked schema needs some 200; Chinese takes about a token a character. */
const tokensMax = 800;
/** As long as the task itself is kept. */
const answerTtlMs = 2 * 3_600_000;
/** A store that hangs costs a copy after a crash at most; a verdict that comes too late costs the verdict. */
const storeTimeoutMs = 1_000;

/** The value, or `instead` when the store fails or hangs. */
const boundedBy = async <T>(clock: Clock, work: Promise<T>, instead: T, failed: (reason: string) => void): Promise<T> => {
  let cancel = () => {};
  const late = new Promise<T>((resolve) => {
    cancel = clock.after(storeTimeoutMs, () => {
      failed("store_timeout");
      resolve(instead);
    });
  });
  const value = work.catch(() => {
    failed("store_failed"); // the store says why in its own log
    return instead;
  });
  const outcome = await Promise.race([value, late]);
  cancel();
  return outcome;
};

export const createModelAssessor = (settings: ModelSettings, ports: ModelPorts): ModelAssessor => {
  const { prompt, language } = settings;
  const { fetch, store, clock, random, metrics, log } = ports;
  const quota = createQuota(settings);
  const meter = createMeter(metrics, log);
  const defaultModel = settings.groups[0]?.model ?? "";
  const underWay = new Map<string, Promise<AssessmentResult>>();

  const desk = createDesk<AssessmentTask>(
    {
      clock,
      random,
      quota,
      call: (seat, task, timeoutMs, signal) => {
        const { baseUrl, model } = seat.group;
        const request = {
          baseUrl,
          model,
          apiKey: seat.secret,
          jsonMode: seat.jsonMode,
          tokensMax,
          timeoutMs,
          image: task.image,
        };
        return callChat({ fetch, clock }, { ...request, ...renderPrompt(prompt, task) }, signal);
      },
      called: (record) => meter.called(record, clock.monotonicMs()),
      changed(event) {
        meter.changed(event);
        report();
      },
    },
    settings,
  );
  const report = () => meter.report(quota.view(clock.monotonicMs()), desk.waiting(), desk.inFlight());

  const storeFailed = (reason: string) => metrics.pipelineErrors.inc({ error_type: reason, component: "scheduler" });

  const work = async (task: AssessmentTask, signal: AbortSignal): Promise<AssessmentResult> => {
    const kept = await boundedBy(clock, store.get(answerKey(task.taskId)), null, storeFailed);
    const earlier = kept ? decodeAnswer(kept, task.taskId) : null;
    if (earlier) return earlier;
    const ended = await desk.assess(task, signal);
    const result = resultOf(task, ended, language, defaultModel);
    if (isWorthKeeping(result)) {
      const fact = { key: answerKey(task.taskId), bytes: encodeAnswer(result), ttlMs: answerTtlMs };
      await boundedBy(clock, store.put([fact]), undefined, storeFailed);
    }
    return result;
  };

  return {
    assess(task, signal) {
      const known = underWay.get(task.taskId);
      if (known) return known;
      const fresh = work(task, signal).finally(() => underWay.delete(task.taskId));
      underWay.set(task.taskId, fresh);
      return fresh;
    },
    quota: () => quota.view(clock.monotonicMs()),
    report,
    close: desk.close,
  };
};
