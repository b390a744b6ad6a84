/** What the spool asks of the Worker that has its file. */
import type { LetGo, SpooledRecord, SpoolRow, SpoolSize } from "../spool.ts";

export type Removal = { readonly lane: string; readonly through: number };
/** The records of one append, stored together; or a part of a lane that is on the bus. */
export type Change = { readonly append: readonly SpooledRecord[] } | { readonly remove: Removal };

export type OpenedSpool = {
  readonly lanes: readonly string[];
  readonly size: SpoolSize;
  /** Where a damaged file was moved to, and why. */
  readonly damaged: string | null;
  readonly reason: string | null;
  /** Records taken over from it. */
  readonly kept: number;
};

export type SpoolCalls = {
  readonly open: (args: { readonly directory: string; readonly nowMs: number }) => OpenedSpool;
  readonly write: (args: { readonly changes: readonly Change[]; readonly maxBytes: number; readonly minFreeBytes: number }) => {
    readonly size: SpoolSize;
    readonly letGo: readonly LetGo[];
  };
  readonly read: (args: { readonly lane: string; readonly limit: number; readonly bytesMax: number }) => readonly SpoolRow[];
  readonly checkpoint: (args: Record<never, never>) => void;
  readonly close: (args: Record<never, never>) => void;
};
