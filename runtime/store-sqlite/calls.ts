/** What the store asks of the Worker that has its file. */

export type StoredFact = { readonly key: string; readonly bytes: Uint8Array; readonly expiresAtMs: number };
/** Done in order, all or none. */
export type Change = { readonly put: readonly StoredFact[] } | { readonly delete: readonly string[] };
export type Listed = { readonly key: string; readonly bytes: Uint8Array };

export type StoreCalls = {
  readonly open: (args: { readonly directory: string; readonly nowMs: number }) => {
    readonly unclean: boolean;
    readonly checkMs: number;
    readonly damaged: string | null;
    /** What was found damaged. */
    readonly reason: string | null;
    /** Facts taken over from the damaged file. */
    readonly kept: number;
    readonly facts: number;
  };
  readonly get: (args: { readonly key: string; readonly nowMs: number }) => Uint8Array | null;
  readonly list: (args: {
    readonly prefix: string;
    readonly limit: number;
    readonly after: string;
    readonly nowMs: number;
  }) => readonly Listed[];
  readonly write: (args: { readonly changes: readonly Change[] }) => void;
  /** Removes at most one chunk of expired facts, and says whether it found any. */
  readonly prune: (args: { readonly nowMs: number }) => boolean;
  readonly checkpoint: (args: Record<never, never>) => void;
  readonly close: (args: Record<never, never>) => void;
};
