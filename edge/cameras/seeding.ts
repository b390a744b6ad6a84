/**
 * What the configuration changes about the recorded cameras. A record that came from the configuration follows it; one that
 * was written or removed over HTTP stands above it.
 */
import type { CameraRecord, CameraSettings } from "../../protocols/camera.ts";
import { settingsOf } from "./book.ts";

export type Seeding = {
  readonly write: readonly CameraRecord[];
  /** Configured cameras that are not used as configured, since HTTP had the last word. */
  readonly overruled: readonly number[];
};

const recordOf = (settings: CameraSettings, ownerEpoch: number, deleted: boolean): CameraRecord => ({
  type: "camera.record",
  ...settings,
  ownerEpoch,
  deleted,
  configured: true,
});

const isSame = (record: CameraRecord, seed: CameraSettings): boolean => {
  const recorded: Readonly<Record<string, unknown>> = settingsOf(record);
  const wanted: Readonly<Record<string, unknown>> = seed;
  const fields = new Set([...Object.keys(recorded), ...Object.keys(wanted)]);
  return [...fields].every((field) => JSON.stringify(recorded[field]) === JSON.stringify(wanted[field]));
};

export const seedingOf = (seeds: readonly CameraSettings[], records: readonly CameraRecord[]): Seeding => {
  const recordById = new Map(records.map((record) => [record.id, record]));
  const write: CameraRecord[] = [];
  const overruled: number[] = [];
  for (const seed of seeds) {
    const record = recordById.get(seed.id);
    // Epoch 0 gives a seed the same record id on every node, so nodes that start together write it once.
    if (!record) write.push(recordOf(seed, 0, false));
    else if (record.configured && (record.deleted || !isSame(record, seed)))
      write.push(recordOf(seed, record.ownerEpoch + 1, false));
    else if (!record.configured && (record.deleted || !isSame(record, seed))) overruled.push(seed.id);
  }
  const seeded = new Set(seeds.map(({ id }) => id));
  for (const record of records) {
    if (record.configured && !record.deleted && !seeded.has(record.id))
      write.push(recordOf(settingsOf(record), record.ownerEpoch + 1, true));
  }
  return { write, overruled };
};
