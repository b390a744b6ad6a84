/**
 * Which records may be what crashes the process (rule 4). Nothing is written for a delivery: a record that crashes the
 * process is never settled, so its partition starts at it again and again. Only when a partition has started three times at one
 * offset, each time after a stop that was not in order, is the record there delivered alone, and each such try is noted before it
 * begins; after three of those it is set aside. A store that is away forgets, and nothing is suspected.
 */
import type { TopicDefinition } from "../../protocols/topic.ts";
import { reasonOf } from "../errors.ts";
import type { CellPorts } from "../ports.ts";

const crashesMax = 3;
const triesMax = 3;
const ttlMs = 24 * 60 * 60_000;

/** `crashes`: starts at this offset after stops that were not in order; `tries`: deliveries alone that did not end. */
type Note = { readonly offset: number; readonly crashes: number; readonly tries: number };

export type Suspects = {
  /** A partition starts at `committed`. */
  readonly began: (partition: number, committed: number) => Promise<void>;
  readonly verdict: (partition: number, offset: number) => "none" | "alone" | "set-aside";
  /** The record is about to be delivered alone. */
  readonly tries: (partition: number) => Promise<void>;
  /** The partition was left in order. */
  readonly left: (partition: number) => Promise<void>;
};

export const createSuspects = (topic: TopicDefinition<never>, group: string, ports: CellPorts): Suspects => {
  const { store, observer } = ports;
  const notes = new Map<number, Note>();
  const keyOf = (partition: number): string => `open:${group}:${topic.name}/${partition}`;

  const attempt = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work();
    } catch (thrown) {
      observer.sendFailed("store", `open records: ${reasonOf(thrown)}`);
      return otherwise;
    }
  };

  const write = (partition: number, note: Note) => {
    notes.set(partition, note);
    const bytes = new TextEncoder().encode(JSON.stringify(note));
    return attempt(() => store.put([{ key: keyOf(partition), bytes, ttlMs }]), undefined);
  };

  return {
    async began(partition, committed) {
      const before = await attempt(async () => readNote(await store.get(keyOf(partition))), null);
      const isSame = before?.offset === committed;
      const crashes = before ? (isSame ? before.crashes : 0) + 1 : 0;
      await write(partition, { offset: committed, crashes, tries: isSame ? before.tries : 0 });
    },
    verdict(partition, offset) {
      const note = notes.get(partition);
      if (!note || note.offset !== offset || note.crashes < crashesMax) return "none";
      return note.tries < triesMax ? "alone" : "set-aside";
    },
    async tries(partition) {
      const note = notes.get(partition);
      if (note) await write(partition, { ...note, tries: note.tries + 1 });
    },
    async left(partition) {
      notes.delete(partition);
      await attempt(() => store.delete([keyOf(partition)]), undefined);
    },
  };
};

const readNote = (bytes: Uint8Array | null): Note | null => {
  if (!bytes) return null;
  try {
    const { offset, crashes, tries } = JSON.parse(new TextDecoder().decode(bytes));
    return [offset, crashes, tries].every(Number.isSafeInteger) ? { offset, crashes, tries } : null;
  } catch {
    return null; // not ours, or damaged: nothing is suspected
  }
};
