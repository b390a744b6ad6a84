/** The assessor with a model: looks for an answer already paid for, waits at the desk, reads the answer, keeps it. */
import type { AssessmentTask } from "../../protocols/task.ts";
import type { AssessmentResult } from "../../protocols/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Random } from "../../runtime/random.ts";
import type { Store } from "../../runtime/store.ts";
import type { Accounts } from "./accounts.ts";
import { type CallRecord, createDesk, type DeskSettings } from "./desk.ts";
import { isAffordable } from "./ledger.ts";
import type { Ended } from "./line.ts";
import { createMeter } from "./meter.ts";
import { callChat, type Fetch } from "./openai.ts";
import { type PromptTemplate, renderPrompt, renderRepair } from "./prompt.ts";
import type { QuotaEvent, Seat } from "./quota.ts";
import { type Question, type RepairOutcome, readOrRepair } from "./repair.ts";
import { answerKey, decodeAnswer, encodeAnswer, isWorthKeeping, resultOf } from "./result.ts";
import type { Language } from "./rules.ts";
import { createShadow } from "./shadow.ts";

export type ModelSettings = DeskSettings & {
  readonly prompt: PromptTemplate;
  readonly language: Language;
};

export type ModelPorts = {
  readonly accounts: Accounts;
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
  /** Brings the gauges up to date. */
  readonly report: () => void;
  /** Tells of a change of keys or groups. */
  readonly changed: (events: readonly QuotaEvent[]) => void;
  readonly close: () => void;
};

/** The asked schema needs some 200; Chinese takes about a token a character. */
const tokensMax = 800;
/** Of a question and its answer, before providers have said: the prompt, a crop of 640 × 640, the answer; then each object. */
const [questionTokens, pictureTokens, objectTokens] = [1_100, 550, 40];
const complaintTokens = 50;
const noPicture = new Uint8Array();
/** As long as the task itself is kept. */
const answerTtlMs = 2 * 3_600_000;
/** A store that hangs costs a copy after a crash at most; a verdict that comes too late costs the verdict. */
const storeTimeoutMs = 1_000;

/** The value, or `instead` when the store fails or hangs. */
export const boundedBy = async <T>(clock: Clock, work: Promise<T>, instead: T, failed: (reason: string) => void): Promise<T> => {
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

const tokensOf = ({ image, detectedObjects, repair }: Question): number =>
  questionTokens +
  (image.byteLength > 0 ? pictureTokens : 0) +
  objectTokens * detectedObjects.length +
  (repair ? tokensMax + complaintTokens : 0);

/** Ends without a call: the rules assess. */
const withoutCall = (reason: string): Ended => ({
  end: "no-quota",
  text: "",
  reason,
  model: null,
  keyId: null,
  calls: 0,
  durationMs: 0,
});

export const createModelAssessor = (settings: ModelSettings, ports: ModelPorts): ModelAssessor => {
  const { prompt, language } = settings;
  const { accounts, fetch, store, clock, random, metrics, log } = ports;
  const { quota, ledger, demand } = accounts;
  const meter = createMeter(metrics, log);
  const underWay = new Map<string, Promise<AssessmentResult>>();

  const call = (seat: Seat, task: Question, timeoutMs: number, signal: AbortSignal) => {
    const { baseUrl, model } = seat.group;
    const { taskId: requestId } = task;
    const image = seat.pictures ? task.image : noPicture;
    const request = { baseUrl, model, apiKey: seat.secret, format: seat.format, tokensMax, timeoutMs, image, requestId };
    const repair = task.repair && renderRepair(prompt, task.repair);
    return callChat({ fetch, clock }, { ...request, ...renderPrompt(prompt, { ...task, image }), repair }, signal);
  };
  const called = (record: CallRecord<Question>) => {
    const { task, seat, outcome, usage, durationMs } = record;
    const nowMs = clock.monotonicMs();
    meter.called(record, nowMs);
    const { name: group, price } = seat.group;
    const [answered, isRepair] = [outcome.action === "answer", task.repair !== undefined];
    const cost = ledger.enter(
      { group, keyId: seat.keyId, cameraId: task.cameraId, price, usage, answered, isRepair },
      clock.nowMs(),
    );
    if (cost > 0) metrics.llmCost.inc({ model: seat.group.model, pool_id: group }, cost);
    if (outcome.action === "answer" && usage) demand.call(usage.promptTokens + usage.completionTokens, cost, durationMs, nowMs);
  };
  const changed = (event: QuotaEvent) => {
    meter.changed(event);
    report();
  };
  const desk = createDesk<Question>({ clock, random, quota, tokensOf, call, called, changed }, settings);
  const shadow = accounts.shadow && createShadow({ ...accounts.shadow, clock, random, tokensOf, call, called, changed, metrics });
  const report = () => {
    meter.report(quota.view(clock.monotonicMs()), desk.waiting(), desk.inFlight());
    const { total } = ledger.today(clock.nowMs());
    meter.spent(ledger.spentOfAll(clock.nowMs()), total);
  };

  const repairs = {
    desk,
    clock,
    isAffordable: ({ cameraId, riskLevel }: AssessmentTask) => isAffordable(ledger.spent(cameraId, clock.nowMs()), riskLevel),
    tell: (outcome: RepairOutcome) => metrics.llmRepairs.inc({ outcome }),
  };
  const storeFailed = (reason: string) => metrics.pipelineErrors.inc({ error_type: reason, component: "scheduler" });

  const endOf = async (task: AssessmentTask, signal: AbortSignal): Promise<Ended> => {
    const spent = ledger.spent(task.cameraId, clock.nowMs());
    if (!isAffordable(spent, task.riskLevel)) {
      meter.avoided(spent === "hard" ? "budget" : "budget-soft");
      return withoutCall(spent === "hard" ? "the day's budget is spent" : "the day's budget is kept for dangers");
    }
    const ended = await desk.assess(task, signal);
    if (ended.calls === 0) meter.avoided(ended.end === "no-quota" ? "no-quota" : "deadline");
    return ended;
  };

  const work = async (task: AssessmentTask, signal: AbortSignal): Promise<AssessmentResult> => {
    const kept = await boundedBy(clock, store.get(answerKey(task.taskId)), null, storeFailed);
    const earlier = kept ? decodeAnswer(kept, task.taskId) : null;
    if (earlier) {
      meter.avoided("answered-before");
      return earlier;
    }
    demand.task(task.cameraId, clock.monotonicMs());
    const first = await endOf(task, signal);
    const { ended, read } =
      first.end === "answered" ? await readOrRepair(repairs, task, first, signal) : { ended: first, read: null };
    if (read?.ok) meter.read(read.findings);
    const result = resultOf(task, ended, language, accounts.defaultModel(), read);
    if (result.results[0]?.tamper) meter.read(["tamper"]);
    if (isWorthKeeping(result)) {
      const fact = { key: answerKey(task.taskId), bytes: encodeAnswer(result), ttlMs: answerTtlMs };
      await boundedBy(clock, store.put([fact]), undefined, storeFailed);
    }
    if (ended.end === "answered") shadow?.compare(task, result);
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
    report,
    changed: (events) => events.forEach(changed),
    close() {
      desk.close();
      shadow?.close();
    },
  };
};
