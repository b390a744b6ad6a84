import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BusRecord } from "../../../runtime/bus.ts";
import { openPartitionReader, type PartitionReader } from "../../../runtime/partition-reader.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const recordAt = (offset: number): BusRecord => ({
  topic: "t",
  partition: 0,
  offset,
  key: "k",
  id: `${offset}`,
  type: "toy",
  trace: "",
  bytes: new Uint8Array(1),
  appendedAtMs: 0,
});

/** A reader on a log in an array, whose reads and steps wait until the test lets one go. */
const bench = (from: number, gaps: ReadonlySet<number> = new Set()) => {
  const clock = virtualClock();
  const log: BusRecord[] = [];
  let next = 0;
  const steps: (() => void)[] = [];
  const seen: number[] = [];
  const failures: unknown[] = [];
  const ports = { failing: false, inRecord: (_offset: number) => {} };
  let reads = 0;
  const reader: PartitionReader = openPartitionReader(from, {
    fetch(offset, limit) {
      reads++;
      if (ports.failing) return Promise.reject(new Error("away"));
      const answer = { records: log.filter((record) => record.offset >= offset).slice(0, limit), next };
      return new Promise((resolve) => void steps.push(() => resolve(answer)));
    },
    record(record) {
      ports.inRecord(record.offset);
      seen.push(record.offset);
    },
    failed: (reason) => void failures.push(reason),
    clock,
    defer: (step) => void steps.push(step),
  });
  const append = (count: number, tell = true) => {
    const records = Array.from({ length: count }, () => recordAt(next++)).filter(({ offset }) => !gaps.has(offset));
    log.push(...records);
    if (tell) reader.grown(next, records);
    return records;
  };
  const step = async () => {
    steps.shift()?.();
    await clock.advance(0);
  };
  const settle = async () => {
    await clock.advance(0);
    while (steps.length > 0) await step();
  };
  return { clock, reader, seen, failures, ports, steps, append, step, settle, reads: () => reads, end: () => next };
};

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

describe("a partition reader", () => {
  test("reads what is there, and is then handed what is appended without reading again", async () => {
    const { append, settle, seen, reads } = bench(0);
    append(10, false);
    await settle();
    expect([seen.length, reads()]).toEqual([10, 1]);
    append(5);
    append(300);
    await settle();
    expect(seen).toEqual(upTo(315));
    expect(reads()).toBe(1);
  });

  test("does not deliver twice what a read has overtaken", async () => {
    const { append, settle, reader, seen, step } = bench(0);
    await step();
    const records = append(3, false);
    await settle();
    reader.grown(3, records);
    await settle();
    append(1);
    await settle();
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test("reads back what it was not handed while paused", async () => {
    const { append, settle, reader, seen, reads } = bench(0);
    await settle();
    reader.pause();
    append(1_000);
    await settle();
    expect([seen, reads()]).toEqual([[], 1]);
    reader.resume();
    await settle();
    expect(seen).toEqual(upTo(1_000));
    expect(reads()).toBe(5);
  });

  test("stops within a batch when its handler pauses, and goes on with the next record", async () => {
    const { append, settle, reader, seen, ports } = bench(0);
    ports.inRecord = (offset) => {
      if (offset === 3) reader.pause();
    };
    append(10, false);
    await settle();
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(reader.position()).toBe(4);
    reader.resume();
    await settle();
    expect(seen).toEqual(upTo(10));
  });

  test("tries a record again a second after its handler threw", async () => {
    const { append, settle, seen, ports, clock, failures } = bench(0);
    let broken = true;
    ports.inRecord = (offset) => {
      if (offset === 1 && broken) throw new Error("not this time");
    };
    append(3, false);
    await settle();
    expect([seen, failures.length]).toEqual([[0], 1]);
    broken = false;
    await clock.advance(1_000);
    await settle();
    expect(seen).toEqual([0, 1, 2]);
  });

  test("tries a read again a second after it failed", async () => {
    const { append, settle, seen, ports, clock, failures } = bench(0);
    ports.failing = true;
    append(3);
    await settle();
    await clock.advance(3_000);
    expect([seen.length, failures.length]).toEqual([0, 4]);
    ports.failing = false;
    await clock.advance(1_000);
    await settle();
    expect(seen).toEqual([0, 1, 2]);
  });

  test("delivers nothing once stopped, though a read is under way", async () => {
    const { append, settle, reader, seen, step, clock } = bench(0);
    append(3, false);
    await step();
    reader.stop();
    append(1);
    await settle();
    expect(seen).toEqual([]);
    expect(clock.timers()).toBe(0);
  });

  test("yields between batches", async () => {
    const { append, step, seen, settle } = bench(0);
    await settle();
    append(600);
    await step();
    expect(seen.length).toBe(256);
    await step();
    expect(seen.length).toBe(512);
  });

  test("passes over what is gone at the end of the log", async () => {
    const { append, settle, reader, seen } = bench(0, new Set([3, 4]));
    append(5, false);
    await settle();
    expect([seen, reader.position()]).toEqual([[0, 1, 2], 5]);
    append(1);
    await settle();
    expect(seen).toEqual([0, 1, 2, 5]);
  });
});

test("each record is delivered once and in order, whatever happens when", async () => {
  const action = fc.record({
    kind: fc.constantFrom("append", "silent", "step", "pause", "resume", "fail", "mend", "late"),
    count: fc.integer({ min: 1, max: 300 }),
  });
  const property = fc.asyncProperty(fc.array(action, { maxLength: 40 }), fc.nat(20), async (actions, from) => {
    const { append, settle, step, reader, seen, ports, clock, end } = bench(from);
    const late: (() => void)[] = [];
    for (const { kind, count } of actions) {
      if (kind === "append") append(count);
      else if (kind === "silent") {
        // Stored, and told of later.
        const records = append(count, false);
        const next = end();
        late.push(() => reader.grown(next, records));
      } else if (kind === "late") late.shift()?.();
      else if (kind === "step") await step();
      else if (kind === "pause") reader.pause();
      else if (kind === "resume") reader.resume();
      else ports.failing = kind === "fail";
    }
    ports.failing = false;
    for (const tell of late) tell();
    reader.resume();
    for (let round = 0; round < 3; round++) {
      await settle();
      await clock.advance(1_000);
    }
    await settle();
    expect(seen).toEqual(upTo(Math.max(0, end() - from), from));
  });
  await fc.assert(property, { numRuns: 200 });
});
