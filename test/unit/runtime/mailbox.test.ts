import { expect, test } from "bun:test";
import type { Overflow } from "../../../runtime/actor.ts";
import { type Envelope, noCauses } from "../../../runtime/envelope.ts";
import { createMailbox } from "../../../runtime/mailbox.ts";

let serial = 0;
const anEnvelope = (key = "", sizeBytes = 1, type = "m"): Envelope => ({
  type,
  key,
  trace: "",
  bytes: new Uint8Array(sizeBytes),
  causes: noCauses,
  lease: null,
  enqueuedAtMs: serial++,
});

const drain = (mailbox: ReturnType<typeof createMailbox>): Envelope[] => {
  const envelopes: Envelope[] = [];
  for (let envelope = mailbox.take(); envelope; envelope = mailbox.take()) envelopes.push(envelope);
  return envelopes;
};

test("what is put in comes out in order", () => {
  const mailbox = createMailbox({ capacity: 100, overflow: "drop-newest" });
  const envelopes = Array.from({ length: 50 }, () => anEnvelope());
  for (const envelope of envelopes) expect(mailbox.offer(envelope)).toBeNull();
  expect(drain(mailbox)).toEqual(envelopes);
  expect(mailbox.sizeBytes()).toBe(0);
});

test.each<[Overflow, string[], string]>([
  ["drop-newest", ["a", "b"], "c"],
  ["drop-oldest", ["b", "c"], "a"],
  ["latest-per-key", ["b", "c"], "a"],
])("a full mailbox with %s keeps %p and lets %s go", (overflow, kept, letGo) => {
  const mailbox = createMailbox({ capacity: 2, overflow });
  const dropped = ["a", "b", "c"].map((key) => mailbox.offer(anEnvelope(key)));
  expect(dropped[2]?.envelope.key).toBe(letGo);
  expect(drain(mailbox).map(({ key }) => key)).toEqual(kept);
});

test("latest-per-key replaces in place, so a busy key cannot push itself to the back for ever", () => {
  const mailbox = createMailbox({ capacity: 10, overflow: "latest-per-key" });
  mailbox.offer(anEnvelope("a", 1));
  mailbox.offer(anEnvelope("b", 1));
  expect(mailbox.offer(anEnvelope("a", 7))).toMatchObject({ reason: "superseded", envelope: { key: "a" } });
  expect(drain(mailbox).map(({ key, bytes }) => [key, bytes.byteLength])).toEqual([
    ["a", 7],
    ["b", 1],
  ]);
});

test("pause-source never drops, and says when senders should wait and go on", () => {
  const mailbox = createMailbox({ capacity: 10, overflow: "pause-source" });
  for (let count = 0; count < 15; count++) expect(mailbox.offer(anEnvelope())).toBeNull();
  expect(mailbox.isAboveHighWater()).toBe(true);
  while (!mailbox.isBelowLowWater()) mailbox.take();
  expect(mailbox.depth()).toBe(5);
});

test("a kind of message that pauses its source is not dropped for one that does not", () => {
  const mailbox = createMailbox({ capacity: 1, overflow: "drop-oldest", byType: { verdict: "pause-source" } });
  mailbox.offer(anEnvelope("", 1, "verdict"));
  expect(mailbox.offer(anEnvelope("", 1, "frame"))).toMatchObject({ reason: "full", envelope: { type: "frame" } });
  expect(mailbox.depth()).toBe(1);
});

test("a mailbox whose policy names no bytes takes 64 MiB", () => {
  const mailbox = createMailbox({ capacity: 100, overflow: "drop-newest" });
  expect(mailbox.offer(anEnvelope("", 40 * 2 ** 20))).toBeNull();
  expect(mailbox.offer(anEnvelope("", 24 * 2 ** 20))).toBeNull();
  expect(mailbox.offer(anEnvelope())).toMatchObject({ reason: "full" });
});

test.each([
  [79, false, false],
  [80, true, false],
  [51, false, false],
  [50, false, true],
])("with %d of its 100 bytes in use it is above high water: %p, below low water: %p", (sizeBytes, isAbove, isBelow) => {
  const mailbox = createMailbox({ capacity: 10, capacityBytes: 100, overflow: "pause-source" });
  mailbox.offer(anEnvelope("", sizeBytes));
  expect([mailbox.isAboveHighWater(), mailbox.isBelowLowWater()]).toEqual([isAbove, isBelow]);
});
