/** The fast way of one kind of message: it does what the library does, or declines (undefined) and the library does it. */
import type { MessageDefinition, Tagged } from "../message.ts";
import { composeDecoder } from "./composed-decoder.ts";
import { composeEncoder } from "./composed-encoder.ts";
import { type MessageForm, messageFormOf } from "./form.ts";
import { generateDecoder } from "./generated-decoder.ts";
import { generateEncoder } from "./generated-encoder.ts";
import { type DecodeMessage, open, source } from "./reader.ts";
import { room } from "./writer.ts";

/** `generated` where the host allows it; some edge hosts forbid code made at run time. */
export type Construction = "generated" | "composed";

export type Specialised = {
  readonly encode: (message: Tagged) => Uint8Array | undefined;
  readonly decode: (bytes: Uint8Array) => Tagged | undefined;
  /** Declines also what it cannot vouch for. */
  readonly read: (bytes: Uint8Array) => Tagged | undefined;
};

const generateNothing = (): unknown => new Function("");

/** What this host allows; the same probe as zod's. */
export const preferredConstruction = (probe = generateNothing): Construction => {
  try {
    probe();
    return "generated";
  } catch {
    return "composed"; // a content security policy, or a flag of the host
  }
};

const decoding =
  (decodeAt: DecodeMessage) =>
  (bytes: Uint8Array): Tagged | undefined => {
    open(bytes);
    try {
      const message = decodeAt(0);
      return message !== undefined && source.at === source.end ? (message as Tagged) : undefined; // the decoder puts the type in
    } catch {
      return undefined; // the view ended: a message that is cut off
    }
  };

const declines = (): undefined => undefined;

const specialise = (form: MessageForm, construction: Construction): Specialised => {
  const isGenerated = construction === "generated";
  const decoderOf = isGenerated ? generateDecoder : composeDecoder;
  const encodeAt = isGenerated ? generateEncoder(form) : composeEncoder(form);
  return {
    encode(message) {
      try {
        const end = encodeAt(message, 0);
        return end > 0 && end <= room.length ? room.slice(0, end) : undefined;
      } catch {
        return undefined; // the view ended: a message larger than the room
      }
    },
    decode: decoding(decoderOf(form, false)),
    read: form.isComplete ? decoding(decoderOf(form, true)) : declines,
  };
};

/** Once a definition and construction, however many codecs are made. */
const made = {
  generated: new WeakMap<MessageDefinition, Specialised | null>(),
  composed: new WeakMap<MessageDefinition, Specialised | null>(),
};

/** Null when the schema says what the fast way does not know. */
export const specialisedOf = (definition: MessageDefinition, construction: Construction): Specialised | null => {
  const known = made[construction].get(definition);
  if (known !== undefined) return known;
  const form = messageFormOf(definition);
  const specialised = form && specialise(form, construction);
  made[construction].set(definition, specialised);
  return specialised;
};
