/**
 * What a group sent within the last minute, by the second: kept over restarts, so that the windows of a process that begins
 * know what the one before it sent. Times are handed in.
 */

import type { SendLimit } from "./window.ts";

/** Calls and tokens of a second that began so long ago. */
export type Second = { readonly agoMs: number; readonly calls: number; readonly tokens: number };

export type History = {
  readonly add: (nowMs: number, tokens: number, calls?: number) => void;
  /** Oldest first. */
  readonly seconds: (nowMs: number) => readonly Second[];
};

const secondMs = 1_000;
/** A minute, with room for the longest headroom in use. */
const keptMs = 130_000;
/** Of one second, when put back: no process sends more. */
const callsMax = 10_000;

export const createHistory = (): History => {
  let kept: { readonly beganAtMs: number; calls: number; tokens: number }[] = [];
  return {
    add(nowMs, tokens, calls = 1) {
      const last = kept.at(-1);
      if (last && nowMs < last.beganAtMs + secondMs) {
        last.calls += calls;
        last.tokens += tokens;
        return;
      }
      kept.push({ beganAtMs: nowMs, calls, tokens });
      if ((kept[0]?.beganAtMs ?? nowMs) < nowMs - 2 * keptMs) kept = kept.filter(({ beganAtMs }) => beganAtMs > nowMs - keptMs);
    },
    seconds: (nowMs) =>
      kept
        .filter(({ beganAtMs }) => beganAtMs > nowMs - keptMs)
        .map(({ beganAtMs, calls, tokens }) => ({ agoMs: nowMs - beganAtMs, calls, tokens })),
  };
};

/** Puts what was sent before into the windows of a limit, as late as it may have been. Before any call through it. */
export const replay = (limit: SendLimit, seconds: readonly Second[], nowMs: number): void => {
  for (const { agoMs, calls, tokens } of seconds) {
    const atMs = Math.min(nowMs, nowMs - agoMs + secondMs);
    for (let call = 0; call < Math.min(calls, callsMax); call++) limit.take(atMs, tokens / calls);
  }
};
