/** Records on their way from a fetch to the reader of one partition; says when there is enough for now. */
import type { BusRecord } from "../bus.ts";
import type { Fetched } from "../partition-reader.ts";

const fullBytes = 1_048_576;
const fullRecords = 2_048;

export type Channel = {
  readonly push: (records: readonly BusRecord[]) => void;
  /** What has come; waits until there is something. One at a time. */
  readonly take: () => Promise<Fetched>;
  readonly isFull: () => boolean;
};

/** The end of a partition that another process writes is never known. */
const endless = Number.MAX_SAFE_INTEGER;

export const createChannel = (emptied: () => void): Channel => {
  let kept: BusRecord[] = [];
  let bytes = 0;
  let waiting: ((fetched: Fetched) => void) | null = null;
  return {
    push(records) {
      if (records.length === 0) return;
      if (waiting !== null) {
        const resolve = waiting;
        waiting = null;
        resolve({ records, next: endless });
        return;
      }
      kept.push(...records);
      for (const record of records) bytes += record.bytes.length;
    },
    take() {
      if (kept.length === 0) return new Promise((resolve) => (waiting = resolve));
      const records = kept;
      kept = [];
      bytes = 0;
      emptied();
      return Promise.resolve({ records, next: endless });
    },
    isFull: () => bytes >= fullBytes || kept.length >= fullRecords,
  };
};
