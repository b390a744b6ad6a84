/**
 * The store: small facts by key, with a time to live. Topics are the truth; the store is a cache plus facts that outlive
 * their message. Drivers: `store-memory.ts`, `store-sqlite.ts`, Redis; one contract, `test/support/store-contract.ts`.
 */

export type Fact = {
  /** `area:id`, e.g. `admission:0192…`; at most 200 characters. */
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly ttlMs: number;
};

export type Store = {
  readonly driver: "memory" | "sqlite" | "redis";
  readonly get: (key: string) => Promise<Uint8Array | null>;
  /** Resolves when durable; all or none. A later value of one key replaces the earlier one. */
  readonly put: (facts: readonly Fact[]) => Promise<void>;
  readonly delete: (keys: readonly string[]) => Promise<void>;
  /** Facts whose key starts with `prefix`, by key, at most `limit` (10,000); after the key `after`. Fewer when they pass 32 MiB together. */
  readonly list: (
    prefix: string,
    limit: number,
    after?: string,
  ) => Promise<readonly { readonly key: string; readonly bytes: Uint8Array }[]>;
  readonly health: () => { readonly status: "up" | "away"; readonly detail: string };
  readonly close: () => Promise<void>;
};
