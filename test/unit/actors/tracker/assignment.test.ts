import { expect, test } from "bun:test";
import fc from "fast-check";
import { assign, leastCost, type Pair } from "../../../../actors/tracker/assignment.ts";

/** Tries every choice: the least total cost, a row without a column costing `aloneCost`. */
const leastTotal = (rows: number, pairs: readonly Pair[], aloneCost: number, row = 0, taken = new Set<number>()): number => {
  if (row === rows) return 0;
  let least = aloneCost + leastTotal(rows, pairs, aloneCost, row + 1, taken);
  for (const pair of pairs) {
    if (pair.row !== row || taken.has(pair.column)) continue;
    taken.add(pair.column);
    least = Math.min(least, pair.cost + leastTotal(rows, pairs, aloneCost, row + 1, taken));
    taken.delete(pair.column);
  }
  return least;
};

const totalOf = (columnOf: Int32Array, pairs: readonly Pair[], aloneCost: number): number =>
  [...columnOf].reduce((sum, column, row) => {
    if (column < 0) return sum + aloneCost;
    const pair = pairs.find((each) => each.row === row && each.column === column);
    return sum + (pair?.cost ?? Number.NaN);
  }, 0);

const problem = fc
  .record({ rows: fc.integer({ min: 1, max: 6 }), columns: fc.integer({ min: 1, max: 6 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      pairs: fc.uniqueArray(
        fc.record({
          row: fc.integer({ min: 0, max: rows - 1 }),
          column: fc.integer({ min: 0, max: columns - 1 }),
          // Sixteenths: sums are exact, and ties are frequent.
          cost: fc.integer({ min: 0, max: 24 }).map((sixteenths) => sixteenths / 16),
        }),
        { selector: ({ row, column }) => `${row},${column}` },
      ),
    }),
  );

test("costs as little as the best of all choices, uses no column twice and only given pairs", () => {
  fc.assert(
    fc.property(problem, ({ rows, columns, pairs }) => {
      const columnOf = assign(rows, columns, pairs, 1);
      const used = [...columnOf].filter((column) => column >= 0);
      expect(new Set(used).size).toBe(used.length);
      expect(totalOf(columnOf, pairs, 1)).toBe(leastTotal(rows, pairs, 1));
    }),
    { numRuns: 500 },
  );
});

test("gives up the best pair where that serves the whole", () => {
  const pairs = [
    { row: 0, column: 0, cost: 0.1 },
    { row: 0, column: 1, cost: 0.2 },
    { row: 1, column: 0, cost: 0.2 },
  ];
  expect([...assign(2, 2, pairs, 1)]).toEqual([1, 0]);
});

test("leaves a row alone rather than take a dearer pair", () => {
  expect([...assign(2, 1, [{ row: 1, column: 0, cost: 1.5 }], 1)]).toEqual([-1, -1]);
});

test("has nothing to assign where there are no pairs", () => {
  expect([...assign(2, 0, [], 1)]).toEqual([-1, -1]);
  expect([...assign(0, 3, [], 1)]).toEqual([]);
});

test("refuses a matrix without a finite full assignment", () => {
  expect(() => leastCost(new Float64Array([Number.POSITIVE_INFINITY]), 1, 1)).toThrow("finite full assignment");
});
