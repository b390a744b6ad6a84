/**
 * The keyed timers of an actor against a map, on virtual time: which fire, when, and until when each record of a topic that
 * set one is in work. A timer that is replaced or cancelled hands what it held to the turn that does so.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { z } from "zod";
import { createCodec } from "../../protocols/codec.ts";
import { type Infer, message } from "../../protocols/message.ts";
import { topic } from "../../protocols/topic.ts";
import { actor } from "../../runtime/actor.ts";
import { createMemoryBroker } from "../../runtime/bus-memory.ts";
import { stageTaking } from "../../runtime/tree.ts";
import { aSystem } from "../support/system.ts";
import { virtualClock } from "../support/virtual-clock.ts";

/** Sets a timer, or cancels it where there is no delay. */
type Change = { readonly key: string; readonly delayMs: number | null };
type Fired = { readonly key: string; readonly setBy: number; readonly atMs: number };

const Order = message("order", "What one turn does to its timers.", {
  number: z.int(),
  changes: z.array(z.object({ key: z.string(), delayMs: z.int().nullable() })),
});
type Order = Infer<typeof Order>;
type Ring = { readonly type: "ring"; readonly key: string; readonly setBy: number };

const orders = topic({
  name: "orders",
  doc: "Orders of one test.",
  messages: [Order],
  partitions: 1,
  retentionMs: 3_600_000,
  maxBytes: 65_536,
  group: "orders",
  keyOf: () => "",
  idOf: ({ number }) => String(number),
});

const codec = createCodec([Order]);

const keeper = actor<Fired[], Fired[], Order | Ring>({
  name: "keeper",
  mailbox: { capacity: 100, overflow: "pause-source" },
  start: (fired) => fired,
  on: {
    order: (fired, { number, changes }, ctx) => {
      for (const { key, delayMs } of changes) {
        if (delayMs === null) ctx.timers.cancel(key);
        else ctx.timers.after(key, delayMs, { type: "ring", key, setBy: number });
      }
      return fired;
    },
    ring: (fired, { key, setBy }, ctx) => {
      fired.push({ key, setBy, atMs: ctx.monotonicMs() });
      return fired;
    },
  },
});

/** Slow and obvious: every order that is still held by some timer is in work. */
const model = () => {
  const timers = new Map<string, { dueMs: number; setBy: number; holds: Set<number> }>();
  const fired: Fired[] = [];
  let next = 0;
  return {
    fired,
    order(changes: readonly Change[], atMs: number) {
      const number = next++;
      const holds = new Set([number]);
      for (const { key } of changes) for (const held of timers.get(key)?.holds ?? []) holds.add(held);
      for (const { key, delayMs } of changes) {
        if (delayMs === null) timers.delete(key);
        else timers.set(key, { dueMs: atMs + delayMs, setBy: number, holds });
      }
    },
    advance(untilMs: number) {
      const due = [...timers].filter(([, { dueMs }]) => dueMs <= untilMs).sort(([, one], [, other]) => one.dueMs - other.dueMs);
      for (const [key, { dueMs, setBy }] of due) {
        timers.delete(key);
        fired.push({ key, setBy, atMs: dueMs });
      }
    },
    committed: () => Math.min(next, ...[...timers.values()].flatMap(({ holds }) => [...holds])),
  };
};

const changes = fc.array(
  fc.record({
    key: fc.constantFrom("a", "b", "c"),
    delayMs: fc.option(fc.integer({ min: 1, max: 12 }).map((tenths) => tenths * 100)),
  }),
  { maxLength: 4 },
);
const steps = fc.array(fc.record({ changes, waitMs: fc.integer({ min: 1, max: 8 }).map((tenths) => tenths * 100) }), {
  minLength: 1,
  maxLength: 12,
});

/** A commit follows what it settles by 50 ms. Orders and timers come at full tenths of a second, looks between them. */
const lookAfterMs = 70;

const inOrderOfTime = (fired: readonly Fired[]) =>
  fired.toSorted((one, other) => one.atMs - other.atMs || one.key.localeCompare(other.key));

test("timers fire as a map would have it, and an order is in work until the last timer that holds it is gone", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const clock = virtualClock();
      const bus = createMemoryBroker({ clock }).open();
      await bus.ensure([orders]);
      const fired: Fired[] = [];
      const expected = model();
      await using running = await aSystem([stageTaking(orders, keeper, { args: fired })], { clock, bus, topics: [orders] });
      await running.settle();

      const look = async () => {
        await clock.advance(lookAfterMs);
        expected.advance(clock.monotonicMs());
        const committed = bus.committed("orders", "orders");
        await clock.advance(0);
        expect(inOrderOfTime(fired)).toEqual(inOrderOfTime(expected.fired));
        expect((await committed)[0]).toBe(expected.committed());
      };

      for (const [number, step] of sequence.entries()) {
        const order: Order = { type: "order", number, changes: step.changes };
        const bytes = codec.encode(order);
        await Promise.all([
          bus.append([{ topic: "orders", key: "", id: String(number), type: "order", trace: "", bytes }]),
          running.settle(),
        ]);
        expected.advance(clock.monotonicMs()); // what is due at this moment comes before the order
        expected.order(step.changes, clock.monotonicMs());
        await look();
        await clock.advance(step.waitMs - lookAfterMs);
      }
      await clock.advance(2_000);
      await look();
      expect(expected.committed()).toBe(sequence.length);
    }),
    { numRuns: 60 },
  );
});
