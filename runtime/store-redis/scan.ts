/** Names of facts in order. Redis keeps no order of keys: the whole database is scanned, with as much memory as one page takes. */

/** One step of `SCAN`: the next cursor, "0" at the end, and some keys; a key may come twice. */
type Scan = (cursor: string, match: string, count: number) => Promise<[cursor: string, keys: string[]]>;

const stepKeys = 1_000;

/** What a pattern of Redis would take for a sign. */
const literal = (text: string): string => text.replace(/[\\*?[\]]/g, "\\$&");

/** The first `limit` names that start with `prefix` and come after `after`. They stand in Redis behind `area`. */
export const keysOf = async (scan: Scan, area: string, prefix: string, limit: number, after: string): Promise<string[]> => {
  const match = `${literal(area + prefix)}*`;
  let found = new Set<string>();
  const firstOnes = () => [...found].toSorted().slice(0, limit);
  let cursor = "0";
  do {
    const [next, keys] = await scan(cursor, match, stepKeys);
    for (const key of keys) {
      const name = key.slice(area.length);
      if (name > after) found.add(name);
    }
    if (found.size > 2 * limit + stepKeys) found = new Set(firstOnes());
    cursor = next;
  } while (cursor !== "0");
  return firstOnes();
};
