/** `runtime/settlement.ts` against lists: who holds a cause, and which records of a partition are in work. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createWindow, type DeliveryFailure, openCause } from "../../runtime/settlement.ts";

/** What the holders of a cause do: each a name in a list. */
const deeds = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ deed: fc.constant("hold" as const) }) },
    { weight: 5, arbitrary: fc.record({ deed: fc.constant("release" as const) }) },
    { weight: 2, arbitrary: fc.record({ deed: fc.constant("fail" as const), reason: fc.string(), isOwn: fc.boolean() }) },
  ),
  { maxLength: 60 },
);

test("a cause ends once, with its last holder, and with the first failure that weighs most", () => {
  fc.assert(
    fc.property(deeds, (sequence) => {
      const ends: (DeliveryFailure | null)[] = [];
      const cause = openCause("t/0/0", (failure) => ends.push(failure));
      const holders = ["its maker"];
      const failures: DeliveryFailure[] = [];
      const isOver = () => holders.length === 0;
      for (const each of sequence) {
        if (each.deed === "fail") {
          if (!isOver()) failures.push({ reason: each.reason, isOwn: each.isOwn });
          cause.fail(each.reason, each.isOwn);
        } else if (each.deed === "hold") {
          if (isOver()) expect(() => cause.hold()).toThrow("after its end");
          else {
            cause.hold();
            holders.push("another");
          }
        } else if (isOver()) expect(() => cause.release()).toThrow("more often than held");
        else {
          cause.release();
          holders.pop();
        }
        const heaviest = failures.find(({ isOwn }) => isOwn) ?? failures[0] ?? null;
        expect(ends).toEqual(isOver() ? [heaviest] : []);
      }
    }),
  );
});

type Entry = { readonly offset: number; readonly sizeBytes: number; readonly atMs: number };

/** A record is opened after a gap, or the one at this place among those in work is settled. */
const works = fc.array(
  fc.oneof(
    fc.record({ gap: fc.integer({ min: 0, max: 3 }), sizeBytes: fc.nat(1_000), place: fc.constant(null) }),
    fc.record({ gap: fc.constant(0), sizeBytes: fc.constant(0), place: fc.nat(50) }),
  ),
  { maxLength: 80 },
);

test("the window commits up to the lowest record in work, whatever the order of settling", () => {
  fc.assert(
    fc.property(fc.nat(1_000), works, (committed, sequence) => {
      const window = createWindow(committed);
      const open: Entry[] = [];
      let next = committed;
      let atMs = 0;
      for (const { gap, sizeBytes, place } of sequence) {
        atMs += 10;
        if (place === null) {
          const offset = next + gap;
          window.opened(offset, sizeBytes, atMs);
          open.push({ offset, sizeBytes, atMs });
          next = offset + 1;
          expect(() => window.opened(offset, sizeBytes, atMs)).toThrow("was opened after");
        } else if (open.length > 0) {
          const [entry] = open.splice(place % open.length, 1);
          if (!entry) continue;
          window.settled(entry.offset);
          expect(() => window.settled(entry.offset)).toThrow("is not open");
        }
        expect({
          floor: window.floor(),
          count: window.count(),
          sizeBytes: window.sizeBytes(),
          oldestAtMs: window.oldestAtMs(),
        }).toEqual({
          floor: Math.min(next, ...open.map(({ offset }) => offset)),
          count: open.length,
          sizeBytes: open.reduce((sum, entry) => sum + entry.sizeBytes, 0),
          oldestAtMs: open.length === 0 ? null : Math.min(...open.map((entry) => entry.atMs)),
        });
      }
    }),
  );
});
