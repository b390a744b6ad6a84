/** The ring of `runtime/mailbox.ts` against an array, for any policy and any sequence of offers and takes. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { MailboxPolicy, Overflow } from "../../runtime/actor.ts";
import { type Envelope, noCauses } from "../../runtime/envelope.ts";
import { createMailbox, type DropReason } from "../../runtime/mailbox.ts";

type Dropped = { readonly envelope: Envelope; readonly reason: DropReason };

/** Slow and obvious. */
const model = ({ capacity, capacityBytes = Number.POSITIVE_INFINITY, overflow, byType = {} }: MailboxPolicy) => {
  const waiting: Envelope[] = [];
  const size = () => waiting.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const answerTo = (type: string): Overflow => byType[type] ?? overflow;
  return {
    offer(envelope: Envelope): Dropped | null {
      const { type, key, bytes } = envelope;
      const answer = answerTo(type);
      if (answer === "latest-per-key") {
        const at = waiting.findIndex((each) => each.type === type && each.key === key);
        const [older] = at < 0 ? [] : waiting.splice(at, 1, envelope);
        if (older) return { envelope: older, reason: "superseded" };
      }
      const isFull = waiting.length >= capacity || (waiting.length > 0 && size() + bytes.byteLength > capacityBytes);
      if (!isFull || answer === "pause-source") {
        waiting.push(envelope);
        return null;
      }
      const [oldest] = waiting;
      const mayGo = oldest !== undefined && answerTo(oldest.type) !== "pause-source";
      if (answer === "drop-newest" || !mayGo) return { envelope, reason: "full" };
      waiting.shift();
      waiting.push(envelope);
      return { envelope: oldest, reason: "overflow" };
    },
    take: () => waiting.shift() ?? null,
    view: () => ({
      depth: waiting.length,
      sizeBytes: size(),
      oldestAtMs: waiting[0]?.enqueuedAtMs ?? null,
      isAboveHighWater: waiting.length >= 0.8 * capacity || size() >= 0.8 * capacityBytes,
      isBelowLowWater: waiting.length <= 0.5 * capacity && size() <= 0.5 * capacityBytes,
    }),
  };
};

const viewOf = (mailbox: ReturnType<typeof createMailbox>) => ({
  depth: mailbox.depth(),
  sizeBytes: mailbox.sizeBytes(),
  oldestAtMs: mailbox.oldestAtMs(),
  isAboveHighWater: mailbox.isAboveHighWater(),
  isBelowLowWater: mailbox.isBelowLowWater(),
});

const answers = fc.constantFrom<Overflow>("latest-per-key", "drop-oldest", "drop-newest", "pause-source");
const types = ["frame", "verdict", "look"];
const policies: fc.Arbitrary<MailboxPolicy> = fc.record({
  capacity: fc.integer({ min: 1, max: 100 }),
  capacityBytes: fc.oneof(fc.integer({ min: 20, max: 200 }), fc.constant(1_000_000)),
  overflow: answers,
  byType: fc.dictionary(fc.constantFrom(...types), answers, { maxKeys: types.length }),
});
const offers = fc.record({
  type: fc.constantFrom(...types),
  key: fc.constantFrom("a", "b", "c", "d"),
  size: fc.integer({ min: 0, max: 60 }),
});
/** So many offers, or takes where null, one after another: runs fill the ring, empty it and move it around. */
const steps = fc.array(fc.tuple(fc.option(offers), fc.integer({ min: 1, max: 40 })), { maxLength: 40 });

test("a mailbox lets in, lets go and gives out what an array would, in that order and with that reason", () => {
  fc.assert(
    fc.property(policies, steps, (policy, sequence) => {
      const [mailbox, expected] = [createMailbox(policy), model(policy)];
      let at = 0;
      for (const [offer, times] of sequence) {
        for (let time = 0; time < times; time++) {
          if (offer === null) expect(mailbox.take()).toBe(expected.take());
          else {
            const { type, key, size } = offer;
            const bytes = new Uint8Array(size);
            const envelope: Envelope = { type, key, trace: "", bytes, causes: noCauses, lease: null, enqueuedAtMs: at++ };
            const [dropped, wanted] = [mailbox.offer(envelope), expected.offer(envelope)];
            expect(dropped?.envelope).toBe(wanted?.envelope);
            expect(dropped?.reason).toBe(wanted?.reason);
          }
        }
        expect(viewOf(mailbox)).toEqual(expected.view());
      }
    }),
    { numRuns: 300 },
  );
});
