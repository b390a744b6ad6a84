/** An orderly end, in phases that each node of a tree goes through before any begins the next. */

import type { Failure } from "../cell/failure.ts";
import type { Cancel, Clock } from "../clock.ts";
import type { Restart } from "../tree.ts";
import type { TreeNode } from "./node.ts";

/**
 * - `intake`: sources end, and no stage takes a further record
 * - `drain`: messages and pipes in work come to their end
 * - `settle`: what they led to becomes durable, and the records they came from are settled
 * - `commit`: what is settled is committed; the rest is left to the next owner
 * - `close`: actors give back what they hold
 */
export const phases = ["intake", "drain", "settle", "commit", "close"] as const;
export type Phase = (typeof phases)[number];

/** Waiting ends at `deadlineMs` of the monotonic clock; what has no need to wait is done in any case. */
export const endInPhases = async (node: TreeNode, reason: string, deadlineMs: number): Promise<void> => {
  for (const phase of phases) await node.end(phase, reason, deadlineMs);
};

/** Whether a child that failed, or ended by itself, is started again. */
export const isRestarted = (restart: Restart, { isOrderly = false }: Failure): boolean =>
  restart === "permanent" || (restart === "transient" && !isOrderly);

/** Waits for `work`, at most until `deadlineMs`: a restart may itself wait for something that is away. True when it was done. */
export const before = async (clock: Clock, deadlineMs: number, work: Promise<unknown>): Promise<boolean> => {
  let cancel: Cancel = () => {}; // a timer left behind would keep what waits from being collected
  const late = new Promise<boolean>((resolve) => {
    cancel = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => resolve(false));
  });
  const isDone = await Promise.race([work.then(() => true), late]);
  cancel();
  return isDone;
};
