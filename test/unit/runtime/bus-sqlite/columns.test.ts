import { expect, test } from "bun:test";
import fc from "fast-check";
import type { RecordRow } from "../../../../runtime/bus-sqlite/catalog.ts";
import { packRead, unpackRead } from "../../../../runtime/bus-sqlite/columns.ts";

const text = fc.string({ unit: "binary", maxLength: 20 });
const rows: fc.Arbitrary<RecordRow[]> = fc.array(
  fc.record({
    offset: fc.maxSafeNat(),
    at_ms: fc.maxSafeNat(),
    key: text,
    id: text,
    type: text,
    trace: text,
    bytes: fc.uint8Array({ maxLength: 9 }),
  }),
  { maxLength: 6 },
);

test("what the Worker reads arrives as it was, whatever the texts hold", () => {
  const property = fc.property(rows, (given) => {
    const read = structuredClone(packRead(given, 9));
    expect(read.next).toBe(9);
    const records = given.map(({ at_ms, ...row }) => ({ topic: "t", partition: 2, appendedAtMs: at_ms, ...row }));
    expect(unpackRead("t", 2, read)).toEqual(records);
  });
  fc.assert(property);
});
