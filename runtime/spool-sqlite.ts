/** The spool on a SQLite file that a Worker writes: what is appended is on the disk, and survives the process. */
import type { Clock } from "./clock.ts";
import { Fault, reasonOf } from "./errors.ts";
import type { Log } from "./log.ts";
import type { LetGo, SpoolStore } from "./spool.ts";
import type { Change, SpoolCalls } from "./spool-sqlite/calls.ts";
import { createGroupCommit } from "./sqlite/group-commit.ts";
import { lockDirectory } from "./sqlite/lock.ts";
import { startMaintenance } from "./sqlite/maintenance.ts";
import { connectWorker } from "./sqlite/worker-calls.ts";

export type SpoolOptions = {
  /** Made when missing; used by one process at a time. */
  readonly directory: string;
  /** Of the file; above, records are let go: minor ones first, then the oldest. */
  readonly maxBytes: number;
  /** While the disk has less the file does not grow. */
  readonly minFreeBytes: number;
  readonly letGo: (what: LetGo) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/** Throws `StartRefused(78)` when the directory is in use or not writable, or its file is of a newer version. */
export const openSpool = async (options: SpoolOptions): Promise<SpoolStore> => {
  const { directory, maxBytes, minFreeBytes, letGo, clock, log } = options;
  const lock = lockDirectory(directory);
  let failure: string | null = null;
  const failed = (reason: string) => {
    if (failure === null) log.warn("bus.append-failed", { driver: "spool", reason });
    failure = reason;
  };
  const worker = connectWorker<SpoolCalls>(new URL("./spool-sqlite/worker.ts", import.meta.url), {
    lost: failed,
    damaged: failed,
  });
  const release = () => {
    worker.end();
    lock.release();
  };
  const open = async () => {
    try {
      return await worker.call("open", { directory, nowMs: clock.nowMs() });
    } catch (thrown) {
      release();
      throw thrown;
    }
  };
  const { lanes, damaged, reason, kept, ...opened } = await open();
  if (damaged !== null)
    log.warn("bus.unclean-stop", { driver: "spool", damaged: true, reason, setAside: damaged, recordsKept: kept });
  let size = opened.size;
  let closed: Promise<void> | null = null;

  const queue = createGroupCommit<Change, void>(async (changes) => {
    const buffers = changes.flatMap((change) =>
      "append" in change ? change.append.map(({ bytes }) => bytes.buffer as ArrayBuffer) : [],
    ); // copied in `append`
    try {
      const written = await worker.call("write", { changes, maxBytes, minFreeBytes }, buffers);
      size = written.size;
      failure = null;
      for (const each of written.letGo) letGo(each);
    } catch (thrown) {
      failed(reasonOf(thrown));
      throw thrown;
    }
    maintenance.written();
    return changes.map(() => undefined);
  }, setImmediate);
  const maintenance = startMaintenance({
    clock,
    isQuiet: queue.isQuiet,
    prune: async () => false,
    checkpoint: () => worker.call("checkpoint", {}),
    failed,
  });

  const close = async () => {
    await queue.drained();
    await maintenance.stop();
    await worker.call("close", {}).catch((thrown) => failed(reasonOf(thrown))); // a Worker that is gone has nothing to close
    release();
  };
  const refuseIfClosed = () => {
    if (closed !== null) throw new Fault("unavailable", "the spool is closed");
  };

  return {
    lanes,
    size: () => size,
    async append(records) {
      refuseIfClosed();
      const copies = records.map((record) => ({ ...record, bytes: record.bytes.slice() }));
      const bytes = copies.reduce((sum, record) => sum + record.bytes.length, 0);
      await queue.submit({ append: copies }, copies.length, bytes);
    },
    async read(lane, limit, bytesMax) {
      refuseIfClosed();
      return worker.call("read", { lane, limit, bytesMax });
    },
    async remove(lane, through) {
      refuseIfClosed();
      await queue.submit({ remove: { lane, through } }, 1, 0);
    },
    close() {
      closed ??= close();
      return closed;
    },
  };
};
