/** What a fact may be, in every store. */
import { Fault } from "./errors.ts";
import type { Fact } from "./store.ts";

export const keyMax = 200;
export const valueBytesMax = 1_048_576;
export const listMax = 10_000;

export const refuseOversizedFact = ({ key, bytes }: Fact): void => {
  if (key.length > keyMax)
    throw new Fault("too_large", `the key ${key.slice(0, keyMax)}… has ${key.length} characters, at most ${keyMax} are taken`);
  if (bytes.length > valueBytesMax)
    throw new Fault("too_large", `the fact ${key} has ${bytes.length} bytes, at most ${valueBytesMax} are taken`, {
      details: { key, bytes: bytes.length, maxBytes: valueBytesMax },
    });
};

/** When a fact expires; what is kept for ever has an integer too. */
export const expiryMs = (nowMs: number, ttlMs: number): number => Math.min(Number.MAX_SAFE_INTEGER, Math.floor(nowMs + ttlMs));
