/**
 * One actor at run: a mailbox, an incarnation, and its turns.
 * A turn takes one message, calls its handler, and then lets out what the handler asked for. A handler that throws has
 * asked for nothing: its state is gone, the causes of its message will be repeated, and the supervisor decides what follows.
 * The mailbox belongs to the cell and outlives the incarnation; timers, pipes, watches and state die with it.
 * `docs/runtime.md` says it all.
 *
 * Words: a *cause* is one delivery of a record, held by all that came of it (`settlement.ts`); a *lease* is the right to a frame
 * in shared memory (`frame-pool.ts`); the *outlet* is the way out to the bus.
 */
import type { Tagged } from "../protocols/message.ts";
import type { ActorDefinition } from "./actor.ts";
import { Effects, type EffectsOwner, hasEffects } from "./cell/effects.ts";
import type { CellOwner } from "./cell/failure.ts";
import { FullTargets } from "./cell/full-targets.ts";
import type { Outbox, Told } from "./cell/outbox.ts";
import { armReceiveTimeout } from "./cell/receive-timeout.ts";
import { Turn, type TurnOwner } from "./cell/turn.ts";
import type { Runnable } from "./dispatcher.ts";
import { causedBy, type Envelope, noCauses } from "./envelope.ts";
import { reasonOf } from "./errors.ts";
import { createMailbox, type Mailbox } from "./mailbox.ts";
import type { CellPorts } from "./ports.ts";
import { abandonAll, type Cause, releaseAll } from "./settlement.ts";

// The runtime does not know the domain's types: a definition's parameters are erased here, and only here.
// biome-ignore lint/suspicious/noExplicitAny: the language has no existential types
export type AnyDefinition = ActorDefinition<any, any, any, any, any>;

/** `failed` and `ended` wait for the supervisor's decision; `stopped` is for good. */
export type CellState = "starting" | "running" | "failed" | "ended" | "stopped";

export type CellSpec = {
  readonly definition: AnyDefinition;
  readonly args: unknown;
  readonly tells: ReadonlySet<string>;
};

export type MailboxView = { readonly depth: number; readonly bytes: number; readonly oldestMs: number; readonly dropped: number };

// A class, for its size: there may be a hundred thousand idle actors. What only busy ones need is made when first asked for.
export class Cell implements TurnOwner, EffectsOwner, Runnable {
  readonly path: string;
  readonly key: string;
  readonly ports: CellPorts;
  readonly #spec: CellSpec;
  readonly #owner: CellOwner;
  readonly #mailbox: Mailbox;
  /** Notices of the runtime; they go before outcomes. */
  #system: Envelope[] | null = null;
  /** Outcomes of pipes and timers: they were promised a place when they were asked for. */
  #control: Envelope[] | null = null;

  #state: CellState = "starting"; // from the first: a message may come before the incarnation does
  #actorState: unknown;
  #turn: Turn | null = null;
  #incarnation = 0;

  #effects: Effects | null = null;
  #isWatching = false;

  #fullTargets: FullTargets | null = null;
  #wakers: (() => void)[] | null = null;
  #dropped = 0;
  lastHeardMs: number;
  isQueued = false;

  constructor(path: string, key: string, spec: CellSpec, ports: CellPorts, owner: CellOwner) {
    this.path = path;
    this.key = key;
    this.ports = ports;
    this.#spec = spec;
    this.#owner = owner;
    this.#mailbox = createMailbox(spec.definition.mailbox);
    this.lastHeardMs = ports.clock.monotonicMs();
  }

  get tells(): ReadonlySet<string> {
    return this.#spec.tells;
  }
  get state(): CellState {
    return this.#state;
  }

  // ---- messages -----------------------------------------------------------------------------------------------------

  /** Takes an envelope in; its holds and its lease are the cell's from here on. */
  offer(envelope: Envelope): void {
    if (this.#state === "stopped") {
      this.#discard(envelope, "dead_letter");
      return;
    }
    this.lastHeardMs = envelope.enqueuedAtMs;
    const letGo = this.#mailbox.offer(envelope);
    if (letGo) this.#discard(letGo.envelope, letGo.reason);
    this.resume();
  }

  /** A notice of the runtime for the incarnation in force; nothing for one that is over. */
  notify(envelope: Envelope): void {
    if (this.#state !== "running") return;
    this.#system ??= [];
    this.#system.push(envelope);
    this.resume();
  }

  /** An answer for the incarnation in force; false when it is over. */
  answer(envelope: Envelope): boolean {
    const isTaken = this.#state === "running";
    if (isTaken) this.takeOutcome(envelope);
    return isTaken;
  }

  takeIn(turn: Turn, envelope: Envelope): boolean {
    const isTaken = turn === this.#turn && (this.#state === "running" || this.#state === "starting");
    if (isTaken) this.offer(envelope);
    else if (envelope.lease) this.ports.frames.release(envelope.lease);
    return isTaken;
  }

  #discard(envelope: Envelope, reason: string): void {
    this.#dropped++;
    if (reason === "dead_letter") {
      this.ports.deadLetter(this.path, envelope, "it has stopped");
      return;
    }
    this.ports.observer.dropped(this.path, envelope.type, reason, 1);
    if (envelope.lease) this.ports.frames.release(envelope.lease);
    abandonAll(envelope.causes, `${this.path} let it go: ${reason}`);
  }

  // ---- a turn -------------------------------------------------------------------------------------------------------

  /** Takes one turn; false when there is nothing to do. */
  step(): boolean {
    const turn = this.#turn;
    const envelope = this.#state === "running" && turn ? this.#next() : null;
    if (!envelope || !turn) return false;
    const { causes, lease } = envelope;
    turn.open(envelope);
    if (this.#handle(envelope, turn)) {
      const asked = turn.close();
      if (asked) this.#commit(asked, causes, envelope.trace);
      releaseAll(causes);
    }
    if (lease) this.ports.frames.release(lease);
    return this.#state === "running" && this.#hasWork();
  }

  /** Calls the handler; false when it threw, and then nothing of what it asked for is left. */
  #handle({ type, bytes, causes }: Envelope, turn: Turn): boolean {
    try {
      const handler = this.#spec.definition.on[type];
      if (!handler) throw new Error(`${this.path} has no handler for ${type}`);
      this.#actorState = handler(this.#actorState, this.ports.codec.decode(type, bytes), turn);
      return true;
    } catch (thrown) {
      turn.forget();
      abandonAll(causes, reasonOf(thrown), true);
      this.#failed(type, thrown, causes);
      return false;
    }
  }

  /** Lets out what the turn asked for. Each part holds the turn's causes for itself. Nothing here may throw. */
  #commit({ tells, more }: Outbox, own: readonly Cause[], trace: string): void {
    // What a timer stood for is this turn's matter once the turn cancels or replaces it: its outcome leaves with this turn.
    const inherited = (more && this.#effects?.takeBack(more)) ?? noCauses;
    const causes = inherited.length === 0 ? own : [...new Set([...own, ...inherited])];
    for (const told of tells) this.#send(told, causes);
    if (!more) return;
    for (const { path, envelope } of more.replies) this.ports.reply(path, causedBy(envelope, causes));
    if (hasEffects(more)) {
      this.#effects ??= new Effects(this);
      this.#effects.begin(more, causes, trace);
    }
    for (const change of more.children) change();
    for (const { path, ended } of more.watches) this.#watch(path, ended);
    releaseAll(inherited);
    if (more.ends) this.#endSelf();
  }

  /** The outcome of a timer or a pipe. */
  takeOutcome(envelope: Envelope): void {
    this.#control ??= [];
    this.#control.push(envelope);
    this.resume();
  }

  #send({ path, envelope }: Told, causes: readonly Cause[]): void {
    const target = this.ports.route(path, causedBy(envelope, causes));
    if (!target?.isAboveHighWater()) return;
    this.#fullTargets ??= new FullTargets();
    this.#fullTargets.add(target);
  }

  #watch(path: string, ended: Envelope | null): void {
    this.#isWatching = true;
    if (ended) this.ports.watches.add(path, this, ended);
    else this.ports.watches.remove(path, this);
  }

  takePipeOutcome(message: () => Tagged, causes: readonly Cause[], trace: string): void {
    const turn = this.#turn;
    if (!turn) {
      abandonAll(causes, "the actor that asked for it is gone");
      return;
    }
    try {
      const envelope = turn.envelopeOf(message(), null, trace);
      envelope.causes = causes;
      this.takeOutcome(envelope);
    } catch (thrown) {
      abandonAll(causes, reasonOf(thrown), true);
      this.#failed("outcome", thrown, causes);
    }
  }

  #failed(type: string, thrown: unknown, causes: readonly Cause[]): void {
    if (this.#state !== "running") return;
    this.#state = "failed";
    const reason = reasonOf(thrown);
    this.ports.observer.failed(this.path, type, reason, thrown instanceof Error ? thrown.stack : undefined);
    this.ports.watches.ended(this.path);
    this.#owner.cellFailed({ path: this.path, key: this.key, reason, causeKeys: causes.map(({ key }) => key) });
  }

  #endSelf(): void {
    if (this.#state !== "running") return;
    this.#state = "ended";
    this.ports.watches.ended(this.path);
    this.#owner.cellFailed({ path: this.path, key: this.key, reason: "ended by itself", causeKeys: [], isOrderly: true });
  }

  // ---- whose turn it is ---------------------------------------------------------------------------------------------

  #hasWork(): boolean {
    return this.#mailbox.depth() + (this.#control?.length ?? 0) + (this.#system?.length ?? 0) > 0;
  }

  #next(): Envelope | null {
    const first = this.#system?.shift() ?? this.#control?.shift();
    if (first) return first;
    if (this.#mailbox.depth() === 0 || !this.#isReady() || this.#isHeldBack()) return null;
    const envelope = this.#mailbox.take();
    if (this.#wakers && this.#mailbox.isBelowLowWater()) wakeAll(this.#wakers);
    return envelope;
  }

  #isReady(): boolean {
    try {
      return this.#spec.definition.ready?.(this.#actorState) !== false;
    } catch (thrown) {
      this.#failed("ready", thrown, noCauses);
      return false;
    }
  }

  /** Rule 6: no turn while a target, or the way out, is above high water. Both call `resume` as they drain. */
  #isHeldBack(): boolean {
    if (this.#effects?.isAboveHighWater()) return true;
    return this.#fullTargets?.holdBack(() => this.resume()) ?? false;
  }

  resume(): void {
    if (this.#state === "running") this.ports.dispatcher.ready(this);
  }

  isAboveHighWater(): boolean {
    return (
      this.#spec.definition.mailbox.overflow === "pause-source" && this.#state !== "stopped" && this.#mailbox.isAboveHighWater()
    );
  }

  /** Calls `wake` once, when the mailbox is below low water. */
  whenBelow(wake: () => void): void {
    this.#wakers ??= [];
    this.#wakers.push(wake);
  }

  // ---- life ---------------------------------------------------------------------------------------------------------

  /** Builds the first or next incarnation. Rejects when the actor cannot start. */
  async start(): Promise<void> {
    if (this.#state === "stopped" || this.#state === "running")
      throw new Error(`${this.path} is ${this.#state} and cannot start`);
    this.#state = "starting";
    const { definition, args } = this.#spec;
    const mine = this.#incarnation;
    let loaded: unknown;
    if (definition.load) {
      // What the former incarnation said must be readable before the next one asks what was said.
      await this.#effects?.flushed();
      loaded = await definition.load(args, this.ports, this.key);
      if (mine !== this.#incarnation) throw new Error(`${this.path} was stopped while it started`);
    }
    const turn = new Turn(this);
    this.#turn = turn;
    turn.open(null);
    try {
      this.#actorState = definition.start(args, turn, loaded);
    } catch (thrown) {
      turn.forget();
      this.#turn = null;
      this.#state = "failed";
      throw thrown;
    }
    this.#state = "running";
    const asked = turn.close();
    if (asked) this.#commit(asked, noCauses, this.ports.newTrace());
    this.#armIdle(turn);
    if (this.#hasWork()) this.resume();
  }

  #armIdle(turn: Turn): void {
    const { idle } = this.#spec.definition;
    if (!idle) return;
    armReceiveTimeout(this.ports.clock, {
      afterMs: idle.afterMs,
      lastHeardMs: () => this.lastHeardMs,
      isOver: () => turn !== this.#turn || this.#state !== "running",
      timedOut: () => {
        this.lastHeardMs = this.ports.clock.monotonicMs();
        this.takeOutcome(turn.envelopeOf(idle.message, null, this.ports.newTrace()));
      },
    });
  }

  /** Ends the incarnation and gives back what it held; the mailbox stays, and `start` may follow. */
  async halt(reason: string): Promise<void> {
    if (this.#state === "stopped") return;
    if (this.#state === "running") this.ports.watches.ended(this.path);
    this.#state = "failed";
    await this.#endIncarnation(reason);
  }

  /** Ends the cell for good; what waits in its mailbox becomes dead letters. */
  async stop(reason: string): Promise<void> {
    if (this.#state === "stopped") return;
    if (this.#state === "running") this.ports.watches.ended(this.path);
    this.#state = "stopped";
    const ending = this.#endIncarnation(reason);
    for (let envelope = this.#mailbox.take(); envelope; envelope = this.#mailbox.take()) this.#discard(envelope, "dead_letter");
    wakeAll(this.#wakers);
    this.#effects?.close();
    await ending;
  }

  async #endIncarnation(reason: string): Promise<void> {
    const ended = this.#actorState;
    this.#actorState = undefined;
    this.#turn = null;
    this.#incarnation++;
    this.#effects?.abandon(reason);
    if (this.#isWatching) this.ports.watches.leave(this);
    this.#isWatching = false;
    this.#system = null;
    // Meant for the one that is gone.
    for (const envelope of this.#control?.splice(0) ?? []) abandonAll(envelope.causes, reason);
    const { release } = this.#spec.definition;
    if (ended === undefined || !release) return;
    try {
      await release(ended);
    } catch (thrown) {
      this.ports.observer.failed(this.path, "release", reasonOf(thrown), undefined);
    }
  }

  /** As if a handler had thrown: for drills. */
  fail(reason: string): void {
    this.#failed("drill", new Error(reason), noCauses);
  }

  // ---- how it is ----------------------------------------------------------------------------------------------------

  /** Nothing waits and nothing runs; what was emitted or saved may still be on its way out. */
  isDrained(): boolean {
    return !this.#hasWork() && (this.#effects?.running() ?? 0) === 0;
  }

  /** Nothing waits, runs, is on its way out, or stands for a delivery. */
  isQuiet(): boolean {
    return !this.#hasWork() && (this.#effects?.isQuiet() ?? true);
  }

  mailbox(): MailboxView {
    const oldestAtMs = this.#mailbox.oldestAtMs();
    return {
      depth: this.#mailbox.depth(),
      bytes: this.#mailbox.sizeBytes(),
      oldestMs: oldestAtMs === null ? 0 : Math.max(0, this.ports.clock.monotonicMs() - oldestAtMs),
      dropped: this.#dropped,
    };
  }
}

const wakeAll = (wakers: (() => void)[] | null): void => {
  for (const wake of wakers?.splice(0) ?? []) wake();
};
