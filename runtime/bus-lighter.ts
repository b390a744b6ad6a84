/** Makes records fit their topics before any driver sees them: the largest pictures go first, and the message says so. */
import type { Codec } from "../protocols/codec.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus, Outgoing } from "./bus.ts";

/** What key, headers and the format add on a wire. */
const overheadBytes = 2_048;
const stepsMax = 500;

export type LighterPorts = {
  readonly codec: Codec;
  readonly topics: readonly TopicDefinition<never>[];
  /** A picture was left out of a record of this topic. */
  readonly omitted: (topic: string) => void;
};

/** A record that is too large even without pictures goes on as it is, and is refused by the driver. */
export const lightened = (bus: Bus, { codec, topics, omitted }: LighterPorts): Bus => {
  const byName = new Map(topics.map((topic) => [topic.name, topic]));

  const fit = (record: Outgoing): Outgoing => {
    const topic = byName.get(record.topic);
    const maxBytes = (topic?.maxBytes ?? 0) - overheadBytes;
    if (!topic?.lighter || record.bytes.length <= maxBytes) return record;
    const read = codec.read(record.type, record.bytes);
    if (!read.ok) return record;
    let message = read.message;
    for (let step = 0; step < stepsMax; step++) {
      const lighter = topic.lighter(message as never); // the topic carries this type
      if (lighter === null) return record;
      omitted(topic.name);
      message = lighter;
      const bytes = codec.encode(message);
      if (bytes.length <= maxBytes) return { ...record, bytes };
    }
    return record;
  };

  return { ...bus, append: (records) => bus.append(records.map(fit)) };
};
