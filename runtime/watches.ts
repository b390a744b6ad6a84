/** Who wants to know when which incarnation ends. A watch is told once; it belongs to the watcher's incarnation. */
import type { Cell } from "./cell.ts";
import type { Envelope } from "./envelope.ts";

export type Watches = {
  /** Replaces a watch of the same watcher; told at once when nothing runs at `path`. */
  readonly add: (path: string, watcher: Cell, ended: Envelope) => void;
  readonly remove: (path: string, watcher: Cell) => void;
  /** The watcher's incarnation is over. */
  readonly leave: (watcher: Cell) => void;
  /** The incarnation at `path` is over. */
  readonly ended: (path: string) => void;
};

export const createWatches = (isRunning: (path: string) => boolean): Watches => {
  const watches = new Map<string, Map<Cell, Envelope>>();

  const remove = (path: string, watcher: Cell) => {
    const ofPath = watches.get(path);
    ofPath?.delete(watcher);
    if (ofPath?.size === 0) watches.delete(path);
  };

  return {
    add(path, watcher, ended) {
      if (!isRunning(path)) return watcher.notify(ended);
      const ofPath = watches.get(path) ?? new Map<Cell, Envelope>();
      ofPath.set(watcher, ended);
      watches.set(path, ofPath);
    },
    remove,
    leave(watcher) {
      for (const path of [...watches.keys()]) remove(path, watcher);
    },
    ended(path) {
      const told = watches.get(path);
      watches.delete(path);
      for (const [watcher, notice] of told ?? []) watcher.notify(notice);
    },
  };
};
