/** A context for calling one handler in a test: it keeps what the handler asked for. */
import type { Tagged } from "../../protocols/message.ts";
import type { Context } from "../../runtime/actor.ts";
import type { FramePool, Lease } from "../../runtime/frame-pool.ts";
import { silentLog } from "../../runtime/log.ts";
import { seededRandom } from "../../runtime/random.ts";
import type { Fact } from "../../runtime/store.ts";

export type Pipe = {
  readonly start: (signal: AbortSignal) => Promise<unknown>;
  readonly done: (value: never) => Tagged;
  readonly failed: (reason: unknown) => Tagged;
};

export type Asked = {
  readonly tells: { readonly path: string; readonly message: Tagged; readonly lease?: Lease }[];
  readonly replies: { readonly path: string; readonly message: Tagged }[];
  readonly emits: Tagged[];
  readonly saves: Fact[];
  readonly timers: Map<string, { readonly delayMs: number; readonly message: Tagged }>;
  readonly pipes: Pipe[];
  readonly children: { readonly action: "start" | "stop"; readonly key: string; readonly args?: unknown }[];
  readonly watches: { readonly path: string; readonly message: Tagged | null }[];
  ends: boolean;
  readonly delivered: { readonly message: Tagged; readonly lease?: Lease }[];
};

export type FakeContext<Receives extends Tagged> = Context<Receives, Tagged> & { readonly asked: Asked; timeMs: number };

/** `overrides` replaces any part, e.g. `{ lease, frames, bytes, nowMs }`. */
export const fakeContext = <Receives extends Tagged = never>(
  overrides: Partial<Context<Receives, Tagged>> = {},
): FakeContext<Receives> => {
  const asked: Asked = {
    ...{ tells: [], replies: [], emits: [], saves: [], pipes: [], children: [], watches: [], delivered: [] },
    timers: new Map(),
    ends: false,
  };
  const context: FakeContext<Receives> = {
    asked,
    timeMs: 1_700_000_000_000,
    self: { path: "test" },
    key: "",
    nowMs: () => context.timeMs,
    monotonicMs: () => context.timeMs,
    random: seededRandom(1),
    log: silentLog,
    trace: "00000000000000000000000000000001",
    bytes: new Uint8Array(),
    lease: null,
    frames: undefined as unknown as FramePool,
    tell: (to, message, lease) => void asked.tells.push({ path: to.path, message, ...(lease ? { lease } : {}) }),
    emit: (message) => void asked.emits.push(message),
    save: (fact) => void asked.saves.push(fact),
    timers: {
      after: (key, delayMs, message) => void asked.timers.set(key, { delayMs, message }),
      cancel: (key) => void asked.timers.delete(key),
    },
    pipe: (start, done, failed) => void asked.pipes.push({ start, done: done as Pipe["done"], failed }),
    startChild: (_supervisor, key, args) => void asked.children.push({ action: "start", key, args }),
    stopChild: (_supervisor, key) => void asked.children.push({ action: "stop", key }),
    reply: (to, message) => void asked.replies.push({ path: to.path, message }),
    watch: (stage, message) => void asked.watches.push({ path: stage.path, message }),
    unwatch: (stage) => void asked.watches.push({ path: stage.path, message: null }),
    end: () => {
      asked.ends = true;
    },
    deliver: (message, lease) => {
      asked.delivered.push({ message, ...(lease ? { lease } : {}) });
      return true;
    },
    ...overrides,
  };
  return context;
};
