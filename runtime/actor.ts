/**
 * The vocabulary of actors. A definition is a value: what the actor is given (Args), what it remembers (State), what it hears
 * (Receives), what it writes to topics (Emits), and one synchronous handler for each kind of message. `docs/runtime.md` states
 * the semantics.
 */
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Clock } from "./clock.ts";
import type { FramePool, Lease } from "./frame-pool.ts";
import type { Holdings } from "./holdings.ts";
import type { Log } from "./log.ts";
import type { Random } from "./random.ts";
import type { Fact, Store } from "./store.ts";

declare const hears: unique symbol;

/** The right to send `M` to one stage; a name, made before the stage is, valid across its restarts. */
export type Address<in M extends Tagged = never> = { readonly path: string; readonly [hears]?: (message: M) => void };

/** Makes the address of the stage at `path`, e.g. `vedette/detector`. */
export const addressOf = <M extends Tagged>(path: string): Address<M> => ({ path });

/** What happens to a message that finds the mailbox full. Only `pause-source` is allowed where messages carry a cause. */
export type Overflow = "latest-per-key" | "drop-oldest" | "drop-newest" | "pause-source";

export type MailboxPolicy = {
  readonly capacity: number;
  /** Default 64 MiB. */
  readonly capacityBytes?: number;
  readonly overflow: Overflow;
  /** Kinds of message with an answer of their own. */
  readonly byType?: Readonly<Record<string, Overflow>>;
};

export type Timers<Receives> = {
  /** Sends `message` to self after `delayMs`. Setting a key again replaces it. */
  readonly after: (key: string, delayMs: number, message: Receives) => void;
  readonly cancel: (key: string) => void;
};

export type Context<Receives extends Tagged, Emits extends Tagged = never> = {
  readonly self: Address<Receives>;
  /** The key of a keyed stage's instance; empty elsewhere. */
  readonly key: string;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly random: Random;
  readonly log: Log;
  /** The trace of the message in hand. */
  readonly trace: string;
  /** The body of the message in hand as it travels; do not keep or change it. */
  readonly bytes: Uint8Array;
  /** The frame that came with the message in hand; released after the turn unless passed on. */
  readonly lease: Lease | null;
  readonly frames: FramePool;

  // What follows takes effect when the turn returns; a turn that throws has done nothing.
  // Each fails its turn when it cannot be done, and throws outside of a turn.
  /** To a stage that this one was wired to (`tells`). Never to itself: that is a timer of no delay. */
  readonly tell: <M extends Tagged>(to: Address<M>, message: M, lease?: Lease) => void;
  /**
   * Answers a message that brought the address for its answer: a question of `System.ask`, or another stage's. Like an outcome it
   * needs no room in a mailbox, and is no part of who tells whom. An answer that nobody waits for is counted.
   */
  readonly reply: <M extends Tagged>(replyTo: Address<M>, message: M) => void;
  /** Appends to the topic that carries this kind of message. */
  readonly emit: (message: Emits) => void;
  /** Writes to the store; what caused this turn is settled only after it is durable. */
  readonly save: (fact: Fact) => void;
  readonly timers: Timers<Receives>;
  /** Work that waits. `start` runs after the turn; its outcome comes back as a message. `signal` aborts when the incarnation ends. */
  readonly pipe: <T>(
    start: (signal: AbortSignal) => Promise<T>,
    done: (value: T) => Receives,
    failed: (reason: unknown) => Receives,
  ) => void;
  /** Starts, or restarts with other arguments, a child of a dynamic supervisor; stops it. */
  readonly startChild: <Args>(supervisor: DynamicAddress<Args>, key: string, args: Args) => void;
  readonly stopChild: (supervisor: DynamicAddress<never>, key: string) => void;
  /** Sends `ended` to self, once, when the incarnation at `stage` ends; at once where there is none. The notice has no cause. */
  readonly watch: (stage: Address<never>, ended: Receives) => void;
  readonly unwatch: (stage: Address<never>) => void;
  /** Ends this actor in order; what its supervisor does then is said by `restart` where it is wired. */
  readonly end: () => void;

  /** For code outside the actor (a decoder's callback): sends to self at any time, without a cause. False when it was not taken; the lease is then released. */
  readonly deliver: (message: Receives, lease?: Lease) => boolean;
};

declare const makes: unique symbol;
export type DynamicAddress<in Args> = { readonly path: string; readonly [makes]?: (args: Args) => void };

/** What `load` may use before an incarnation takes its first message. */
export type LoadPorts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * The valid messages of a topic appended at or after `sinceMs`, in order per partition, at most 100,000 (rule 10). Where
   * processes share the topic that the stage takes: those of the keys that it has.
   */
  readonly recent: <M extends Tagged>(topic: TopicDefinition<M>, sinceMs: number) => Promise<readonly M[]>;
  /** The same of all keys, whoever has them. */
  readonly recentOfAll: LoadPorts["recent"];
};

export type ActorDefinition<Args, State, Receives extends Tagged, Emits extends Tagged = never, Loaded = undefined> = {
  readonly name: string;
  readonly mailbox: MailboxPolicy;
  /** Takes in what comes from outside: it ends first when the system stops, so that the rest can finish. */
  readonly isSource?: boolean;
  /** Reads what must be known before the first message. Failing counts as a failed start. */
  readonly load?: (args: Args, ports: LoadPorts, key: string) => Promise<Loaded>;
  /**
   * Where processes share the topic that the stage takes: what must be known of a partition that comes, as messages that are heard
   * before its first record. `recent` then reads what others wrote for that partition's keys.
   */
  readonly adopt?: (args: Args, ports: LoadPorts) => Promise<readonly Receives[]>;
  /** The counterpart: heard when a partition has gone, behind what was taken of it. */
  readonly part?: (gone: Holdings) => Receives;
  readonly start: (args: Args, context: Context<Receives, Emits>, loaded: Loaded) => State;
  readonly on: {
    readonly [Type in Receives["type"]]: (
      state: State,
      message: Extract<Receives, { readonly type: Type }>,
      context: Context<Receives, Emits>,
    ) => State;
  };
  /** While false, only outcomes and timers are taken; messages wait in the mailbox. */
  readonly ready?: (state: State) => boolean;
  /** Sent to self when nothing was heard for so long. */
  readonly idle?: { readonly afterMs: number; readonly message: Receives };
  /** Gives back what the incarnation holds; called at stop and before a restart alike. Bounded by the child's shutdown time. */
  readonly release?: (state: State) => void | Promise<void>;
};

/** Checks a definition's types; costs nothing. */
export const actor = <Args, State, Receives extends Tagged, Emits extends Tagged = never, Loaded = undefined>(
  definition: ActorDefinition<Args, State, Receives, Emits, Loaded>,
): ActorDefinition<Args, State, Receives, Emits, Loaded> => definition;
