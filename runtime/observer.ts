/** What the runtime tells of itself; `actors/pipeline.ts` turns it into metrics and log lines. */

export type Observer = {
  readonly dropped: (actor: string, type: string, reason: string, count: number) => void;
  readonly failed: (actor: string, type: string, reason: string, stack: string | undefined) => void;
  readonly restarted: (actor: string, restarts: number) => void;
  readonly escalated: (supervisor: string, reason: string) => void;
  /** A child that is not started again. */
  readonly ended: (actor: string, reason: string) => void;
  /** One phase of an orderly end is over. */
  readonly phaseEnded: (phase: string, tookMs: number) => void;
  readonly sent: (topic: string, key: string) => void;
  readonly sendFailed: (topic: string, reason: string) => void;
  readonly appendFailed: (actor: string, reason: string) => void;
  readonly received: (topic: string, group: string) => void;
  readonly retried: (topic: string, cause: string, reason: string, attempts: number) => void;
  readonly deadLettered: (topic: string, cause: string, disposition: string, reason: string) => void;
};

export const silentObserver: Observer = {
  dropped() {},
  failed() {},
  restarted() {},
  escalated() {},
  ended() {},
  phaseEnded() {},
  sent() {},
  sendFailed() {},
  appendFailed() {},
  received() {},
  retried() {},
  deadLettered() {},
};
