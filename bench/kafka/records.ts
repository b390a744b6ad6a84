/** The records that every client writes: 1 KB that does not compress, under one of 64 keys, with the headers that ours have. */
import { seededRandom } from "../../runtime/random.ts";

export const recordBytes = 1_024;
const keys = 64;
const traceId = "0af7651916cd43dd8448eb211c80319c";

const random = seededRandom(5);
const value = Buffer.from(Uint8Array.from({ length: recordBytes }, () => random.next() * 256));

export type BenchRecord = { readonly key: string; readonly id: string; readonly trace: string; readonly value: Buffer };

export const recordAt = (index: number): BenchRecord => ({
  key: String(index % keys),
  id: `018bcfe5-6800-7000-8000-${String(index).padStart(12, "0")}`,
  trace: traceId,
  value,
});

/** As `runtime/bus-kafka/records.ts` makes them. */
export const headersOf = ({ id, trace }: BenchRecord): Record<string, string> => ({
  "content-type": "application/msgpack",
  traceparent: `00-${trace}-${trace.slice(16)}-01`,
  ce_specversion: "1.0",
  ce_id: id,
  ce_source: "vedette/bench",
  ce_type: "vedette.bench.v1",
  ce_time: "2023-11-14T22:13:20.000Z",
});

/** Records an append or a send, and how many of those are under way. */
export const together = 500;
export const underWay = 4;

/** Sends `size` records; each call that is done makes room for the next. */
export const inLanes = async (size: number, send: (records: readonly BenchRecord[]) => Promise<unknown>): Promise<void> => {
  let next = 0;
  const lane = async () => {
    while (next < size) {
      const from = next;
      next = Math.min(size, next + together);
      await send(Array.from({ length: next - from }, (_, index) => recordAt(from + index)));
    }
  };
  await Promise.all(Array.from({ length: underWay }, lane));
};

/** Counts what is delivered, and the time from the first record to the last. */
export const createCount = (size: number, nowMs: () => number) => {
  let count = 0;
  let bytes = 0;
  let startedMs = 0;
  const done = Promise.withResolvers<Delivered>();
  return {
    take(length: number) {
      if (count === 0) startedMs = nowMs();
      count += 1;
      bytes += length;
      if (count === size) done.resolve({ perSecond: (size * 1_000) / (nowMs() - startedMs), bytes });
    },
    done: done.promise,
  };
};
export type Delivered = { readonly perSecond: number; readonly bytes: number };

export const consumption = {
  sessionTimeoutMs: 30_000,
  heartbeatMs: 3_000,
  partitionBytes: 1_048_576,
  responseBytes: 10 * 1_048_576,
  maxWaitMs: 500,
  commitMs: 50,
} as const;
