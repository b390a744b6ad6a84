/** Deliveries of toy records, and what became of each. */
import { type Cause, type DeliveryFailure, openCause } from "../../runtime/settlement.ts";

/** `ends` has the keys of those that ended: null for settled, else why they will be repeated. */
export const openCauses = (...keys: string[]) => {
  const ends: Record<string, DeliveryFailure | null> = {};
  const causes: readonly Cause[] = keys.map((key) => openCause(key, (failure) => Object.assign(ends, { [key]: failure })));
  return { causes, ends };
};
