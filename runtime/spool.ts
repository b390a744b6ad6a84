/** Where records wait for the bus. Driver: `spool-sqlite.ts`; tests have one in memory. */
import type { Outgoing } from "./bus.ts";

/** Records of one lane keep their order; lanes do not wait for one another. */
export type SpooledRecord = Outgoing & {
  readonly lane: string /** Let go before others when room is short. */;
  readonly isMinor: boolean;
};
export type SpoolRow = Outgoing & { readonly seq: number };
export type SpoolSize = { readonly records: number; readonly bytes: number };
/** Records let go for want of room. */
export type LetGo = Pick<SpooledRecord, "type" | "isMinor"> & { readonly count: number };

export type SpoolStore = {
  /** The lanes in which something waited when it was opened. */
  readonly lanes: readonly string[];
  readonly size: () => SpoolSize;
  /** Resolves when durable; rejects with `Fault("unavailable")`. What must be let go for it is told to whoever opened the store. */
  readonly append: (records: readonly SpooledRecord[]) => Promise<void>;
  /** The oldest of a lane, at most `limit`, fewer when they pass `bytesMax`, at least one when there is one. They are not let go until read again. */
  readonly read: (lane: string, limit: number, bytesMax: number) => Promise<readonly SpoolRow[]>;
  /** The records of a lane up to `through` are on the bus. */
  readonly remove: (lane: string, through: number) => Promise<void>;
  readonly close: () => Promise<void>;
};
