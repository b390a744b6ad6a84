/**
 * Grouping as the first systems did it: the distance of each pair of centres, and a union-find over those that are near. The
 * groups are those of `groupObjects` with its defaults.
 */
import { describeGroup, type Group, type Groupable, groupingDefaults } from "../../actors/clusterer/grouping.ts";

export const groupByAllPairs = (objects: readonly Groupable[]): Group[] => {
  const { distancePx, minMembers } = groupingDefaults;
  const parent = objects.map((_, index) => index);
  const find = (index: number): number => {
    let root = index;
    while (parent[root] !== root) root = parent[root] ?? root;
    return root;
  };
  const centres = objects.map(({ bbox: [x1, y1, x2, y2] }) => [(x1 + x2) / 2, (y1 + y2) / 2] as const);
  for (const [a, [ax, ay]] of centres.entries()) {
    for (let b = a + 1; b < centres.length; b++) {
      const [bx, by] = centres[b] ?? [0, 0];
      if (Math.hypot(ax - bx, ay - by) > distancePx) continue;
      const [one, other] = [find(a), find(b)];
      parent[Math.max(one, other)] = Math.min(one, other);
    }
  }
  const members = Map.groupBy(objects.keys(), find);
  return [...members.values()].filter(({ length }) => length >= minMembers).map((indices) => describeGroup(objects, indices));
};
