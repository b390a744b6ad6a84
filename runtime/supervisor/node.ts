/** What every node of a running tree can do, and what it looks like from outside. */
import type { Cell, Failure } from "../cell.ts";
import type { Envelope } from "../envelope.ts";
import type { CellPorts } from "../ports.ts";

export type NodeState = "starting" | "running" | "restarting" | "stopped";

/** The tree as people see it, at `/api/system`. */
export type SystemNode = {
  readonly name: string;
  readonly state: NodeState;
  readonly restarts: number;
  readonly restartsLeft: number | null;
  readonly lastError?: string;
  readonly mailbox?: { readonly depth: number; readonly bytes: number; readonly oldestMs: number; readonly dropped: number };
  /** Of a stage that takes a topic: records in work, and how long the oldest has been. */
  readonly takes?: { readonly topic: string; readonly inWork: number; readonly oldestMs: number };
  readonly children: readonly SystemNode[];
};

export type TreeNode = {
  readonly path: string;
  readonly start: () => Promise<void>;
  /** Ends incarnations, keeps mailboxes; `start` may follow. */
  readonly halt: (reason: string) => Promise<void>;
  /** Sources first: no new work is taken, work in hand is finished until `deadlineMs` of the monotonic clock, then the node ends. */
  readonly stop: (reason: string, deadlineMs: number) => Promise<void>;
  readonly snapshot: () => Omit<SystemNode, "restartsLeft">;
  readonly cells: () => readonly Cell[];
};

export type NodePorts = CellPorts & {
  /** Where messages for a path go. */
  readonly routes: Map<string, (envelope: Envelope) => Cell | null>;
  readonly dynamics: Map<
    string,
    { readonly startChild: (key: string, args: unknown) => void; readonly stopChild: (key: string) => void }
  >;
};

export type OnFailure = (failure: Failure) => void;

/** JSON has no infinity: no limit is null. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
