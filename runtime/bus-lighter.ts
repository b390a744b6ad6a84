/** Makes records fit their topics before any driver sees them: the largest pictures go first, and the message says so. */
import type { Codec } from "../protocols/codec.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus, Outgoing } from "./bus.ts";

/** What key, headers and the format add on a wire. */
const overheadBytes = 2_048;
const stepsMax = 500;
/** No other form takes more than so many times the bytes, so that most records need not be measured in it. */
const growthMax = 3;

export type LighterPorts = {
  readonly codec: Codec;
  readonly topics: readonly TopicDefinition<never>[];
  /** How large a value is where the driver writes it in another form; as many bytes as it has, when left out. */
  readonly wireBytes?: (record: Outgoing) => number;
  /** A picture was left out of a record of this topic. */
  readonly omitted: (topic: string) => void;
};

/** A record that is too large even without pictures goes on as it is, and is refused by the driver. */
export const lightened = (bus: Bus, { codec, topics, wireBytes, omitted }: LighterPorts): Bus => {
  const byName = new Map(topics.map((topic) => [topic.name, topic]));

  const fits = (record: Outgoing, maxBytes: number): boolean => {
    if (!wireBytes || record.bytes.length * growthMax <= maxBytes) return record.bytes.length <= maxBytes;
    return wireBytes(record) <= maxBytes;
  };

  const fit = (record: Outgoing): Outgoing => {
    const topic = byName.get(record.topic);
    const maxBytes = (topic?.maxBytes ?? 0) - overheadBytes;
    if (!topic?.lighter || fits(record, maxBytes)) return record;
    const read = codec.read(record.type, record.bytes);
    if (!read.ok) return record;
    let message = read.message;
    for (let step = 0; step < stepsMax; step++) {
      const lighter = topic.lighter(message as never); // the topic carries this type
      if (lighter === null) return record;
      omitted(topic.name);
      message = lighter;
      const lightest = { ...record, bytes: codec.encode(message) };
      if (fits(lightest, maxBytes)) return lightest;
    }
    return record;
  };

  return { ...bus, append: (records) => bus.append(records.map(fit)) };
};
