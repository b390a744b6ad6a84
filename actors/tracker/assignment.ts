/**
 * One-to-one assignment of least total cost, where anything may also stay alone at a price. The shortest augmenting path
 * method of Jonker and Volgenant (1987) in the rectangular form of Crouse ("On implementing 2D rectangular assignment
 * algorithms", 2016). Pairs are sparse after gating, so each connected component is solved by itself.
 */

export type Pair = { readonly row: number; readonly column: number; readonly cost: number };

/** The column of each row, or -1. A pair is taken only where that costs less than leaving its row alone at `aloneCost`. */
export const assign = (rows: number, columns: number, pairs: readonly Pair[], aloneCost: number): Int32Array => {
  const columnOf = new Int32Array(rows).fill(-1);
  for (const component of componentsOf(rows, columns, pairs)) {
    const [first] = component;
    if (component.length === 1 && first) {
      if (first.cost < aloneCost) columnOf[first.row] = first.column;
    } else solveComponent(component, aloneCost, columnOf);
  }
  return columnOf;
};

/** Pairs by connected component of the graph of rows and columns, in order of their first pair. */
const componentsOf = (rows: number, columns: number, pairs: readonly Pair[]): Pair[][] => {
  const parent = new Int32Array(rows + columns).map((_, index) => index);
  const find = (start: number): number => {
    let node = start;
    for (let up = parent[node] ?? node; up !== node; up = parent[node] ?? node) {
      parent[node] = parent[up] ?? up;
      node = up;
    }
    return node;
  };
  for (const { row, column } of pairs) parent[find(row)] = find(rows + column);
  const byRoot = new Map<number, Pair[]>();
  for (const pair of pairs) {
    const root = find(pair.row);
    const members = byRoot.get(root);
    if (members) members.push(pair);
    else byRoot.set(root, [pair]);
  }
  return [...byRoot.values()];
};

const solveComponent = (pairs: readonly Pair[], aloneCost: number, columnOf: Int32Array): void => {
  const rows = [...new Set(pairs.map((pair) => pair.row))];
  const columns = [...new Set(pairs.map((pair) => pair.column))];
  const rowIndex = new Map(rows.map((row, index) => [row, index]));
  const columnIndex = new Map(columns.map((column, index) => [column, index]));
  // Each row has one column of its own, at the price of staying alone; so every row can be assigned.
  const width = columns.length + rows.length;
  const costs = new Float64Array(rows.length * width).fill(Number.POSITIVE_INFINITY);
  for (const { row, column, cost } of pairs) {
    costs[(rowIndex.get(row) ?? 0) * width + (columnIndex.get(column) ?? 0)] = cost;
  }
  rows.forEach((_, index) => {
    costs[index * width + columns.length + index] = aloneCost;
  });
  const solution = leastCost(costs, rows.length, width);
  rows.forEach((row, index) => {
    columnOf[row] = columns[solution[index] ?? -1] ?? -1;
  });
};

/** The column of each row of a dense matrix that has a finite full assignment and no more rows than columns. */
export const leastCost = (costs: Float64Array, rows: number, columns: number): Int32Array => {
  const rowPrice = new Float64Array(rows);
  const columnPrice = new Float64Array(columns);
  const columnOf = new Int32Array(rows).fill(-1);
  const rowOf = new Int32Array(columns).fill(-1);
  const distance = new Float64Array(columns);
  const from = new Int32Array(columns);
  const done = new Uint8Array(columns);
  const visitedRows: number[] = [];

  for (let start = 0; start < rows; start++) {
    distance.fill(Number.POSITIVE_INFINITY);
    done.fill(0);
    visitedRows.length = 0;
    let row = start;
    let reached = 0;
    let sink = -1;
    while (sink < 0) {
      visitedRows.push(row);
      let nearest = -1;
      let nearestDistance = Number.POSITIVE_INFINITY;
      const base = reached - (rowPrice[row] ?? 0);
      for (let column = 0; column < columns; column++) {
        if (done[column]) continue;
        const through = base + (costs[row * columns + column] ?? 0) - (columnPrice[column] ?? 0);
        if (through < (distance[column] ?? 0)) {
          distance[column] = through;
          from[column] = row;
        }
        const here = distance[column] ?? 0;
        // On a tie a free column ends the search.
        if (
          here < nearestDistance ||
          (here === nearestDistance && nearest >= 0 && rowOf[column] === -1 && rowOf[nearest] !== -1)
        ) {
          nearest = column;
          nearestDistance = here;
        }
      }
      if (nearest < 0) throw new Error("cost matrix must have a finite full assignment");
      reached = nearestDistance;
      done[nearest] = 1;
      const owner = rowOf[nearest] ?? -1;
      if (owner < 0) sink = nearest;
      else row = owner;
    }

    rowPrice[start] = (rowPrice[start] ?? 0) + reached;
    for (const visited of visitedRows) {
      if (visited === start) continue;
      rowPrice[visited] = (rowPrice[visited] ?? 0) + reached - (distance[columnOf[visited] ?? 0] ?? 0);
    }
    for (let column = 0; column < columns; column++) {
      if (done[column]) columnPrice[column] = (columnPrice[column] ?? 0) - reached + (distance[column] ?? 0);
    }
    for (let column = sink; ; ) {
      const owner = from[column] ?? 0;
      rowOf[column] = owner;
      const former = columnOf[owner] ?? -1;
      columnOf[owner] = column;
      if (owner === start) break;
      column = former;
    }
  }
  return columnOf;
};
