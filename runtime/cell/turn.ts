/** What a handler sees of its incarnation, and where what it asks for collects. */
import type { Tagged } from "../../protocols/message.ts";
import type { Address, Context, Timers } from "../actor.ts";
import { type Envelope, noCauses } from "../envelope.ts";
import type { FramePool, Lease } from "../frame-pool.ts";
import type { Log } from "../log.ts";
import type { CellPorts } from "../ports.ts";
import type { Random } from "../random.ts";
import { type MoreAsked, nothingMore, type Outbox } from "./outbox.ts";

const noBytes = new Uint8Array();

/** What a turn must know of its cell. */
export type TurnOwner = {
  readonly path: string;
  readonly key: string;
  readonly ports: CellPorts;
  /** The stages it was wired to. */
  readonly tells: ReadonlySet<string>;
  /** Takes a message from code outside of the actor; false when `turn` is no more the one in force. */
  readonly takeIn: (turn: Turn, envelope: Envelope) => boolean;
};

/** One for each incarnation; between turns it asks for nothing. A class for its size, like the cell. */
export class Turn implements Context<Tagged, Tagged> {
  readonly #owner: TurnOwner;
  #current: Envelope | null = null;
  /** There is one only while a turn runs that has asked for something. */
  #outbox: Outbox | null = null;
  #isOpen = false;
  #log: Log | null = null;

  constructor(owner: TurnOwner) {
    this.#owner = owner;
  }

  // ---- for the cell -------------------------------------------------------------------------------------------------

  /** A turn begins; the first one, which starts the incarnation, has no message in hand. */
  open(envelope: Envelope | null): void {
    this.#current = envelope;
    this.#isOpen = true;
  }

  /** The handler returned: what it asked for, or null. */
  close(): Outbox | null {
    const asked = this.#outbox;
    this.#outbox = null;
    this.#isOpen = false;
    this.#current = null;
    return asked;
  }

  /** The handler threw: it has asked for nothing. */
  forget(): void {
    for (const { envelope } of this.#outbox?.tells ?? []) if (envelope.lease) this.frames.release(envelope.lease);
    this.close();
  }

  envelopeOf(message: Tagged, lease: Lease | null, trace: string): Envelope {
    const { keyOf, codec, dispatcher } = this.#owner.ports;
    return {
      type: message.type,
      key: keyOf(message),
      trace,
      bytes: codec.encode(message),
      causes: noCauses,
      lease,
      enqueuedAtMs: dispatcher.atMs(),
    };
  }

  // ---- for handlers -------------------------------------------------------------------------------------------------

  get self(): Address<Tagged> {
    return { path: this.#owner.path };
  }
  get key(): string {
    return this.#owner.key;
  }
  get nowMs(): () => number {
    return this.#owner.ports.clock.nowMs;
  }
  get monotonicMs(): () => number {
    return this.#owner.ports.clock.monotonicMs;
  }
  get random(): Random {
    return this.#owner.ports.random;
  }
  get frames(): FramePool {
    return this.#owner.ports.frames;
  }
  get log(): Log {
    this.#log ??= this.#owner.ports.log.with({ actor: this.#owner.path });
    return this.#log;
  }
  get trace(): string {
    return this.#current?.trace ?? "";
  }
  get bytes(): Uint8Array {
    return this.#current?.bytes ?? noBytes;
  }
  get lease(): Lease | null {
    return this.#current?.lease ?? null;
  }
  get timers(): Timers<Tagged> {
    return {
      after: (key, delayMs, message) => void this.#more().timers.push({ key, delayMs, envelope: this.#envelope(message) }),
      cancel: (key) => void this.#more().timers.push({ key, delayMs: 0, envelope: null }),
    };
  }

  // Getters that make a function each time they are read: so that handlers may take `{ tell }` apart, and yet an idle
  // incarnation holds none. The compiler makes no object of one that is called at once.

  get tell(): Context<Tagged>["tell"] {
    return (to, message, lease) => {
      const { path, tells } = this.#owner;
      if (!tells.has(to.path)) throw new Error(`${path} is not wired to ${to.path}: name it in the stage's "tells"`);
      const asked = this.#asked();
      const envelope = this.#envelope(message, lease);
      if (lease) this.frames.retain(lease); // at once: the handler may give its own hold back before the turn ends
      asked.tells.push({ path: to.path, envelope });
    };
  }
  get reply(): Context<Tagged>["reply"] {
    return (to, message) => void this.#more().replies.push({ path: to.path, envelope: this.#envelope(message) });
  }
  get emit(): Context<Tagged, Tagged>["emit"] {
    return (message) => {
      const { ports } = this.#owner;
      this.#more().emits.push(ports.recordOf(message, this.#current?.trace ?? ports.newTrace()));
    };
  }
  get save(): Context<Tagged>["save"] {
    return (fact) => void this.#more().facts.push(fact);
  }
  get pipe(): Context<Tagged>["pipe"] {
    // Erased like the definition.
    return (start, done, failed) => void this.#more().pipes.push({ start, done: done as (value: unknown) => Tagged, failed });
  }
  get startChild(): Context<Tagged>["startChild"] {
    return ({ path }, key, args) => void this.#more().children.push(() => this.#owner.ports.startChild(path, key, args));
  }
  get stopChild(): Context<Tagged>["stopChild"] {
    return ({ path }, key) => void this.#more().children.push(() => this.#owner.ports.stopChild(path, key));
  }
  get watch(): Context<Tagged>["watch"] {
    return ({ path }, ended) => void this.#more().watches.push({ path, ended: this.#envelope(ended) });
  }
  get unwatch(): Context<Tagged>["unwatch"] {
    return ({ path }) => void this.#more().watches.push({ path, ended: null });
  }
  get end(): Context<Tagged>["end"] {
    return () => {
      this.#more().ends = true;
    };
  }
  get deliver(): Context<Tagged>["deliver"] {
    return (message, lease) => this.#owner.takeIn(this, this.envelopeOf(message, lease ?? null, this.#owner.ports.newTrace()));
  }

  #envelope(message: Tagged, lease?: Lease): Envelope {
    return this.envelopeOf(message, lease ?? null, this.#current?.trace ?? this.#owner.ports.newTrace());
  }

  #asked(): Outbox {
    if (!this.#isOpen) throw new Error(`${this.#owner.path} asked for something outside of a turn: only deliver works there`);
    this.#outbox ??= { tells: [], more: null };
    return this.#outbox;
  }

  #more(): MoreAsked {
    const asked = this.#asked();
    asked.more ??= nothingMore();
    return asked.more;
  }
}
