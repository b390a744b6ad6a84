/** Re-reads a stage's own output, so that it knows after a restart what it has said (design rule 10). */
import type { Codec } from "../protocols/codec.ts";
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus } from "./bus.ts";

const batch = 1_000;
const messagesMax = 100_000;

export const recentMessages = async <M extends Tagged>(
  bus: Bus,
  codec: Codec,
  topic: TopicDefinition<M>,
  sinceMs: number,
): Promise<readonly M[]> => {
  const messages: M[] = [];
  for (const { partition, next } of await bus.states(topic.name)) {
    let offset = await bus.offsetAt(topic.name, partition, sinceMs);
    while (offset < next && messages.length < messagesMax) {
      const records = await bus.read(topic.name, partition, offset, batch);
      for (const { type, bytes } of records) {
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
