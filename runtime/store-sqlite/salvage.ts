/** Takes over from a damaged store the facts that can still be read. */
import type { Database } from "bun:sqlite";
import { openDamaged, readAround } from "../sqlite/salvage.ts";

type FactRow = { readonly number: number; readonly key: string; readonly expires_ms: number; readonly bytes: Uint8Array };

/** How many it took over. */
export const salvageFacts = (damagedPath: string, into: Database): number => {
  const damaged = openDamaged(damagedPath, into);
  if (damaged === null) return 0;
  const insert = into.prepare<unknown, [number, string, number, Uint8Array]>("INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?)");
  let kept = 0;
  const store = into.transaction((rows: readonly FactRow[]) => {
    for (const { number, key, expires_ms, bytes } of rows.filter(isFact))
      kept += insert.run(number, key, expires_ms, bytes).changes;
  });
  try {
    readAround<FactRow>(
      damaged,
      { table: "facts", columns: "number, key, expires_ms, bytes", key: "number", keyOf: ({ number }) => number },
      store,
    );
    return kept;
  } finally {
    damaged.close();
  }
};

/** A spoilt page may also read as rows of anything. */
const isFact = ({ number, key, expires_ms, bytes }: FactRow): boolean =>
  Number.isSafeInteger(number) && typeof key === "string" && Number.isSafeInteger(expires_ms) && bytes instanceof Uint8Array;
