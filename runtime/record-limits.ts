/** What a record may be, in every driver. */
import type { Outgoing } from "./bus.ts";
import { Fault } from "./errors.ts";

/** Characters of an id, a key, a type and a trace. */
export const recordTextMax = 512;

/** Refuses a record that its topic does not carry. */
export const refuseOversized = (record: Outgoing, maxBytes: number): void => {
  const { topic, id, bytes } = record;
  if (bytes.length > maxBytes)
    throw new Fault(
      "too_large",
      `record ${id.slice(0, recordTextMax)} has ${bytes.length} bytes, ${topic} takes at most ${maxBytes}`,
      {
        details: { topic, id, bytes: bytes.length, maxBytes },
      },
    );
  for (const field of ["id", "key", "type", "trace"] as const) {
    const { length } = record[field];
    if (length > recordTextMax)
      throw new Fault(
        "invalid_field",
        `the ${field} of a record of ${topic} has ${length} characters, at most ${recordTextMax} are taken`,
        {
          details: { topic, field, length },
        },
      );
  }
};
