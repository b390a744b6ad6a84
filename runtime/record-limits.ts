/** What a record may be, in every driver. */
import type { Outgoing } from "./bus.ts";
import { Fault } from "./errors.ts";

const textMax = 512;

/** Refuses a record that its topic does not carry. */
export const refuseOversized = (record: Outgoing, maxBytes: number): void => {
  const { topic, id, bytes } = record;
  if (bytes.length > maxBytes)
    throw new Fault("too_large", `record ${id.slice(0, textMax)} has ${bytes.length} bytes, ${topic} takes at most ${maxBytes}`, {
      details: { topic, id, bytes: bytes.length, maxBytes },
    });
  for (const field of ["id", "key", "type", "trace"] as const) {
    const { length } = record[field];
    if (length > textMax)
      throw new Fault(
        "invalid_field",
        `the ${field} of a record of ${topic} has ${length} characters, at most ${textMax} are taken`,
        {
          details: { topic, field, length },
        },
      );
  }
};
