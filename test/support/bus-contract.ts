/** What every bus driver keeps. A driver's test calls `busContract` with a way to open it; nothing here knows a driver. */
import { describe } from "bun:test";
import type { Bus } from "../../runtime/bus.ts";
import { appendContract } from "./bus-contract/append.ts";
import { consumeContract } from "./bus-contract/consume.ts";
import { faultContract } from "./bus-contract/faults.ts";
import { followContract } from "./bus-contract/follow.ts";
import { retentionContract } from "./bus-contract/retention.ts";

export type BusUnderTest = {
  readonly bus: Bus;
  /** Ends the bus as a crash does and opens the same log again. */
  readonly reopen?: () => Promise<Bus>;
  /** Cuts the bus off from its log, and lets it back. */
  readonly away?: () => void | Promise<void>;
  readonly back?: () => void | Promise<void>;
  /** Moves the wall clock forward and lets retention run. */
  readonly age?: (ms: number) => void | Promise<void>;
  readonly dispose: () => Promise<void>;
};

/** What a driver may do without; its tests are then skipped, by name. */
export type BusAbility = "unique ids" | "reopen" | "away" | "retention" | "compaction";

export type Contract = { readonly open: () => Promise<BusUnderTest>; readonly lacks: readonly BusAbility[] };

export const busContract = (name: string, open: () => Promise<BusUnderTest>, lacks: readonly BusAbility[] = []): void =>
  describe(`bus contract: ${name}`, () => {
    const contract = { open, lacks };
    appendContract(contract);
    consumeContract(contract);
    followContract(contract);
    retentionContract(contract);
    faultContract(contract);
  });
