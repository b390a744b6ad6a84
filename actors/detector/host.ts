/**
 * Where a detector session lives, and what is said to it. A thread is one host; a child process could be another, with the
 * same orders and answers, for those who want a native crash to cost one child instead of the process.
 */
import type { Detection } from "../../protocols/frame.ts";
import type { FramePoolLayout, Lease } from "../../runtime/frame-pool.ts";
import type { FrameGeometry, ReadingPlan } from "./postprocess.ts";

export type StartOrder = {
  readonly type: "start";
  readonly buffer: SharedArrayBuffer;
  readonly layout: FramePoolLayout;
  readonly model: Uint8Array;
  readonly plan: ReadingPlan;
  /** Tried in this order; the CPU is the last resort. */
  readonly executionProviders: readonly string[];
};

/** Orders are carried out one after the other. */
export type Order =
  | StartOrder
  | { readonly type: "run"; readonly id: number; readonly lease: Lease; readonly geometry: FrameGeometry }
  /** Finish what was ordered, give the session back, say `stopped`. */
  | { readonly type: "stop" };

export type Answer =
  | { readonly type: "ready"; readonly provider: string; readonly refused: readonly string[] }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "detected"; readonly id: number; readonly detections: Detection[]; readonly inferenceMs: number }
  | { readonly type: "run-failed"; readonly id: number; readonly reason: string }
  | { readonly type: "stopped" };

export type HostEvents = {
  readonly answer: (answer: Answer) => void;
  /** The host is gone, whether asked to or not. */
  readonly ended: (reason: string) => void;
};

export type DetectorHost = {
  readonly post: (order: Order) => void;
  /** Only for a host that said `stopped` or `failed`: ending a thread inside a native run aborts the whole process. */
  readonly end: () => void;
};

export type StartHost = (events: HostEvents) => DetectorHost;

export const startWorkerHost: StartHost = (events) => {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => events.answer(data));
  let reason = "the thread ended";
  worker.addEventListener("error", ({ message }) => {
    // The message shows the source around the failure, and the failure itself on a line of its own.
    const line = message.split("\n").find((text) => /^\w*error:/i.test(text)) ?? message;
    reason = `the thread failed: ${line.slice(0, 300)}`;
  });
  worker.addEventListener("close", () => events.ended(reason));
  return { post: (order) => worker.postMessage(order), end: () => worker.terminate() };
};
