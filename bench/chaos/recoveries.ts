/** How long until what was killed works again, judged by what comes out: not by what a process says of itself. */
import { type Clock, systemClock } from "../../runtime/clock.ts";
import type { RoleName } from "./options.ts";
import type { ServiceName } from "./plan.ts";

export type RecoveryKey = RoleName | ServiceName | "cut";

/** A sign of life, with the time from which it tells. */
export type Sign =
  | { readonly of: "detection"; readonly cameraId: number; readonly atMs: number }
  | { readonly of: "task" | "result" | "update" | "event"; readonly atMs: number }
  /** A verdict was shown for a frame that was captured then. */
  | { readonly of: "shown"; readonly atMs: number };

type Awaited = {
  readonly key: RecoveryKey;
  readonly name: string;
  readonly fromMs: number;
  readonly startedMs: number;
  readonly cameras: Set<number>;
  readonly done: (tookMs: number) => void;
};

const signOf: Readonly<Record<RecoveryKey, Sign["of"]>> = {
  eyes: "detection",
  "task-generator": "task",
  scheduler: "result",
  aggregator: "update",
  edge: "event",
  broker: "shown",
  redis: "shown",
  cut: "shown",
};

export const createRecoveries = (cameraIds: readonly number[], clock: Clock = systemClock) => {
  const awaited = new Set<Awaited>();
  return {
    /** Resolves with the milliseconds since `startedMs` (monotonic) at the first sign that is not older than this call. */
    expect: (key: RecoveryKey, name: string, startedMs: number): Promise<number> =>
      new Promise((done) => {
        awaited.add({ key, name, startedMs, fromMs: clock.nowMs(), cameras: new Set(cameraIds), done });
      }),
    note(sign: Sign): void {
      for (const each of awaited) {
        if (signOf[each.key] !== sign.of || sign.atMs < each.fromMs) continue;
        if (sign.of === "detection") {
          each.cameras.delete(sign.cameraId);
          if (each.cameras.size > 0) continue;
        }
        awaited.delete(each);
        each.done(clock.monotonicMs() - each.startedMs);
      }
    },
    /** What has not come back, for people. */
    open: (): readonly string[] =>
      [...awaited].map(({ key, name, cameras }) =>
        key === "eyes" ? `${name} (without cameras ${[...cameras].slice(0, 10).join(", ")})` : name,
      ),
    giveUp: (): void => awaited.clear(),
  };
};
