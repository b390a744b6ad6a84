/** What a cell tells of its incarnation's end, and to whom. */

/** Why an incarnation is over. `isOrderly` when the actor itself asked for its end. */
export type Failure = {
  readonly path: string;
  /** Of the keyed stage's instance; empty elsewhere. */
  readonly key: string;
  readonly reason: string;
  readonly causeKeys: readonly string[];
  readonly isOrderly?: boolean;
};

/** Who decides what follows when an incarnation is over. */
export type CellOwner = { readonly cellFailed: (failure: Failure) => void };
