/**
 * Which stage may send messages to which. It has no cycle: a stage waits while a target of it is above high water (rule 6),
 * and stages that wait for one another in a circle would wait for ever. Replies, outcomes and timers are no part of it.
 */
import type { ChildSpec } from "./tree.ts";

export type Edge = readonly [from: string, to: string];

export type TellGraph = {
  /** Throws, and adds nothing, when the edges close a cycle. */
  readonly add: (edges: readonly Edge[]) => void;
};

export const createTellGraph = (): TellGraph => {
  let targets = new Map<string, readonly string[]>();

  return {
    add(edges) {
      const next = new Map(targets);
      for (const [from, to] of edges) next.set(from, [...(next.get(from) ?? []), to]);
      for (const [from] of edges) {
        const cycle = wayBack(next, from);
        if (cycle) throw new Error(`stages tell one another in a circle, and could wait for one another: ${cycle.join(" → ")}`);
      }
      targets = next;
    },
  };
};

const wayBack = (targets: ReadonlyMap<string, readonly string[]>, start: string): readonly string[] | null => {
  const seen = new Set<string>();
  const search = (at: string): readonly string[] | null => {
    for (const to of targets.get(at) ?? []) {
      if (to === start) return [at, to];
      if (seen.has(to)) continue;
      seen.add(to);
      const rest = search(to);
      if (rest) return [at, ...rest];
    }
    return null;
  };
  return search(start);
};

/** What the stages below `spec` are wired to. Children of a dynamic supervisor are wired as the first of them is made. */
export const edgesOf = (spec: ChildSpec, path: string): readonly Edge[] => {
  switch (spec.kind) {
    case "stage":
      return [...spec.tells].map((to) => [path, to] as const);
    case "supervisor":
      return spec.children.flatMap((child) => edgesOf(child, `${path}/${child.name}`));
    case "dynamic":
      return [];
  }
};
