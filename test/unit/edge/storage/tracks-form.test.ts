import { expect, test } from "bun:test";
import { tracksForm } from "../../../../edge/storage/tracks-form.ts";
import { createCodec } from "../../../../protocols/codec.ts";
import { TracksEvent, tracksEvents } from "../../../../protocols/tracks.ts";
import sample from "../../../fixtures/seed/kafka-tracks.json" with { type: "json" };

const codec = createCodec([TracksEvent]);
const form = tracksForm();
const event: TracksEvent = {
  ...{ type: "tracks.event", stream: "camera-1", frame_id: 12_345, frame_jpeg: new Uint8Array([255, 216, 255, 217]) },
  tracks: [{ track_id: 7, class_id: 0, confidence: 0.91, bbox_xyxy: [105.2, 88.7, 240.5, 320.1] }],
};
const written = (given: TracksEvent): unknown =>
  JSON.parse(new TextDecoder().decode(form.write(tracksEvents.name, given.type, codec.encode(given)) ?? new Uint8Array()));

test("an event is written as the sample has it, field for field", () => {
  expect(written(event)).toEqual(sample);
});

test("without a picture there is no such field", () => {
  const { frame_jpeg: _, ...bare } = event;
  const { frame_jpeg: __, ...expected } = sample;
  expect(written(bare)).toEqual(expected);
});

test("other topics have no such form, and what is no event goes out as it is", () => {
  expect(form.write("incidents", event.type, codec.encode(event))).toBeNull();
  expect(form.write(tracksEvents.name, event.type, new Uint8Array([1]))).toBeNull();
});

test("an event that is too large goes without its picture", () => {
  const { frame_jpeg: _, ...bare } = event;
  expect(tracksEvents.lighter?.(event)).toEqual(bare);
  expect(tracksEvents.lighter?.(bare)).toBeNull();
});
