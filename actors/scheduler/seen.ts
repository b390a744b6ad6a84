/** Tasks that have their result, so that a record delivered again is not assessed again. Bounded by number and age. */

export type SeenTasks = {
  readonly add: (taskId: string, nowMs: number) => void;
  readonly has: (taskId: string, nowMs: number) => boolean;
  readonly size: () => number;
};

export const createSeenTasks = (most: number, ttlMs: number): SeenTasks => {
  const seenAtMs = new Map<string, number>(); // oldest first
  return {
    add(taskId, nowMs) {
      seenAtMs.delete(taskId);
      seenAtMs.set(taskId, nowMs);
      for (const [oldest, atMs] of seenAtMs) {
        if (seenAtMs.size <= most && atMs > nowMs - ttlMs) return;
        seenAtMs.delete(oldest);
      }
    },
    has(taskId, nowMs) {
      const atMs = seenAtMs.get(taskId);
      return atMs !== undefined && atMs > nowMs - ttlMs;
    },
    size: () => seenAtMs.size,
  };
};
