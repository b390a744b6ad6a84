import { expect, test } from "bun:test";
import { seedingOf } from "../../../../edge/cameras/seeding.ts";
import type { CameraRecord, CameraSettings } from "../../../../protocols/camera.ts";

const seed = (id: number, url = "sim://junction?seed=1"): CameraSettings => ({
  id,
  name: `c${id}`,
  url,
  fps: 2,
  loop: false,
  enabled: true,
});
const record = (id: number, overrides: Partial<CameraRecord> = {}): CameraRecord => ({
  type: "camera.record",
  ...seed(id),
  ownerEpoch: 3,
  deleted: false,
  configured: true,
  ...overrides,
});
const told = (seeds: CameraSettings[], records: CameraRecord[]) => {
  const { write, overruled } = seedingOf(seeds, records);
  return { write: write.map(({ id, ownerEpoch, deleted, url }) => [id, ownerEpoch, deleted, url]), overruled };
};

test.each<[string, CameraSettings[], CameraRecord[], ReturnType<typeof told>]>([
  ["a camera without a record is written", [seed(1)], [], { write: [[1, 0, false, seed(1).url]], overruled: [] }],
  ["one that is as configured is left alone", [seed(1)], [record(1)], { write: [], overruled: [] }],
  [
    "an edited address is followed",
    [seed(1, "rtsp://a/b")],
    [record(1)],
    { write: [[1, 4, false, "rtsp://a/b"]], overruled: [] },
  ],
  ["one that left the configuration goes", [], [record(1)], { write: [[1, 4, true, seed(1).url]], overruled: [] }],
  ["and comes back with it", [seed(1)], [record(1, { deleted: true })], { write: [[1, 4, false, seed(1).url]], overruled: [] }],
  [
    "what was changed over HTTP stays, and is said",
    [seed(1)],
    [record(1, { configured: false, name: "mine" })],
    { write: [], overruled: [1] },
  ],
  [
    "what was removed over HTTP stays away, and is said",
    [seed(1)],
    [record(1, { configured: false, deleted: true })],
    { write: [], overruled: [1] },
  ],
  ["what was added over HTTP is nobody else's", [], [record(1, { configured: false })], { write: [], overruled: [] }],
])("%s", (_name, seeds, records, expected) => {
  expect(told(seeds, records)).toEqual(expected);
});
