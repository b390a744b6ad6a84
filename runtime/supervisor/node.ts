/** What every node of a running tree can do, and what it looks like from outside. */

import type { Failure } from "../cell/failure.ts";
import type { Cell, MailboxView } from "../cell.ts";
import type { Envelope } from "../envelope.ts";
import type { CellPorts } from "../ports.ts";
import type { TellGraph } from "../tell-graph.ts";
import type { Restart } from "../tree.ts";
import type { Phase } from "./phases.ts";

export type NodeState = "starting" | "running" | "restarting" | "stopped";

/** The tree as people see it, at `/api/system`. */
export type SystemNode = {
  readonly name: string;
  readonly state: NodeState;
  readonly restarts: number;
  readonly restartsLeft: number | null;
  readonly lastError?: string;
  readonly mailbox?: MailboxView;
  /** Of a stage that takes a topic: records in work, and how long the oldest has been. */
  readonly takes?: { readonly topic: string; readonly inWork: number; readonly oldestMs: number };
  readonly children: readonly SystemNode[];
};

export type TreeNode = {
  readonly path: string;
  readonly restart: Restart;
  readonly start: () => Promise<void>;
  /** Ends incarnations, keeps mailboxes; `start` may follow. */
  readonly halt: (reason: string) => Promise<void>;
  /** One phase of the end for good. They come in order, each once; waiting lasts until `deadlineMs` of the monotonic clock. */
  readonly end: (phase: Phase, reason: string, deadlineMs: number) => Promise<void>;
  readonly snapshot: () => Omit<SystemNode, "restartsLeft">;
  readonly cells: () => readonly Cell[];
};

/** Which cell messages for one path go to; null for none. */
export type Route = { readonly cellOf: (envelope: Envelope) => Cell | null };

export type NodePorts = CellPorts & {
  readonly routes: Map<string, Route>;
  readonly dynamics: Map<
    string,
    { readonly startChild: (key: string, args: unknown) => void; readonly stopChild: (key: string) => void }
  >;
  readonly tellGraph: TellGraph;
};

export type OnFailure = (failure: Failure) => void;

/** JSON has no infinity: no limit is null. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
