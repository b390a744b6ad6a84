/**
 * The store on a Redis, shared by every process of a system. What is put is as durable as that server is set up to be
 * (`appendfsync`); what has expired the server forgets by itself, by its own clock.
 *
 * A fact's key is `vedette:fact:` and its own name, beside the keys that are written for other programs.
 */
import type { Redis } from "ioredis";
import { Fault } from "./errors.ts";
import { listMax, refuseOversizedFact } from "./fact-limits.ts";
import type { Fact, Store } from "./store.ts";
import type { RedisConnection } from "./store-redis/connection.ts";
import { keysOf } from "./store-redis/scan.ts";

const factPrefix = "vedette:fact:";
/** Redis counts in 64 bits and adds the time of day: what is kept longer is kept for good. */
const ttlMaxMs = 100 * 365 * 86_400_000;
const pageBytesMax = 32 * 2 ** 20;
const chunkBytes = 4 * 2 ** 20;
const chunkKeysMax = 1_000;

/** `connection` closes with the store. */
export const createRedisStore = (connection: RedisConnection): Store => {
  const { run } = connection;

  return {
    driver: "redis",

    async get(key) {
      const bytes = await run("read", 0, (client) => client.getBuffer(factPrefix + key));
      return bytes === null ? null : new Uint8Array(bytes);
    },

    async put(facts) {
      for (const fact of facts) refuseOversizedFact(fact);
      if (facts.length === 0) return;
      const copies = facts.map(({ key, bytes, ttlMs }) => ({ key, bytes: Buffer.from(bytes), ttlMs }));
      const size = copies.reduce((sum, { bytes }) => sum + bytes.length, 0);
      await run("write", size, (client) => write(client, copies));
    },

    async delete(keys) {
      if (keys.length > 0) await run("write", 0, (client) => client.del(...keys.map((key) => factPrefix + key)));
    },

    async list(prefix, limit, after = "") {
      const wanted = Math.min(limit, listMax);
      const scan = (cursor: string, match: string, count: number) =>
        run("read", 0, (client) => client.scan(cursor, "MATCH", match, "COUNT", count));
      const keys = await keysOf(scan, factPrefix, prefix, wanted, after);
      return valuesOf(connection, keys);
    },

    health: connection.health,
    close: connection.close,
  };
};

type Copy = Fact & { readonly bytes: Buffer };

/** All or none: more than one fact goes as a transaction. */
const write = async (client: Redis, facts: readonly Copy[]): Promise<void> => {
  const [only] = facts;
  if (only && facts.length === 1) {
    await (endsBefore(only)
      ? client.del(factPrefix + only.key)
      : client.set(factPrefix + only.key, only.bytes, "PX", ttlOf(only)));
    return;
  }
  const transaction = client.multi();
  for (const fact of facts) {
    if (endsBefore(fact)) transaction.del(factPrefix + fact.key);
    else transaction.set(factPrefix + fact.key, fact.bytes, "PX", ttlOf(fact));
  }
  const answers = await transaction.exec();
  if (answers === null) throw new Fault("unavailable", "the server did not carry the transaction out");
  for (const [error] of answers) if (error) throw error;
};

const endsBefore = ({ ttlMs }: Fact): boolean => ttlMs < 1;
const ttlOf = ({ ttlMs }: Fact): number => Math.floor(Math.min(ttlMs, ttlMaxMs));

/** Their facts, in chunks whose size follows what came so far; what has expired since the scan is left out. */
const valuesOf = async ({ run }: RedisConnection, keys: readonly string[]): Promise<{ key: string; bytes: Uint8Array }[]> => {
  const found: { key: string; bytes: Uint8Array }[] = [];
  let bytesRead = 0;
  let chunk = 4;
  for (let index = 0; index < keys.length && bytesRead < pageBytesMax; ) {
    const asked = keys.slice(index, index + chunk);
    const values = await run("read", 0, (client) => client.mgetBuffer(...asked.map((key) => factPrefix + key)));
    for (const [at, key] of asked.entries()) {
      const value = values[at];
      if (!value) continue;
      found.push({ key, bytes: new Uint8Array(value) });
      bytesRead += value.length;
    }
    index += asked.length;
    const meanBytes = Math.max(1, bytesRead / index);
    chunk = Math.max(1, Math.min(chunkKeysMax, Math.floor(chunkBytes / meanBytes)));
  }
  return found;
};
