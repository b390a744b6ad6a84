/** Putting a record that was set aside back into its topic: what the route and the command have in common. */
import { createCodec } from "../protocols/codec.ts";
import { DeadLetter } from "../protocols/dead-letter.ts";
import type { BusRecord, Outgoing } from "../runtime/bus.ts";

const codec = createCodec([DeadLetter]);
/** Appended to the id of a record that is put back, which must differ from the first one: its topic still knows that. */
const mark = "~replay-";

/** Null for a record that is no dead letter. */
export const readLetter = (record: BusRecord): DeadLetter | null => {
  const read = codec.read(record.type, record.bytes);
  return read.ok ? (read.message as DeadLetter) : null; // the codec knows no other message
};

/** The record as it was, under an id that follows from its place: one letter put back twice is one record. */
export const replayOf = ({ topic, key, id, recordType, trace, value, partition, offset }: DeadLetter): Outgoing => ({
  ...{ topic, key, type: recordType, trace, bytes: value },
  id: `${id.split(mark)[0]}${mark}${partition}-${offset}`,
});
