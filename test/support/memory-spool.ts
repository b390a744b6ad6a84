/** A spool in memory, for tests: what it holds outlives the process that writes it. */
import { Fault } from "../../runtime/errors.ts";
import type { SpooledRecord, SpoolStore } from "../../runtime/spool.ts";

export type MemorySpool = {
  /** One process at a time. */
  readonly open: () => SpoolStore & {
    /** Ends as `kill -9` does: what was not stored is lost, and nothing settles any more. */
    readonly crash: () => void;
  };
  readonly waiting: () => readonly SpooledRecord[];
  /** Refuses what is appended, as a disk that is full does. */
  readonly full: (isFull: boolean) => void;
};

type Row = SpooledRecord & { readonly seq: number };

export const createMemorySpool = (defer: (step: () => void) => void): MemorySpool => {
  let rows: Row[] = [];
  let next = 1;
  let isFull = false;

  return {
    waiting: () => rows,
    full(now) {
      isFull = now;
    },
    open() {
      let isCrashed = false;
      /** Calls are answered in the order they were made, whatever the order of the steps. */
      const queue: (() => void)[] = [];
      const inTurn = <Answer>(answer: () => Answer): Promise<Answer> =>
        new Promise((resolve, reject) => {
          queue.push(() => {
            try {
              resolve(answer());
            } catch (thrown) {
              reject(thrown);
            }
          });
          defer(() => {
            const call = queue.shift();
            if (!isCrashed) call?.();
          });
        });
      return {
        lanes: [...new Set(rows.map(({ lane }) => lane))],
        size: () => ({ records: rows.length, bytes: rows.reduce((sum, { bytes }) => sum + bytes.length, 0) }),
        append(records) {
          const copies = records.map((record) => ({ ...record, bytes: record.bytes.slice() }));
          return inTurn(() => {
            if (isFull) throw new Fault("unavailable", "the disk is full");
            for (const record of copies) rows.push({ ...record, seq: next++ });
          });
        },
        read: (lane, limit) => inTurn(() => rows.filter((row) => row.lane === lane).slice(0, limit)),
        remove: (lane, through) =>
          inTurn(() => {
            rows = rows.filter((row) => row.lane !== lane || row.seq > through);
          }),
        async close() {},
        crash() {
          isCrashed = true;
        },
      };
    },
  };
};
