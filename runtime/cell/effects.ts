/** What turns set going that is not over yet: records and facts on their way out, timers and pipes. */
import type { Tagged } from "../../protocols/message.ts";
import { type Envelope, noCauses } from "../envelope.ts";
import { createOutlet, type Outlet } from "../outlet.ts";
import type { CellPorts } from "../ports.ts";
import { type Cause, holdAll } from "../settlement.ts";
import type { MoreAsked } from "./outbox.ts";
import { createPipes, type Pipes } from "./pipes.ts";
import { createSaves, type Saves } from "./saves.ts";
import { type CellTimers, createTimers } from "./timers.ts";

export type EffectsOwner = {
  readonly path: string;
  readonly ports: CellPorts;
  readonly takeOutcome: (envelope: Envelope) => void;
  readonly takePipeOutcome: (message: () => Tagged, causes: readonly Cause[], trace: string) => void;
  /** There is room again on the way out. */
  readonly resume: () => void;
};

/** Each part holds the causes of the turn that asked for it; each is made when it is first asked for. */
export class Effects {
  readonly #owner: EffectsOwner;
  #timers: CellTimers | null = null;
  #pipes: Pipes | null = null;
  #saves: Saves | null = null;
  #outlet: Outlet | null = null;

  constructor(owner: EffectsOwner) {
    this.#owner = owner;
  }

  /** Ends the timers that the turn sets anew or cancels; what they stood for is the turn's from here on. */
  takeBack({ timers }: MoreAsked): readonly Cause[] {
    return timers.flatMap(({ key }) => this.#timers?.takeBack(key) ?? noCauses);
  }

  begin({ emits, facts, timers, pipes }: MoreAsked, causes: readonly Cause[], trace: string): void {
    const owner = this.#owner;
    const { path, ports } = owner;
    const { bus, store, clock, observer } = ports;
    if (emits.length > 0) this.#outlet ??= createOutlet(path, bus, clock, observer, () => owner.resume());
    for (const record of emits) {
      holdAll(causes);
      this.#outlet?.send(record, causes);
    }
    if (facts.length > 0) this.#saves ??= createSaves(store, clock, observer);
    if (facts.length > 0) this.#saves?.put(facts, causes);
    if (timers.length > 0) this.#timers ??= createTimers(clock, (envelope) => owner.takeOutcome(envelope));
    const lastOfKey = new Map(timers.map((change) => [change.key, change]));
    for (const { key, delayMs, envelope } of lastOfKey.values()) if (envelope) this.#timers?.set(key, delayMs, envelope, causes);
    if (pipes.length > 0) this.#pipes ??= createPipes((...outcome) => owner.takePipeOutcome(...outcome));
    for (const pipe of pipes) this.#pipes?.run(pipe, causes, trace);
  }

  isAboveHighWater(): boolean {
    return this.#outlet?.isAboveHighWater() ?? false;
  }

  /** Pipes that run. */
  running(): number {
    return this.#pipes?.pending() ?? 0;
  }

  /** Nothing runs, is on its way out, or stands for a delivery. */
  isQuiet(): boolean {
    const pending = this.running() + (this.#saves?.pending() ?? 0) + (this.#outlet?.pending() ?? 0);
    return pending === 0 && !this.#timers?.holdCauses();
  }

  /** Resolves when nothing is on its way out. */
  async flushed(): Promise<void> {
    await Promise.all([this.#outlet?.flushed(), this.#saves?.flushed()]);
  }

  /** The incarnation is over: its timers and pipes are nobody's. What is on its way out goes on. */
  abandon(reason: string): void {
    this.#pipes?.abort(reason);
    this.#timers?.abandon(reason);
  }

  /** The cell is over: what is not durable is let go, and its causes will be repeated. */
  close(): void {
    this.#outlet?.close();
    this.#saves?.close();
  }
}

export const hasEffects = ({ emits, facts, timers, pipes }: MoreAsked): boolean =>
  emits.length + facts.length + timers.length + pipes.length > 0;
