/**
 * One actor at run: a mailbox, an incarnation, and its turns.
 *
 * A turn takes one message, calls its handler, and then lets out what the handler asked for. A handler that throws has
 * asked for nothing: its state is gone, the causes of its message will be repeated, and the supervisor decides what follows.
 * The mailbox belongs to the cell and outlives the incarnation; timers, pipes and state die with it. `docs/runtime.md` says it all.
 *
 * Words: a *cause* is one delivery of a record, held by all that came of it (`settlement.ts`); a *lease* is the right to a frame
 * in shared memory (`frame-pool.ts`); the *outlet* is the way out to the bus; *control* is the lane of outcomes and timers.
 */
import type { Tagged } from "../protocols/message.ts";
import type { ActorDefinition, Address, Context } from "./actor.ts";
import { emptyOutbox } from "./cell/outbox.ts";
import { createPipes } from "./cell/pipes.ts";
import { createSaves } from "./cell/saves.ts";
import { createTimers } from "./cell/timers.ts";
import { type Envelope, noCauses } from "./envelope.ts";
import { reasonOf } from "./errors.ts";
import type { Lease } from "./frame-pool.ts";
import { createMailbox } from "./mailbox.ts";
import { createOutlet } from "./outlet.ts";
import type { CellPorts } from "./ports.ts";
import { abandonAll, type Cause, holdAll, releaseAll } from "./settlement.ts";

// The runtime does not know the domain's types: a definition's parameters are erased here, and only here.
// biome-ignore lint/suspicious/noExplicitAny: the language has no existential types
export type AnyDefinition = ActorDefinition<any, any, any, any>;

export type CellState = "starting" | "running" | "failed" | "stopped";

export type Failure = { readonly path: string; readonly reason: string; readonly causeKeys: readonly string[] };

export type CellSpec = {
  readonly path: string;
  readonly key: string;
  readonly definition: AnyDefinition;
  readonly args: unknown;
};

export type Cell = {
  readonly path: string;
  readonly state: () => CellState;
  /** Builds the first or next incarnation. Rejects when the actor cannot start. */
  readonly start: () => Promise<void>;
  /** Takes an envelope in; its holds and its lease are the cell's from now on. */
  readonly offer: (envelope: Envelope) => void;
  readonly isAboveHighWater: () => boolean;
  /** Calls `wake` once, when the mailbox is below low water. */
  readonly whenBelow: (wake: () => void) => void;
  /** Nothing waits, nothing runs, nothing is on its way out. */
  readonly isQuiet: () => boolean;
  /** Ends the incarnation and gives back what it held; the mailbox stays, and `start` may follow. */
  readonly halt: (reason: string) => Promise<void>;
  /** Ends the cell; what waits in its mailbox is let go. */
  readonly stop: (reason: string) => Promise<void>;
  /** As if a handler had thrown: for drills. */
  readonly fail: (reason: string) => void;
  readonly mailbox: () => { readonly depth: number; readonly bytes: number; readonly oldestMs: number; readonly dropped: number };
  readonly lastHeardMs: () => number;
};

export const createCell = (spec: CellSpec, ports: CellPorts, onFailure: (failure: Failure) => void): Cell => {
  const { path, definition } = spec;
  const { clock, codec, observer, frames } = ports;
  const mailbox = createMailbox(definition.mailbox);
  const control: Envelope[] = []; // outcomes and timers: they were promised a place when they were asked for
  const saves = createSaves(ports.store, clock, observer);
  const outlet = createOutlet(path, ports.bus, clock, observer, () => resume());
  const targets = new Set<Cell>();
  const wakers = new Set<() => void>();

  let state: CellState = "starting"; // from the first: a message may come before the incarnation does
  let actorState: unknown;
  let incarnation = 0;
  let context: Context<Tagged>;
  let outbox = emptyOutbox();
  let current: Envelope | null = null;
  let waitsForTarget = false;
  let dropped = 0;
  let lastHeardMs = clock.monotonicMs();

  // ---- messages ---------------------------------------------------------------------------------------------------

  const envelopeOf = (message: Tagged, lease: Lease | null, trace = current?.trace ?? ports.newTrace()): Envelope => ({
    type: message.type,
    key: ports.keyOf(message),
    trace,
    bytes: codec.encode(message),
    causes: noCauses,
    lease,
    enqueuedAtMs: clock.monotonicMs(),
  });

  const discard = (envelope: Envelope, reason: string) => {
    dropped++;
    observer.dropped(path, envelope.type, reason, 1);
    if (envelope.lease) frames.release(envelope.lease);
    abandonAll(envelope.causes, `${path} let it go: ${reason}`);
  };

  const offer = (envelope: Envelope) => {
    if (state === "stopped") return discard(envelope, "dead_letter");
    lastHeardMs = envelope.enqueuedAtMs;
    const letGo = mailbox.offer(envelope);
    if (letGo) discard(letGo.envelope, letGo.reason);
    resume();
  };

  const offerControl = (envelope: Envelope) => {
    control.push(envelope);
    resume();
  };

  const timers = createTimers(clock, offerControl);
  const pipes = createPipes((message, causes, trace) => {
    try {
      offerControl({ ...envelopeOf(message(), null, trace), causes });
    } catch (thrown) {
      abandonAll(causes, reasonOf(thrown), true);
      failed("outcome", thrown, causes);
    }
  });

  // ---- what a handler sees ----------------------------------------------------------------------------------------

  const contextOf = (mine: number): Context<Tagged> => ({
    self: { path },
    key: spec.key,
    nowMs: clock.nowMs,
    monotonicMs: clock.monotonicMs,
    random: ports.random,
    log: ports.log.with({ actor: path }),
    frames,
    get trace() {
      return current?.trace ?? "";
    },
    get bytes() {
      return current?.bytes ?? new Uint8Array();
    },
    get lease() {
      return current?.lease ?? null;
    },
    tell(to: Address<never>, message: Tagged, lease?: Lease) {
      const envelope = envelopeOf(message, lease ?? null);
      if (lease) frames.retain(lease); // at once: the handler may give its own hold back before the turn ends
      outbox.tells.push({ path: to.path, envelope });
    },
    emit: (message) => void outbox.emits.push(ports.recordOf(message, current?.trace ?? ports.newTrace())),
    save: (fact) => void outbox.facts.push(fact),
    timers: {
      after: (key, delayMs, message) => void outbox.timers.push({ key, delayMs, envelope: envelopeOf(message, null) }),
      cancel: (key) => void outbox.timers.push({ key, delayMs: 0, envelope: null }),
    },
    pipe: (start, done, failed) => void outbox.pipes.push({ start, done: done as (value: unknown) => Tagged, failed }), // erased like the definition
    startChild: (supervisor, key, args) => void outbox.children.push(() => ports.startChild(supervisor.path, key, args)),
    stopChild: (supervisor, key) => void outbox.children.push(() => ports.stopChild(supervisor.path, key)),
    deliver(message, lease) {
      const taken = mine === incarnation && (state === "running" || state === "starting");
      if (taken) offer(envelopeOf(message, lease ?? null, ports.newTrace()));
      else if (lease) frames.release(lease);
      return taken;
    },
  });

  // ---- a turn -----------------------------------------------------------------------------------------------------

  const turn = (envelope: Envelope) => {
    const { causes, lease } = envelope;
    current = envelope;
    if (handle(envelope)) {
      commit(causes);
      releaseAll(causes);
    }
    if (lease) frames.release(lease);
    current = null;
  };

  /** Calls the handler; false when it threw, and then nothing of what it asked for is left. */
  const handle = ({ type, bytes, causes }: Envelope): boolean => {
    try {
      const handler = definition.on[type];
      if (!handler) throw new Error(`${path} has no handler for ${type}`);
      actorState = handler(actorState, codec.decode(type, bytes), context);
      return true;
    } catch (thrown) {
      forget();
      abandonAll(causes, reasonOf(thrown), true);
      failed(type, thrown, causes);
      return false;
    }
  };

  /** Lets out what the turn asked for. Each part holds the turn's causes for itself. Nothing here may throw. */
  const commit = (own: readonly Cause[]) => {
    const asked = outbox;
    outbox = emptyOutbox();
    // What a timer stood for is this turn's matter once the turn cancels or replaces it: its outcome leaves with this turn.
    const inherited = asked.timers.flatMap(({ key }) => timers.takeBack(key));
    const causes = inherited.length === 0 ? own : [...new Set([...own, ...inherited])];
    for (const { path: to, envelope } of asked.tells) {
      holdAll(causes);
      const target = ports.route(to, causes.length === 0 ? envelope : { ...envelope, causes });
      if (target?.isAboveHighWater()) targets.add(target);
    }
    for (const record of asked.emits) {
      holdAll(causes);
      outlet.send(record, causes);
    }
    if (asked.facts.length > 0) saves.put(asked.facts, causes);
    const lastOfKey = new Map(asked.timers.map((change) => [change.key, change]));
    for (const { key, delayMs, envelope } of lastOfKey.values()) if (envelope) timers.set(key, delayMs, envelope, causes);
    for (const pipe of asked.pipes) pipes.run(pipe, causes, current?.trace ?? ports.newTrace());
    for (const change of asked.children) change();
    releaseAll(inherited);
  };

  const forget = () => {
    for (const { envelope } of outbox.tells) if (envelope.lease) frames.release(envelope.lease);
    outbox = emptyOutbox();
  };

  const failed = (type: string, thrown: unknown, causes: readonly Cause[]) => {
    if (state !== "running") return;
    state = "failed";
    const reason = reasonOf(thrown);
    observer.failed(path, type, reason, thrown instanceof Error ? thrown.stack : undefined);
    onFailure({ path, reason, causeKeys: causes.map(({ key }) => key) });
  };

  // ---- whose turn it is -------------------------------------------------------------------------------------------

  /** Design rule 6: no turn while a target, or the way out, is above high water. Both call `resume` as they drain. */
  const isHeldBack = (): boolean => {
    if (waitsForTarget || outlet.isAboveHighWater()) return true;
    for (const target of targets) {
      if (!target.isAboveHighWater()) {
        targets.delete(target); // seen again when the next tell finds it full
        continue;
      }
      waitsForTarget = true;
      target.whenBelow(() => {
        waitsForTarget = false;
        resume();
      });
      return true;
    }
    return false;
  };

  const next = (): Envelope | null => {
    const first = control.shift();
    if (first) return first;
    if (mailbox.depth() === 0 || definition.ready?.(actorState) === false || isHeldBack()) return null;
    const envelope = mailbox.take();
    if (wakers.size > 0 && mailbox.isBelowLowWater()) wakeSenders();
    return envelope;
  };

  const wakeSenders = () => {
    const woken = [...wakers];
    wakers.clear();
    for (const wake of woken) wake();
  };

  const runnable = {
    step() {
      const envelope = state === "running" ? next() : null;
      if (!envelope) return false;
      turn(envelope);
      return state === "running" && (control.length > 0 || mailbox.depth() > 0);
    },
  };

  const resume = () => {
    if (state === "running") ports.dispatcher.ready(runnable);
  };

  // ---- life -------------------------------------------------------------------------------------------------------

  const armIdle = () => {
    const { idle } = definition;
    if (!idle) return;
    const mine = incarnation;
    const check = () => {
      if (mine !== incarnation || state !== "running") return;
      if (clock.monotonicMs() - lastHeardMs >= idle.afterMs) {
        lastHeardMs = clock.monotonicMs();
        offerControl(envelopeOf(idle.message, null));
      }
      clock.after(Math.max(1, idle.afterMs - (clock.monotonicMs() - lastHeardMs)), check);
    };
    clock.after(idle.afterMs, check);
  };

  const endIncarnation = async (reason: string) => {
    const ended = actorState;
    actorState = undefined;
    incarnation++;
    pipes.abort(reason);
    timers.abandon(reason);
    for (const envelope of control.splice(0)) abandonAll(envelope.causes, reason); // meant for the one that is gone
    if (ended === undefined || !definition.release) return;
    try {
      await definition.release(ended);
    } catch (thrown) {
      observer.failed(path, "release", reasonOf(thrown), undefined);
    }
  };

  return {
    path,
    state: () => state,
    async start() {
      state = "starting";
      const mine = incarnation;
      // What the former incarnation said must be readable before the next one asks what was said.
      if (definition.load) await Promise.all([outlet.flushed(), saves.flushed()]);
      const loaded = definition.load ? await definition.load(spec.args, ports, spec.key) : undefined;
      if (mine !== incarnation) throw new Error(`${path} was stopped while it started`);
      context = contextOf(mine);
      try {
        actorState = definition.start(spec.args, context, loaded);
      } catch (thrown) {
        forget();
        state = "failed";
        throw thrown;
      }
      state = "running";
      commit(noCauses);
      armIdle();
      resume();
    },
    offer,
    isAboveHighWater: () => definition.mailbox.overflow === "pause-source" && state !== "stopped" && mailbox.isAboveHighWater(),
    whenBelow: (wake) => void wakers.add(wake),
    isQuiet: () =>
      mailbox.depth() + control.length + pipes.pending() + saves.pending() + outlet.pending() === 0 && !timers.holdCauses(),
    async halt(reason) {
      state = "failed";
      await endIncarnation(reason);
    },
    async stop(reason) {
      if (state === "stopped") return;
      state = "stopped";
      const ending = endIncarnation(reason);
      for (let envelope = mailbox.take(); envelope; envelope = mailbox.take()) discard(envelope, "dead_letter");
      wakeSenders();
      outlet.close();
      await ending;
    },
    fail: (reason) => failed("drill", new Error(reason), noCauses),
    mailbox: () => ({
      depth: mailbox.depth(),
      bytes: mailbox.sizeBytes(),
      oldestMs: Math.max(0, clock.monotonicMs() - (mailbox.oldestAtMs() ?? Number.POSITIVE_INFINITY)),
      dropped,
    }),
    lastHeardMs: () => lastHeardMs,
  };
};
