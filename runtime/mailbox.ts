/**
 * A bounded queue of envelopes, by count and bytes, with a declared answer to overload.
 * The ring is allocated on first use and grows up to the capacity, so that an idle actor costs little.
 */
import type { MailboxPolicy, Overflow } from "./actor.ts";
import type { Envelope } from "./envelope.ts";

export const capacityBytesDefault = 64 * 1024 * 1024;
/** Senders wait from high water on, and go on below low water. */
const highWater = 0.8;
const lowWater = 0.5;
const firstLength = 8;
/** A burst's ring is not kept. */
const keptLength = 64;

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

type Slot = Envelope | undefined;
const noRing: readonly Slot[] = Object.freeze([]);

// A class for its size: there may be a hundred thousand, and closures cost one object for each function.
class RingMailbox implements Mailbox {
  readonly #policy: MailboxPolicy;
  /** Its length is a power of two, so that a position's place is a mask. */
  #ring: Slot[] = noRing as Slot[]; // never written to while it is the shared empty one: `grow` comes first
  #head = 0;
  #tail = 0;
  #sizeBytes = 0;
  /** Where the waiting envelope of each key stands, for the kinds of which only the latest counts. */
  #positions: Map<string, number> | null = null;

  constructor(policy: MailboxPolicy) {
    this.#policy = policy;
  }

  offer(envelope: Envelope): Dropped | null {
    const { capacity, capacityBytes = capacityBytesDefault } = this.#policy;
    const overflow = this.#overflowOf(envelope.type);
    const at = overflow === "latest-per-key" ? this.#positions?.get(latestKey(envelope)) : undefined;
    if (at !== undefined) return this.#supersede(at, envelope);
    const depth = this.depth();
    const isFull = depth >= capacity || (depth > 0 && this.#sizeBytes + envelope.bytes.byteLength > capacityBytes);
    // Messages that pause their source may overshoot by one turn's emissions.
    if (!isFull || overflow === "pause-source") {
      this.#put(envelope, overflow);
      return null;
    }
    if (overflow === "drop-newest") return { envelope, reason: "full" };
    const oldest = this.#ring[this.#head & (this.#ring.length - 1)];
    // What pauses its source is never dropped to make room for what does not.
    if (!oldest || this.#overflowOf(oldest.type) === "pause-source") return { envelope, reason: "full" };
    this.take();
    this.#put(envelope, overflow);
    return { envelope: oldest, reason: "overflow" };
  }

  take(): Envelope | null {
    if (this.#head === this.#tail) return null;
    const place = this.#head & (this.#ring.length - 1);
    const envelope = this.#ring[place];
    if (!envelope) throw new Error("the mailbox lost an envelope");
    this.#ring[place] = undefined;
    this.#head++;
    this.#sizeBytes -= envelope.bytes.byteLength;
    if (this.#positions && this.#overflowOf(envelope.type) === "latest-per-key") this.#positions.delete(latestKey(envelope));
    if (this.#head === this.#tail && this.#ring.length > keptLength) this.#ring = noRing as Slot[];
    return envelope;
  }

  depth(): number {
    return this.#tail - this.#head;
  }

  sizeBytes(): number {
    return this.#sizeBytes;
  }

  oldestAtMs(): number | null {
    return this.#head === this.#tail ? null : (this.#ring[this.#head & (this.#ring.length - 1)]?.enqueuedAtMs ?? null);
  }

  isAboveHighWater(): boolean {
    const { capacity, capacityBytes = capacityBytesDefault } = this.#policy;
    return this.depth() >= capacity * highWater || this.#sizeBytes >= capacityBytes * highWater;
  }

  isBelowLowWater(): boolean {
    const { capacity, capacityBytes = capacityBytesDefault } = this.#policy;
    return this.depth() <= capacity * lowWater && this.#sizeBytes <= capacityBytes * lowWater;
  }

  #overflowOf(type: string): Overflow {
    const { byType, overflow } = this.#policy;
    return byType?.[type] ?? overflow;
  }

  #supersede(position: number, envelope: Envelope): Dropped {
    const place = position & (this.#ring.length - 1);
    const older = this.#ring[place];
    if (!older) throw new Error("the mailbox lost its latest envelope");
    this.#ring[place] = envelope;
    this.#sizeBytes += envelope.bytes.byteLength - older.bytes.byteLength;
    return { envelope: older, reason: "superseded" };
  }

  #put(envelope: Envelope, overflow: Overflow): void {
    if (this.depth() === this.#ring.length) this.#grow();
    if (overflow === "latest-per-key") {
      this.#positions ??= new Map();
      this.#positions.set(latestKey(envelope), this.#tail);
    }
    this.#ring[this.#tail & (this.#ring.length - 1)] = envelope;
    this.#tail++;
    this.#sizeBytes += envelope.bytes.byteLength;
  }

  #grow(): void {
    const wider = new Array<Slot>(Math.max(firstLength, this.#ring.length * 2));
    for (let position = this.#head; position < this.#tail; position++)
      wider[position & (wider.length - 1)] = this.#ring[position & (this.#ring.length - 1)];
    this.#ring = wider;
  }
}

const latestKey = ({ type, key }: Envelope): string => `${type}\n${key}`;

export const createMailbox = (policy: MailboxPolicy): Mailbox => new RingMailbox(policy);
