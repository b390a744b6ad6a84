/** What is set aside in `<topic>.dlq`: the record as it was, and why. */
import { z } from "zod";
import { Bytes, type Infer, message } from "./message.ts";
import { type TopicDefinition, topic } from "./topic.ts";

export const DeadLetter = message("dead.letter", "A record that could not be processed, unchanged, with the reason.", {
  topic: z.string(),
  partition: z.int().min(0),
  offset: z.int().min(0),
  key: z.string(),
  id: z.string(),
  recordType: z.string(),
  trace: z.string(),
  value: Bytes,
  disposition: z.enum(["poison", "expired", "exhausted", "rejected"]),
  reason: z.string().max(1000),
  attempts: z.int().min(0),
});
export type DeadLetter = Infer<typeof DeadLetter>;

/** The topic for the dead letters of `of`. */
export const deadLettersOf = (of: TopicDefinition<never>): TopicDefinition<DeadLetter> =>
  topic({
    name: `${of.name}.dlq`,
    doc: `Records of ${of.name} that could not be processed.`,
    messages: [DeadLetter],
    partitions: 4,
    retentionMs: 7 * 24 * 3_600_000,
    maxBytes: 1_572_864,
    group: null,
    keyOf: (letter) => letter.key,
    idOf: (letter) => `${letter.partition}/${letter.offset}`,
  });
