/** A topic as the driver knows it: what was declared, what the configuration says otherwise, what the broker has. */
import type { TopicDefinition } from "../../protocols/topic.ts";

export type TopicOverride = {
  readonly name?: string | undefined;
  readonly partitions?: number | undefined;
  readonly replication?: number | undefined;
  readonly retentionMs?: number | undefined;
  readonly maxBytes?: number | undefined;
};

export type KafkaTopic = {
  readonly definition: TopicDefinition<never>;
  /** What the broker calls it. */
  readonly name: string;
  /** As the broker has them, at least as many as configured. */
  readonly partitions: number;
  readonly replication: number;
  readonly retentionMs: number | null;
  /** Of a record's value. */
  readonly maxBytes: number;
  /** Of a batch as the broker takes it, and so of a record with its key and headers. */
  readonly batchBytes: number;
};

const batchBytesMin = 65_536;
const deadLetterSuffix = ".dlq";

/** With no broker's word yet, the topic is taken to be as configured. */
export const kafkaTopic = (
  definition: TopicDefinition<never>,
  overrides: Readonly<Record<string, TopicOverride | undefined>>,
  replication: number,
): KafkaTopic => {
  const isDeadLetters = definition.name.endsWith(deadLetterSuffix);
  const of = isDeadLetters ? definition.name.slice(0, -deadLetterSuffix.length) : definition.name;
  const override = overrides[of] ?? {};
  // Dead letters share the name and the copies of their topic; their sizes are their own.
  const sizes = isDeadLetters ? {} : override;
  const maxBytes = sizes.maxBytes ?? definition.maxBytes;
  return {
    definition,
    name: isDeadLetters ? `${override.name ?? of}${deadLetterSuffix}` : (override.name ?? of),
    partitions: sizes.partitions ?? definition.partitions,
    replication: override.replication ?? replication,
    retentionMs: definition.retentionMs === null ? null : (sizes.retentionMs ?? definition.retentionMs),
    maxBytes,
    batchBytes: Math.max(maxBytes, batchBytesMin),
  };
};
