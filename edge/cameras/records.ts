/** Reads a compacted topic from its beginning to its end as it is now. */
import type { Bus, BusRecord, Position } from "../../runtime/bus.ts";

const batch = 500;

/** The position after the last record that was read, with every partition named. */
export const readAll = async (bus: Bus, topic: string, take: (record: BusRecord) => void): Promise<Position> => {
  const position: Record<number, number> = {};
  for (const { partition, oldest, next } of await bus.states(topic)) {
    let offset = oldest;
    while (offset < next) {
      const records = await bus.read(topic, partition, offset, batch);
      const last = records.at(-1);
      if (!last) break; // what lay between was compacted away
      for (const record of records) take(record);
      offset = last.offset + 1;
    }
    position[partition] = Math.max(offset, next);
  }
  return position;
};
