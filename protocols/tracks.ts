/** eyes → programs that read tracks (topic `analytics.events`, off unless `kafka.tracksTopic` names one): one event a frame. */
import { z } from "zod";
import { Box } from "./ids.ts";
import { Bytes, type Infer, message } from "./message.ts";
import { topic } from "./topic.ts";

/** The field names are those of the programs that read them, in JSON: see decision 0019. */
export const TracksEvent = message("tracks.event", "What is tracked on one frame of one stream.", {
  stream: z.string().min(1).max(80).describe("The camera's name"),
  frame_id: z.int().min(0).describe("Counts the frames of the stream, from 0 since the process began to see it"),
  tracks: z
    .array(
      z.object({
        track_id: z.int().min(0),
        class_id: z.int().min(-1).max(79).describe("In the order of COCO; -1 for a class that COCO does not have"),
        confidence: z.number().min(0).max(1),
        bbox_xyxy: Box,
      }),
    )
    .max(1000),
  frame_jpeg: Bytes.optional().describe("The frame, where the camera's preview says `bus: true`; in JSON a data URI"),
});
export type TracksEvent = Infer<typeof TracksEvent>;

const tracksEventId = ({ stream, frame_id }: TracksEvent): string => `${stream}/${frame_id}`;

export const tracksEvents = topic({
  name: "analytics.events",
  doc: "What is tracked on each frame, for other programs.",
  messages: [TracksEvent],
  // As few as a broker makes by itself: one that is there already is taken as it is, with more it is made wider.
  partitions: 1,
  retentionMs: 3_600_000,
  maxBytes: 1_048_576,
  group: null,
  keyOf: ({ stream }) => stream,
  idOf: tracksEventId,
  lighter: ({ frame_jpeg: picture, ...event }) => (picture ? event : null),
});
