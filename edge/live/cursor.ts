/**
 * A place in a partitioned topic as text: `partition.offset` pairs in base 36, by comma. Partitions at offset 0 are left out,
 * so the empty cursor is the beginning of everything.
 */
import type { Position } from "../../runtime/bus.ts";

export const formatCursor = (position: Position): string => {
  const pairs: string[] = [];
  for (const [partition, offset] of Object.entries(position)) {
    if (offset > 0) pairs.push(`${Number(partition).toString(36)}.${offset.toString(36)}`);
  }
  return pairs.join(",");
};

/** Null when the text is no cursor. */
export const parseCursor = (text: string): Position | null => {
  if (text === "") return {};
  const position: Record<number, number> = {};
  for (const pair of text.split(",")) {
    const match = /^([0-9a-z]{1,4})\.([0-9a-z]{1,11})$/.exec(pair);
    if (!match) return null;
    const offset = Number.parseInt(match[2] ?? "", 36);
    if (!Number.isSafeInteger(offset)) return null;
    position[Number.parseInt(match[1] ?? "", 36)] = offset;
  }
  return position;
};
