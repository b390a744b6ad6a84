/**
 * Asks a second model about a share of the tasks and counts how often it says the same. Its answers are never published, and
 * nothing waits for them.
 */
import type { AssessmentTask } from "../../protocols/task.ts";
import type { AssessmentResult } from "../../protocols/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Random } from "../../runtime/random.ts";
import type { DeskPorts } from "./desk.ts";
import type { CallOutcome } from "./outcome.ts";
import type { Quota } from "./quota.ts";
import { readAnswer } from "./result.ts";

export type ShadowPorts = Pick<DeskPorts<AssessmentTask>, "tokensOf" | "call" | "called" | "changed"> & {
  readonly quota: Quota;
  readonly share: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
};

export type Shadow = {
  readonly compare: (task: AssessmentTask, published: AssessmentResult) => void;
  readonly close: () => void;
};

/** Nobody waits, but the picture is held. */
const timeoutMs = 60_000;
/** Pictures held at once. */
const inFlightMax = 20;

export const createShadow = (ports: ShadowPorts): Shadow => {
  const { quota, share, clock, random, metrics } = ports;
  const ending = new AbortController();
  let inFlight = 0;

  const agreement = (task: AssessmentTask, { results }: AssessmentResult, outcome: CallOutcome): string => {
    const [published] = results;
    if (outcome.action !== "answer" || !published) return "failed";
    const parsed = readAnswer(task, outcome.text);
    if (!parsed.ok) return "unreadable";
    if (published.status !== "ok") return "only-shadow";
    if (parsed.assessment.riskLevel !== published.riskLevel) return "other-level";
    return parsed.assessment.verdict === published.verdict ? "same" : "other-verdict";
  };

  return {
    compare(task, published) {
      if (inFlight >= inFlightMax || random.next() >= share) return;
      const startedMs = clock.monotonicMs();
      const seat = quota.take(startedMs, null, ports.tokensOf(task));
      if (!seat) return metrics.llmShadow.inc({ outcome: "no-quota" });
      inFlight++;
      const done = (outcome: CallOutcome) => {
        inFlight--;
        const nowMs = clock.monotonicMs();
        for (const event of quota.release(seat, outcome, true, nowMs)) ports.changed(event);
        const usage = "usage" in outcome ? (outcome.usage ?? null) : null;
        ports.called({ task, seat, outcome, durationMs: nowMs - startedMs, usage, isHedge: false });
        metrics.llmShadow.inc({ outcome: agreement(task, published, outcome) });
      };
      const call = async () => ports.call(seat, task, timeoutMs, ending.signal);
      call().then(done, (thrown: unknown) => done({ action: "give-up", reason: reasonOf(thrown) }));
    },
    close: () => ending.abort(new Error("the scheduler ends")),
  };
};
