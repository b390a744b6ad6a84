/** Re-reads a stage's own output, so that it knows after a restart what it has said (rule 10). */
import type { Codec } from "../protocols/codec.ts";
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus } from "./bus.ts";
import { type Holdings, holds } from "./holdings.ts";

const batch = 1_000;
const messagesMax = 100_000;

/** With `held`, only what belongs to those keys. */
export const recentMessages = async <M extends Tagged>(
  bus: Bus,
  codec: Codec,
  topic: TopicDefinition<M>,
  sinceMs: number,
  held: Holdings | null = null,
): Promise<readonly M[]> => {
  const messages: M[] = [];
  const states = await bus.states(topic.name);
  // Keys lie in the same partition of every topic that has as many.
  const isElsewhere = (partition: number) => held !== null && held.of === states.length && !held.partitions.has(partition);
  for (const { partition, next } of states) {
    if (isElsewhere(partition)) continue;
    let offset = await bus.offsetAt(topic.name, partition, sinceMs);
    while (offset < next && messages.length < messagesMax) {
      const records = await bus.read(topic.name, partition, offset, batch);
      for (const { type, key, bytes } of records) {
        if (held !== null && !holds(held, key)) continue;
        const read = codec.read(type, bytes);
        if (read.ok) messages.push(read.message as M); // the codec knows what this topic carries
      }
      const last = records.at(-1);
      if (!last) break;
      offset = last.offset + 1;
    }
  }
  return messages;
};
