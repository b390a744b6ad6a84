/**
 * A bounded queue of envelopes, by count and bytes, with a declared answer to overload (design D4).
 * The ring is allocated on first use and grows up to the capacity, so that an idle actor costs little.
 */
import type { MailboxPolicy, Overflow } from "./actor.ts";
import type { Envelope } from "./envelope.ts";

export const capacityBytesDefault = 64 * 1024 * 1024;
/** Senders wait from high water on, and go on below low water. */
const highWater = 0.8;
const lowWater = 0.5;

export type DropReason = "superseded" | "overflow" | "full";
export type Dropped = { readonly envelope: Envelope; readonly reason: DropReason };

export type Mailbox = {
  /** Takes the envelope in, or tells which one was let go for want of room: an older one, or this one. */
  readonly offer: (envelope: Envelope) => Dropped | null;
  readonly take: () => Envelope | null;
  readonly depth: () => number;
  readonly sizeBytes: () => number;
  readonly oldestAtMs: () => number | null;
  readonly isAboveHighWater: () => boolean;
  readonly isBelowLowWater: () => boolean;
};

export const createMailbox = (policy: MailboxPolicy): Mailbox => {
  const { capacity, capacityBytes = capacityBytesDefault } = policy;
  let ring: (Envelope | undefined)[] = [];
  let head = 0; // absolute positions; the place in the ring is position % ring.length
  let tail = 0;
  let size = 0;
  const positions = new Map<string, number>(); // of the waiting envelope of each key, where only the latest counts

  const overflowOf = (type: string): Overflow => policy.byType?.[type] ?? policy.overflow;
  const latestKey = (envelope: Envelope): string | null =>
    overflowOf(envelope.type) === "latest-per-key" ? `${envelope.type}\n${envelope.key}` : null;

  // Messages that pause their source may overshoot by one turn's emissions, so the ring may outgrow the capacity.
  const grow = () => {
    const wider = new Array<Envelope | undefined>(Math.max(8, ring.length * 2));
    for (let position = head; position < tail; position++) wider[position % wider.length] = ring[position % ring.length];
    ring = wider;
  };

  const take = (): Envelope | null => {
    if (head === tail) return null;
    const place = head % ring.length;
    const envelope = ring[place];
    if (!envelope) throw new Error("the mailbox lost an envelope");
    ring[place] = undefined;
    head++;
    size -= envelope.bytes.byteLength;
    const key = latestKey(envelope);
    if (key !== null) positions.delete(key);
    if (head === tail && ring.length > 64) ring = []; // a burst's ring is not kept
    return envelope;
  };

  const put = (envelope: Envelope) => {
    if (tail - head >= ring.length) grow();
    const key = latestKey(envelope);
    if (key !== null) positions.set(key, tail);
    ring[tail++ % ring.length] = envelope;
    size += envelope.bytes.byteLength;
  };

  return {
    offer(envelope) {
      const overflow = overflowOf(envelope.type);
      const key = latestKey(envelope);
      const at = key === null ? undefined : positions.get(key);
      if (at !== undefined) {
        const older = ring[at % ring.length];
        if (!older) throw new Error("the mailbox lost its latest envelope");
        ring[at % ring.length] = envelope;
        size += envelope.bytes.byteLength - older.bytes.byteLength;
        return { envelope: older, reason: "superseded" };
      }
      const full = tail - head >= capacity || (tail > head && size + envelope.bytes.byteLength > capacityBytes);
      if (!full || overflow === "pause-source") {
        put(envelope);
        return null;
      }
      if (overflow === "drop-newest") return { envelope, reason: "full" };
      const oldest = ring[head % ring.length];
      // What pauses its source is never dropped to make room for what does not.
      if (!oldest || overflowOf(oldest.type) === "pause-source") return { envelope, reason: "full" };
      take();
      put(envelope);
      return { envelope: oldest, reason: "overflow" };
    },
    take,
    depth: () => tail - head,
    sizeBytes: () => size,
    oldestAtMs: () => (head === tail ? null : (ring[head % ring.length]?.enqueuedAtMs ?? null)),
    isAboveHighWater: () => tail - head >= capacity * highWater || size >= capacityBytes * highWater,
    isBelowLowWater: () => tail - head <= capacity * lowWater && size <= capacityBytes * lowWater,
  };
};
