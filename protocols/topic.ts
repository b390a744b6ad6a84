/** A topic: a named, partitioned, retained sequence of messages of one or more kinds. */
import type { Infer, MessageDefinition, Tagged } from "./message.ts";

export type TopicDefinition<M extends Tagged = Tagged> = {
  readonly name: string;
  readonly doc: string;
  readonly messages: readonly MessageDefinition[];
  readonly partitions: number;
  /** `null` keeps the newest record per key for ever (compacted). */
  readonly retentionMs: number | null;
  readonly maxBytes: number;
  readonly group: string | null;
  /** Decides the partition; records of one key stay in order. */
  readonly keyOf: (message: M) => string;
  /** The message without its largest picture, and saying so; null when it has none. For one that is above `maxBytes`. */
  readonly lighter?: (message: M) => Tagged | null;
  /** Deterministic, so that a record written again after a crash is recognised. Unique within a topic. */
  readonly idOf: (message: M) => string;
};

export const topic = <const Definitions extends readonly MessageDefinition[]>(
  spec: Omit<TopicDefinition<Infer<Definitions[number]>>, "messages"> & { readonly messages: Definitions },
): TopicDefinition<Infer<Definitions[number]>> => spec;
