/** A running system of toy actors on virtual time. */
import { createCodec } from "../../protocols/codec.ts";
import type { Tagged } from "../../protocols/message.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import type { Bus } from "../../runtime/bus.ts";
import { systemDispatcher } from "../../runtime/dispatcher.ts";
import type { FramePool, Lease } from "../../runtime/frame-pool.ts";
import type { Tolerance } from "../../runtime/intensity.ts";
import { silentLog } from "../../runtime/log.ts";
import { silentObserver } from "../../runtime/observer.ts";
import { seededRandom } from "../../runtime/random.ts";
import type { Store } from "../../runtime/store.ts";
import { type System, startSystem } from "../../runtime/system.ts";
import { type ChildSpec, supervisor } from "../../runtime/tree.ts";
import { settlePromises, type VirtualClock, virtualClock } from "./virtual-clock.ts";

export const tolerant: Tolerance = { restarts: 20, withinMs: 60_000, backoffMs: [10, 1_000] };

export const byCamera = (message: Tagged): string => ("cameraId" in message ? String(message.cameraId) : "");

export type TestSystem = AsyncDisposable & {
  readonly system: System;
  readonly clock: VirtualClock;
  /** Lets everything happen that needs no time. */
  readonly settle: () => Promise<void>;
  /** Losses by `actor type reason`. */
  readonly dropped: Record<string, number>;
  readonly fatal: string[];
  /** What the runtime said to have failed, as `actor kind: reason`. */
  readonly failures: string[];
  /** What supervisors did, as `restarted root/a 1`, `ended root/a: reason`, `escalated root/s: reason`. */
  readonly decisions: string[];
  /** The phases of an orderly end that are over. */
  readonly phases: string[];
};

type Options = {
  readonly topics?: readonly TopicDefinition<never>[];
  readonly bus?: Bus;
  readonly store?: Store;
  readonly clock?: VirtualClock;
  readonly frames?: FramePool;
  readonly isShared?: boolean;
};

const absent = (what: string) => new Proxy({}, { get: () => () => Promise.reject(new Error(`this test has no ${what}`)) });
const noFrames = { retain: (_lease: Lease) => {}, release: (_lease: Lease) => {} };

export const aSystem = async (children: readonly ChildSpec[], options: Options = {}): Promise<TestSystem> => {
  const clock = options.clock ?? virtualClock();
  const topics = options.topics ?? [];
  const dropped: Record<string, number> = {};
  const fatal: string[] = [];
  const failures: string[] = [];
  const decisions: string[] = [];
  const phases: string[] = [];
  const world = {
    clock,
    random: seededRandom(1),
    dispatcher: systemDispatcher(clock, (run) => void clock.after(0, run)),
    codec: createCodec(topics.flatMap(({ messages }) => messages)),
    bus: options.bus ?? (absent("bus") as Bus),
    store: options.store ?? (absent("store") as Store),
    isShared: options.isShared ?? false,
    frames: options.frames ?? (noFrames as FramePool),
    log: silentLog,
    observer: {
      ...silentObserver,
      failed: (actor: string, type: string, reason: string) => void failures.push(`${actor} ${type}: ${reason}`),
      restarted: (child: string, restarts: number) => void decisions.push(`restarted ${child} ${restarts}`),
      ended: (child: string, reason: string) => void decisions.push(`ended ${child}: ${reason}`),
      escalated: (of: string, reason: string) => void decisions.push(`escalated ${of}: ${reason}`),
      phaseEnded: (phase: string) => void phases.push(phase),
      dropped(actor: string, type: string, reason: string, count: number) {
        const key = `${actor} ${type} ${reason}`;
        dropped[key] = (dropped[key] ?? 0) + count;
      },
    },
    keyOf: byCamera,
  };
  const system = await startSystem(supervisor("root", "one_for_one", tolerant, children), topics, world, (reason) =>
    fatal.push(reason),
  );
  return {
    system,
    clock,
    dropped,
    fatal,
    failures,
    decisions,
    phases,
    async settle() {
      for (let round = 0; round < 50; round++) {
        await settlePromises();
        await clock.advance(0);
      }
    },
    async [Symbol.asyncDispose]() {
      const stopped = system.stop("the test is over", 1_000);
      for (let round = 0; round < 20; round++) await clock.advance(1_000);
      await stopped;
    },
  };
};
