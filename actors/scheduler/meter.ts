/** Counts what the scheduler does, and says in the log what an operator should know of it. */
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { Finding } from "./answer.ts";
import type { CallRecord } from "./desk.ts";
import type { KeyState } from "./keys.ts";
import type { Spent, Tally } from "./ledger.ts";
import type { CallOutcome } from "./outcome.ts";
import type { GroupView, QuotaEvent } from "./quota.ts";

export type Meter = {
  readonly called: (record: CallRecord<unknown>, nowMs: number) => void;
  /** A task ended without a call. */
  readonly avoided: (reason: AvoidedReason) => void;
  /** What was mended in an answer that was read, or is wrong with it. */
  readonly read: (findings: readonly (Finding | "tamper")[]) => void;
  readonly changed: (event: QuotaEvent) => void;
  /** Says once when a cap of the day is reached, and when a day begins anew. */
  readonly spent: (spent: Spent, today: Tally) => void;
  readonly report: (groups: readonly GroupView[], waiting: number, inFlight: number) => void;
};

export type AvoidedReason = "answered-before" | "duplicate" | "deadline" | "no-quota" | "no-keys" | "budget" | "budget-soft";

const stateNumbers: Record<KeyState, number> = { available: 1, in_use: 2, cooling: 3, disabled: 4 };
/** One line stands for all failed calls of so long. */
const failureLogMs = 10_000;

const statusOf = (outcome: CallOutcome): string => {
  switch (outcome.action) {
    case "answer":
      return "success";
    case "bad-answer":
      return "empty_response";
    case "retry-after":
      return "throttled";
    case "retry-elsewhere":
      return outcome.cause === "timeout" ? "timeout" : "error";
    case "aborted":
      return "aborted";
    default:
      return "error";
  }
};

export const createMeter = (metrics: Metrics, log: Log): Meter => {
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  let known: Spent = "within";
  return {
    called({ seat, outcome, durationMs, usage, isHedge }, nowMs) {
      const labels = { model: seat.group.model, api_key_id: seat.keyId };
      metrics.llmRequests.inc({ ...labels, status: statusOf(outcome) });
      if (isHedge) metrics.llmHedges.inc({ outcome: statusOf(outcome) });
      metrics.keyCalls.inc({ pool_id: seat.group.name, key_id: seat.keyId });
      if (outcome.action !== "aborted") metrics.llmLatency.observe(labels, durationMs / 1_000);
      if (usage) {
        metrics.llmTokens.inc({ model: labels.model, token_type: "prompt_tokens" }, usage.promptTokens);
        metrics.llmTokens.inc({ model: labels.model, token_type: "completion_tokens" }, usage.completionTokens);
      }
      if (outcome.action === "answer" || outcome.action === "aborted") return;
      if (nowMs - loggedAtMs < failureLogMs) {
        suppressed++;
        return;
      }
      log.warn("llm.failed", { group: seat.group.name, keyId: seat.keyId, reason: outcome.reason, suppressed });
      loggedAtMs = nowMs;
      suppressed = 0;
    },

    read(findings) {
      for (const finding of findings) metrics.llmFindings.inc({ finding });
    },

    avoided: (reason) => metrics.callsAvoided.inc({ reason }),

    changed: ({ group, keyId, what, reason }) =>
      log.warn("llm.group", { group, ...(keyId === null ? {} : { keyId }), change: what, reason }),

    spent(spent, { calls, cost }) {
      if (spent === known) return;
      known = spent;
      log.warn("llm.budget", { state: spent, calls, cost: Number(cost.toFixed(4)) });
    },

    report(groups, waiting, inFlight) {
      metrics.taskQueue.set({ queue_type: "pending" }, waiting);
      metrics.taskQueue.set({ queue_type: "processing" }, inFlight);
      metrics.llmConcurrent.set({ scheduler_id: "scheduler" }, inFlight);
      for (const { name, keys } of groups) {
        metrics.keyPoolSize.set({ pool_id: name }, keys.length);
        for (const { id, state, successRate, coolsForMs } of keys) {
          const labels = { pool_id: name, key_id: id };
          metrics.keyStatus.set(labels, stateNumbers[state]);
          metrics.keySuccessRate.set(labels, successRate);
          metrics.keyCooldown.set(labels, coolsForMs / 1_000);
        }
      }
    },
  };
};
