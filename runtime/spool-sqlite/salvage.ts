/** Takes over from a damaged spool the records that can still be read. */
import type { Database } from "bun:sqlite";
import { openDamaged, readAround } from "../sqlite/salvage.ts";
import { type RowValues, rowColumns } from "./spool-file.ts";

type Row = {
  readonly seq: number;
  readonly lane: string;
  readonly minor: number;
  readonly topic: string;
  readonly key: string;
  readonly id: string;
  readonly type: string;
  readonly trace: string;
  readonly bytes: Uint8Array;
};

/** How many it took over. */
export const salvageSpool = (damagedPath: string, into: Database): number => {
  const damaged = openDamaged(damagedPath, into);
  if (damaged === null) return 0;
  const insert = into.prepare<unknown, RowValues>(
    `INSERT OR IGNORE INTO spooled (${rowColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  let kept = 0;
  const store = into.transaction((rows: readonly Row[]) => {
    for (const { seq, lane, minor, topic, key, id, type, trace, bytes } of rows.filter(isRecord))
      kept += insert.run(seq, lane, minor, topic, key, id, type, trace, bytes).changes;
  });
  try {
    readAround<Row>(damaged, { table: "spooled", columns: rowColumns, key: "seq", keyOf: ({ seq }) => seq }, store);
    return kept;
  } finally {
    damaged.close();
  }
};

/** A spoilt page may also read as rows of anything. */
const isRecord = ({ seq, minor, bytes, ...texts }: Row): boolean =>
  Number.isSafeInteger(seq) &&
  (minor === 0 || minor === 1) &&
  bytes instanceof Uint8Array &&
  Object.values(texts).every((text) => typeof text === "string");
