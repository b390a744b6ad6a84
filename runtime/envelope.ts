/** What lies in a mailbox: a message's bytes, and what the runtime must know about them without decoding. */
import type { Lease } from "./frame-pool.ts";
import { type Cause, holdAll } from "./settlement.ts";

export type Envelope = {
  readonly type: string;
  readonly key: string;
  readonly trace: string;
  readonly bytes: Uint8Array;
  /** The deliveries that led to this message; none for observations. Set once, when the turn that sent it returns. */
  causes: readonly Cause[];
  readonly lease: Lease | null;
  readonly enqueuedAtMs: number;
};

export const noCauses: readonly Cause[] = Object.freeze([]);

/** Makes the envelope one of the holders of the causes. */
export const causedBy = (envelope: Envelope, causes: readonly Cause[]): Envelope => {
  if (causes.length === 0) return envelope;
  holdAll(causes);
  envelope.causes = causes;
  return envelope;
};
