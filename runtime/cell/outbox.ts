/** What a turn asked for. It is kept back until the handler has returned, and forgotten if the handler throws. */
import type { Tagged } from "../../protocols/message.ts";
import type { Outgoing } from "../bus.ts";
import type { Envelope } from "../envelope.ts";
import type { Fact } from "../store.ts";

export type Pipe = {
  readonly start: (signal: AbortSignal) => Promise<unknown>;
  readonly done: (value: unknown) => Tagged;
  readonly failed: (reason: unknown) => Tagged;
};

export type Told = { readonly path: string; readonly envelope: Envelope };
export type TimerChange = { readonly key: string; readonly delayMs: number; readonly envelope: Envelope | null };
/** `ended` is null to end a watch. */
export type WatchChange = { readonly path: string; readonly ended: Envelope | null };

/** Messages are encoded as they are asked for, so that one which cannot be encoded fails its turn. */
export type Outbox = {
  readonly tells: Told[];
  /** Most turns only pass something on: the rest is made when it is first asked for. */
  more: MoreAsked | null;
};

export type MoreAsked = {
  readonly replies: Told[];
  readonly emits: Outgoing[];
  readonly facts: Fact[];
  readonly timers: TimerChange[];
  readonly pipes: Pipe[];
  readonly children: (() => void)[];
  readonly watches: WatchChange[];
  ends: boolean;
};

export const nothingMore = (): MoreAsked => ({
  replies: [],
  emits: [],
  facts: [],
  timers: [],
  pipes: [],
  children: [],
  watches: [],
  ends: false,
});
