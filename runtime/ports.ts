/** What the runtime's parts are handed: the outside world, and the way to one another. */
import type { Codec } from "../protocols/codec.ts";
import type { Tagged } from "../protocols/message.ts";
import type { LoadPorts } from "./actor.ts";
import type { Bus, Outgoing } from "./bus.ts";
import type { Cell } from "./cell.ts";
import type { Clock } from "./clock.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Envelope } from "./envelope.ts";
import type { FramePool } from "./frame-pool.ts";
import type { Log } from "./log.ts";
import type { Observer } from "./observer.ts";
import type { Random } from "./random.ts";
import type { Store } from "./store.ts";
import type { Watches } from "./watches.ts";

/** The outside world of a system. */
export type World = {
  readonly clock: Clock;
  readonly random: Random;
  readonly dispatcher: Dispatcher;
  readonly codec: Codec;
  readonly bus: Bus;
  readonly store: Store;
  /** Other processes take part in the same groups: partitions come and go. */
  readonly isShared?: boolean;
  readonly frames: FramePool;
  readonly log: Log;
  readonly observer: Observer;
  /** What a message is about: picks the instance of a keyed stage, and what "latest per key" means. */
  readonly keyOf: (message: Tagged) => string;
};

export type CellPorts = World & {
  readonly recent: LoadPorts["recent"];
  readonly recentOfAll: LoadPorts["recent"];
  readonly newTrace: () => string;
  /** The record that carries the message; throws when no topic does. */
  readonly recordOf: (message: Tagged, trace: string) => Outgoing;
  /** Hands the envelope to the stage at `path`; a stage that does not exist makes it a dead letter. */
  readonly route: (path: string, envelope: Envelope) => Cell | null;
  /** Gives a question's answer to whoever asked it. */
  readonly reply: (path: string, envelope: Envelope) => void;
  /** Nobody takes the envelope: counted, shown, its lease given back, its causes repeated. */
  readonly deadLetter: (path: string, envelope: Envelope, why: string) => void;
  readonly watches: Watches;
  readonly startChild: (path: string, key: string, args: unknown) => void;
  readonly stopChild: (path: string, key: string) => void;
};
