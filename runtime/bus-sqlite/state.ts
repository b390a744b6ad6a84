/** How the log is: what it takes on the disk, whether it takes records, and one line an outage. */
import type { BusHealth } from "../bus.ts";
import type { Log } from "../log.ts";
import type { Space } from "./calls.ts";

/** From this share of its space on the log lets go of records that are young but processed. */
const fullShare = 0.9;

export type LogLimits = { readonly maxBytes: number; readonly minFreeBytes: number; readonly log: Log };
export type LogState = ReturnType<typeof createLogState>;

/** Whether the log takes records, and why not. */
export const createLogState = ({ maxBytes, minFreeBytes, log }: LogLimits) => {
  let usedBytes = 0;
  let freeBytes = Number.POSITIVE_INFINITY;
  let failure: string | null = null;
  let gone: string | null = null;
  let told = false;

  const away = (): string | null => gone ?? failure ?? refusal();
  const refusal = (): string | null => {
    if (usedBytes >= maxBytes)
      return `full: ${usedBytes} of ${maxBytes} bytes hold records that are not processed; raise data.maxBytes or see what lags`;
    return freeBytes < minFreeBytes ? `the disk is nearly full: ${freeBytes} bytes free, ${minFreeBytes} are kept` : null;
  };
  const tell = () => {
    const reason = away();
    if (told === (reason !== null) || gone === "closed") return;
    told = reason !== null;
    if (told) log.warn("bus.away", { driver: "sqlite", reason });
    else log.info("bus.back", { driver: "sqlite" });
  };

  return {
    lost(reason: string) {
      gone = reason;
      tell();
    },
    /** Stays until the next start has mended the file. */
    damaged(reason: string) {
      gone ??= reason;
      tell();
    },
    closing() {
      gone = "closed";
    },
    wrote(used: number) {
      usedBytes = used;
      failure = null;
      tell();
    },
    failed(reason: string) {
      failure = reason;
      tell();
    },
    measured(space: Space) {
      usedBytes = space.usedBytes;
      freeBytes = space.freeBytes;
      tell();
    },
    isFilling: () => usedBytes >= fullShare * maxBytes,
    /** Why records are not taken; a write that failed does not keep the next from trying. */
    refusal: () => gone ?? refusal(),
    health(): BusHealth {
      const reason = away();
      return reason === null ? { status: "up", detail: `${usedBytes} bytes` } : { status: "away", detail: reason };
    },
  };
};
