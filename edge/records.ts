/** Records of a topic by what they are about, looked for from the moment of capture on. */
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus, BusRecord } from "../runtime/bus.ts";
import { partitionOf } from "../runtime/partition.ts";

export type Search = {
  readonly fromMs: number;
  /** Nothing appended later is looked at. */
  readonly untilMs: number;
  readonly wants: (record: BusRecord) => boolean;
  /** Nothing more is looked for. */
  readonly isEnough: (found: readonly BusRecord[]) => boolean;
  /** Of each partition. */
  readonly readMax: number;
};

/** Clocks of machines differ, and a frame may be captured by one and appended by another. */
const skewMs = 5_000;
const batch = 100;

/** Of the key's partition, or of all. What is found is a copy. */
export const findRecords = async (
  bus: Bus,
  topic: TopicDefinition<never>,
  key: string | null,
  { fromMs, untilMs, wants, isEnough, readMax }: Search,
): Promise<readonly BusRecord[]> => {
  const states = await bus.states(topic.name);
  const own = key === null ? null : partitionOf(key, states.length);
  const found: BusRecord[] = [];
  for (const { partition, next } of states) {
    if (own !== null && partition !== own) continue;
    let offset = await bus.offsetAt(topic.name, partition, fromMs - skewMs);
    for (let read = 0; offset < next && read < readMax; ) {
      const records = await bus.read(topic.name, partition, offset, batch);
      // What is read is a view on the bytes of a whole batch.
      found.push(...records.filter(wants).map((record) => ({ ...record, bytes: record.bytes.slice() })));
      const last = records.at(-1);
      if (!last || isEnough(found) || last.appendedAtMs > untilMs) break;
      read += records.length;
      offset = last.offset + 1;
    }
  }
  return found;
};
