/** Tracks as their readers know them: always JSON, whatever the other topics are written in; a picture as a data URI. */
import { createCodec } from "../../protocols/codec.ts";
import { TracksEvent, tracksEvents } from "../../protocols/tracks.ts";
import type { RecordForm } from "../../runtime/bus-kafka/records.ts";

export const tracksForm = (): RecordForm => {
  const codec = createCodec([TracksEvent]);
  const encoder = new TextEncoder();
  return {
    contentType: "application/json",
    write(topic, type, bytes) {
      const read = topic === tracksEvents.name && type === TracksEvent.type ? codec.read(type, bytes) : null;
      if (!read?.ok) return null;
      const { type: _, frame_jpeg: picture, ...event } = read.message as TracksEvent; // the codec knows no other message
      const frame = picture ? { frame_jpeg: `data:image/jpeg;base64,${picture.toBase64()}` } : {};
      return encoder.encode(JSON.stringify({ ...event, ...frame }));
    },
    read: (topic) => ({ unreadable: `${topic} is not read here` }),
  };
};
