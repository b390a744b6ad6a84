/** What the bus asks of the Worker that has the log file. Topics travel by their number in the file, bytes in one buffer a call. */
import type { TopicState } from "../bus.ts";

export type OffsetCommit = {
  readonly topic: number;
  readonly group: string;
  readonly partition: number;
  readonly offset: number;
};

/** Records stored together or not at all, as `batch.ts` packs them. */
export type PackedBatch = {
  readonly nowMs: number;
  readonly numbers: Uint32Array;
  readonly text: string;
  readonly bytes: ArrayBuffer;
  readonly commits: readonly OffsetCommit[];
};

/** A record that was there already: its index in the batch, and the partition where it is. */
export type Duplicate = { readonly index: number; readonly partition: number };

/** Where the records are, and their bytes back for those who read along. */
export type PackedWritten = {
  readonly places: Float64Array;
  readonly duplicates: readonly Duplicate[];
  readonly bytes: ArrayBuffer;
  readonly usedBytes: number;
};

/** Records that were read, as `columns.ts` packs them. */
export type PackedRead = {
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly keys: readonly string[];
  readonly text: string;
  readonly bytes: ArrayBuffer;
  /** The end of the partition when it was read. */
  readonly next: number;
};

export type TopicSpec = {
  readonly name: string;
  readonly partitions: number;
  readonly retentionMs: number | null;
  readonly group: string | null;
};

export type Opened = {
  readonly unclean: boolean;
  readonly checkMs: number;
  readonly damaged: string | null;
  /** What was found damaged. */
  readonly reason: string | null;
  /** Records taken over from the damaged file. */
  readonly kept: number;
  /** The partitions that could not be read to their end. */
  readonly lost: readonly string[];
};

export type Space = { readonly usedBytes: number; readonly freeBytes: number };

export type LogCalls = {
  readonly open: (args: { readonly directory: string; readonly nowMs: number }) => Opened & Space;
  /** The number and the partitions of each topic; a topic never has fewer partitions than before. */
  readonly ensure: (args: {
    readonly topics: readonly TopicSpec[];
    readonly nowMs: number;
  }) => readonly { readonly number: number; readonly partitions: number }[];
  readonly write: (batch: PackedBatch) => PackedWritten;
  /** At most `limit` records, fewer when they pass `bytesMax`, at least one when there is one. */
  readonly read: (args: {
    readonly topic: number;
    readonly partition: number;
    readonly offset: number;
    readonly limit: number;
    readonly bytesMax: number;
  }) => PackedRead;
  readonly offsetAt: (args: { readonly topic: number; readonly partition: number; readonly sinceMs: number }) => number;
  readonly states: (args: { readonly topic: number }) => readonly TopicState[];
  readonly committed: (args: { readonly topic: number; readonly group: string }) => readonly number[];
  /** The group counts for retention from now on. */
  readonly join: (args: { readonly topic: number; readonly group: string; readonly nowMs: number }) => void;
  /** Removes at most one chunk of what need not be kept; `more` when there may be another. `full` takes what is young, too. */
  readonly prune: (args: {
    readonly nowMs: number;
    readonly full: boolean;
    readonly groupsSinceMs: number;
    readonly joined: readonly { readonly topic: number; readonly group: string }[];
  }) => Space & { readonly more: boolean };
  readonly checkpoint: (args: Record<never, never>) => void;
  readonly close: (args: Record<never, never>) => void;
};
