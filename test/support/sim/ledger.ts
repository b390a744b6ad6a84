/**
 * What happened in a simulated run, as seen from outside the runtime: the invariants judge by this. A life is what one process
 * knew; the rest outlives processes, as the broker and the store do.
 */
import { decode } from "@msgpack/msgpack";
import type { Codec } from "../../../protocols/codec.ts";
import { resultIdOf } from "../../../protocols/ids.ts";
import { topics } from "../../../protocols/topics.ts";
import { RiskUpdate } from "../../../protocols/verdict.ts";
import type { MailboxPolicy } from "../../../runtime/actor.ts";
import type { BusRecord, Outgoing } from "../../../runtime/bus.ts";

import type { QuotaName } from "./provider.ts";

export type Count = Map<string, number>;

export const addTo = (count: Count, name: string, by = 1): void => void count.set(name, (count.get(name) ?? 0) + by);

/** Where a process stands in a partition that it takes records from. */
export type Taking = { readonly from: number; next: number; committed: number };

export type Life = {
  /** Messages by type: put into a mailbox, handled, lost in a turn that threw, let go. */
  readonly offered: Count;
  readonly handled: Count;
  readonly thrown: Count;
  readonly dropped: Count;
  /** By `topic/partition`. */
  readonly taking: Map<string, Taking>;
  /** The last of each sender's messages in their order. */
  readonly lastSeq: Count;
  /** By stage. */
  readonly policies: Map<string, MailboxPolicy>;
  restarts: number;
};

export const newLife = (): Life => ({
  offered: new Map(),
  handled: new Map(),
  thrown: new Map(),
  dropped: new Map(),
  taking: new Map(),
  lastSeq: new Map(),
  policies: new Map(),
  restarts: 0,
});

/** What became of each group of a detection result, as the task generator writes it down. */
export type Admission = { readonly groupIndex: number; readonly outcome: "task" | "none"; readonly taskId?: string };

export const readAdmission = (bytes: Uint8Array | undefined): readonly Admission[] =>
  bytes ? (decode(bytes) as { groups: Admission[] }).groups : []; // written by the task generator

/** A start that failed has ended all that it began. */
export const beginAgain = (life: Life): void => {
  for (const count of [life.offered, life.handled, life.thrown, life.dropped]) count.clear();
  life.taking.clear();
};

export type Ledger = {
  readonly violations: Set<string>;
  /** Records that some process was told are durable, by `topic/id`. */
  readonly stored: Set<string>;
  /** Facts that some process was told are durable. */
  readonly facts: Map<string, Uint8Array>;
  /** Messages whose last known revision is not the final one. */
  readonly unfinished: Set<string>;
  /** Calls to a model: when each was sent, by quota group and who counts them. */
  readonly sends: Map<string, { readonly group: QuotaName; readonly sentAtMs: number[] }>;
  readonly violated: (says: string) => void;
  readonly sawSend: (group: QuotaName, who: string, atMs: number) => void;
  readonly sawStored: (records: readonly Outgoing[]) => void;
  readonly sawTaken: (life: Life, record: BusRecord) => void;
  readonly sawCommit: (life: Life, topic: string, partition: number, offset: number) => void;
};

const violationsMax = 20;

export const createLedger = (codec: Codec): Ledger => {
  const violations = new Set<string>();
  const stored = new Set<string>();
  const facts = new Map<string, Uint8Array>();
  const unfinished = new Set<string>();
  const taken = new Map<string, BusRecord>();
  const sends: Ledger["sends"] = new Map();

  const violated = (says: string) => {
    if (violations.size < violationsMax) violations.add(says);
  };
  const isStored = (topic: string, id: string) => stored.has(`${topic}/${id}`);

  /** Whether all that the record led to is durable: what a commit says of it. */
  const isDone = (record: BusRecord): boolean => {
    const { topic, partition, offset } = record;
    if (isStored(`${topic}.dlq`, `${partition}/${offset}`)) return true;
    const read = codec.read(record.type, record.bytes);
    if (!read.ok) return false;
    const message = read.message as {
      type: string;
      messageId: string;
      taskId: string;
      requestId: string;
      trafficGroups: unknown[];
    }; // by topic
    if (topic === topics.detections.name) {
      if (message.trafficGroups.length === 0) return true;
      const admission = facts.get(`admission:${message.messageId}`);
      if (!admission) return false;
      return readAdmission(admission).every(({ taskId }) => taskId === undefined || isStored(topics.tasks.name, taskId));
    }
    if (topic === topics.tasks.name) return isStored(topics.results.name, resultIdOf(message.taskId));
    return (
      isStored(topics.incidents.name, `${message.taskId}_update`) || isStored(topics.incidents.name, `${message.requestId}_final`)
    );
  };

  return {
    violations,
    stored,
    facts,
    unfinished,
    sends,
    violated,
    sawSend(group, who, atMs) {
      const known = sends.get(`${group} ${who}`) ?? { group, sentAtMs: [] };
      sends.set(`${group} ${who}`, known);
      known.sentAtMs.push(atMs);
    },
    sawStored(records) {
      for (const record of records) {
        const name = `${record.topic}/${record.id}`;
        if (stored.has(name)) continue;
        stored.add(name);
        if (record.type !== RiskUpdate.type) continue;
        const update = codec.decode(record.type, record.bytes) as unknown as RiskUpdate; // decoded by this type
        if (update.final) {
          unfinished.delete(update.messageId);
          stored.add(`final/${update.messageId}`);
        } else if (!stored.has(`final/${update.messageId}`)) unfinished.add(update.messageId);
      }
    },
    sawTaken(life, record) {
      const { topic, partition, offset } = record;
      const taking = life.taking.get(`${topic}/${partition}`);
      if (!taking || offset !== taking.next)
        violated(`${topic}/${partition}: offset ${offset} came after ${(taking?.next ?? 0) - 1}`);
      if (taking) taking.next = offset + 1;
      taken.set(`${topic}/${partition}/${offset}`, record);
    },
    sawCommit(life, topic, partition, offset) {
      const taking = life.taking.get(`${topic}/${partition}`);
      if (!taking) return; // the bus refuses it
      for (let below = taking.committed; below < offset; below++) {
        const record = taken.get(`${topic}/${partition}/${below}`);
        if (!record || !isDone(record)) violated(`${topic}/${partition}: ${below} was committed before it was done`);
      }
      taking.committed = Math.max(taking.committed, offset);
    },
  };
};
